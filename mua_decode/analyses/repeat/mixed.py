"""Decoder less floors in a mixed-effects model: seeds, conditions and what these share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from mua_decode.scoring.units import NamedUnits
from mua_decode.statistics import MixedQuestion, Units, mixed_view
from mua_decode.types import ResultTable, whole


def mixed_seeds(
    tables: Mapping[int, ResultTable], *, units: Mapping[str, NamedUnits] | None = None
) -> pd.DataFrame:
    """Test the decoder against every floor for other seeds and conditions; single trials.

    The seed is a random effect, the condition, since its trials are the same for all seeds, and
    what conditions share that a metric depends on (``units``, by metric): cue, colour, direction.
    Beside it stands the test over means of seeds, and of units or conditions, crossed, whose
    interval is that of ``intervals.csv``. Metrics of the whole video, or of their only segment.

    Returns
    -------
    The columns of :func:`mixed_view`, a row per metric and floor; Holm over the floors of a metric.
    ``metric`` is ``single_trial/METRIC``, ``group`` the floor, ``effect`` the decoder less it,
    ``n`` the levels of the factor with the fewest.
    """
    frame = pd.concat([t.frame.assign(seed=str(s)) for s, t in tables.items()], ignore_index=True)
    frame = whole(frame[(frame["trial"] == "single_trial") & (frame["mask"] == "none")])
    return mixed_view(_questions(frame[frame["condition"] != "all"], units or {}))


def _questions(frame: pd.DataFrame, units: Mapping[str, NamedUnits]) -> Iterator[MixedQuestion]:
    for metric, part in frame.groupby("metric", sort=False):
        value = part.pivot(index=["seed", "condition"], columns="run", values="value")  # noqa: PD010
        seed, condition = (value.index.get_level_values(k).to_numpy(str) for k in (0, 1))
        levels, names = np.stack([seed, condition], axis=1), "seeds × conditions"
        random = beside = Units(names, levels)
        if (shared := units.get(str(metric))) is not None:
            of = shared.of(condition.tolist()).levels
            random = Units(f"{names} × {shared.name}", np.concatenate([levels, of], axis=1))
            beside = Units(f"seeds × {shared.name}", np.concatenate([levels[:, :1], of], axis=1))
        for floor in (c for c in value if str(c).startswith("floor/") and "decoder" in value):
            difference = (value["decoder"] - value[floor]).to_numpy(float)
            yield MixedQuestion(
                difference, random, beside,
                {"question": "does the decoder score otherwise than the floor, for other seeds?",
                 "group": str(floor), "metric": f"single_trial/{metric}"},
            )  # fmt: skip
