"""Table of the paper: baselines, floors and ceiling."""

from __future__ import annotations

import pandas as pd

from mua_decode.report.paper import (
    PaperTable,
    Results,
    headline_rows,
    or_not,
)


def compare(results: Results) -> PaperTable:
    """S13: baselines, floors and ceiling."""

    def make(table: pd.DataFrame) -> pd.DataFrame | None:
        return headline_rows(table)[["run", "trial", "metric", "value", "unit", "n"]]

    title = (
        "Baselines trained under identical settings, floors and ceiling; undefined directions "
        "count as 90 degrees off"
    )
    frame = results.both("compare/results.csv", make)
    return or_not("S13_baselines", title, frame, results.reason("compare", "not done"))
