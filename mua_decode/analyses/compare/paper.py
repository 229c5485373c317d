"""Table of the paper: baselines, floors and ceiling."""

from __future__ import annotations

from mua_decode.report.paper import PaperTable, Results, headline_rows


def baselines(results: Results) -> PaperTable:
    """S13: baselines, floors and ceiling."""
    columns = ["run", "trial", "metric", "value", "unit", "n"]
    return results.table(
        "S13_baselines",
        "Baselines trained under identical settings, floors and ceiling; undefined directions "
        "count as 90 degrees off",
        "compare/results.csv",
        lambda table: headline_rows(table)[columns],
    )
