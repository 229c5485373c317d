"""Table of the paper: mean and spread over folds."""

from __future__ import annotations

from mua_decode.report.paper import PaperTable, Results
from mua_decode.types import whole


def folds(results: Results) -> PaperTable:
    """S14: mean and s.d. over folds."""
    return results.table(
        "S14_folds",
        "Cross-validation: mean and s.d. over folds",
        "crossval/summary.csv",
        lambda summary: whole(summary).drop(columns=["segment"]).reset_index(drop=True),
    )
