"""Table of the paper: intervals over seeds and conditions."""

from __future__ import annotations

import pandas as pd

from mua_decode.report.paper import (
    PaperTable,
    Results,
    or_not,
)
from mua_decode.types import whole

_HEADLINE = ("identification", "ssim", "mse", "cue_shape", "colour_error", "direction_error")


def seeds(results: Results) -> PaperTable:
    """S22: intervals over seeds and conditions."""

    def make(summary: pd.DataFrame) -> pd.DataFrame | None:
        rows = whole(summary)
        rows = rows[rows["metric"].isin(_HEADLINE)]
        return rows.drop(columns=["segment"]).fillna({"minus": ""}).reset_index(drop=True)

    title = (
        "Other seeds: mean, s.d. over seeds, 95 % bootstrap over seeds and conditions (low, high) "
        "and t interval over seeds (low_seeds, high_seeds)"
    )
    frame = results.both("repeat/intervals.csv", make)
    return or_not("S22_seeds", title, frame, results.reason("repeat", "not done"))
