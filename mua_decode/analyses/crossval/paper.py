"""Table of the paper: mean and spread over folds."""

from __future__ import annotations

import pandas as pd

from mua_decode.report.paper import (
    PaperTable,
    Results,
    or_not,
)
from mua_decode.types import whole


def folds(results: Results) -> PaperTable:
    """S14: mean and s.d. over folds."""

    def make(summary: pd.DataFrame) -> pd.DataFrame | None:
        return whole(summary).drop(columns=["segment"]).reset_index(drop=True)

    title = "Cross-validation: mean and s.d. over folds"
    frame = results.both("crossval/summary.csv", make)
    return or_not("S14_folds", title, frame, results.reason("crossval", "not done"))
