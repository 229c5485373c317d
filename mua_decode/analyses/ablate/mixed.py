"""Losses of regions in a mixed-effects model, beside the test over the means of units."""

from __future__ import annotations

import pandas as pd

from mua_decode.analyses.ablate.losses import pairs_in
from mua_decode.statistics import MixedQuestion, mixed_view
from mua_decode.types import Question


def mixed_losses(losses: pd.DataFrame, *, correction: str = "holm") -> pd.DataFrame:
    """Loss of every region with random effects of what conditions share: cue, colour, direction.

    Parameters
    ----------
    losses
        Rows of :func:`loss_table`, regions alone. Of several fills the first is asked: a model
        takes a tenth of a second.
    correction
        Over the regions within metric and averaging: holm, fdr_bh or none.

    Returns
    -------
    The columns of :func:`mixed_view`, a row per region, averaging and metric whose conditions share
    units.
    """
    questions: list[MixedQuestion] = []
    first = losses[losses["fill"] == losses["fill"].iloc[0]] if len(losses) else losses
    for key, rows in first.groupby(["fill", "trial", "metric", "removed"], sort=False):
        fill, trial, metric, removed = map(str, key)
        _, units = pairs_in(rows)
        if units is None:
            continue
        asked: Question = {
            "question": f"does masking {removed} cost {metric}, for other {units.name}?",
            "group": removed,
            "metric": f"{metric}, {trial}, {fill}",
        }
        questions.append(MixedQuestion(rows["loss"].to_numpy(float), units, units, asked))
    return mixed_view(questions, correction=correction)
