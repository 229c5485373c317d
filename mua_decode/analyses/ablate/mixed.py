"""Losses of regions in a mixed-effects model, beside the test over the means of units."""

from __future__ import annotations

import pandas as pd

from mua_decode.analyses.ablate.losses import pairs_in
from mua_decode.statistics import correct, mixed_mean, unit_t
from mua_decode.types import HypothesisTable, Question

_ALPHA = 0.05


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
    The columns of a hypothesis table, a row per region, averaging and metric whose conditions share
    units (empty without any), with ``p_unit_means`` (:func:`unit_t` of the same losses) and
    ``agrees``: both p on one side of .05, neither corrected.
    """
    mixed: list[HypothesisTable] = []
    plain: list[float] = []
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
        loss = rows["loss"].to_numpy(float)
        mixed.append(mixed_mean(loss, units, **asked))
        plain.append(float(unit_t(loss, units, **asked).frame["p"].iloc[0]))
    if not mixed:
        return pd.DataFrame()
    table = correct(HypothesisTable.concat(mixed), method=correction, within=["metric"]).frame
    p = table["p"]
    same = (p <= _ALPHA) == (pd.Series(plain) <= _ALPHA)
    said = same.map({True: "yes", False: "no"}).where(p.notna() & pd.Series(plain).notna(), "")
    return table.assign(p_unit_means=plain, agrees=said)
