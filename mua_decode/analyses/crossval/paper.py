"""Table of the paper: mean and spread over folds."""

from __future__ import annotations

from mua_decode.report.paper import PaperTable, Results
from mua_decode.types import whole


def folds(results: Results) -> PaperTable:
    """S14: mean and s.d. over folds."""
    found = [results.read(p, "crossval/summary.csv") for p in results.protocols]
    number = sorted({int(f["folds"].max()) for f in found if f is not None})
    over = f"over {' or '.join(map(str, number))} folds" if number else "over folds"
    return results.table(
        "S14_folds",
        f"Cross-validation: mean and s.d. {over}",
        "crossval/summary.csv",
        lambda summary: whole(summary).drop(columns=["segment"]).reset_index(drop=True),
    )
