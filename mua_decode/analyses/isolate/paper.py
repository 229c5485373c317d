"""Tables of the paper: networks trained on one region."""

from __future__ import annotations

import pandas as pd

from mua_decode.report.paper import (
    PaperTable,
    Results,
    beside,
    headline_rows,
    or_not,
)


def alone(results: Results) -> PaperTable:
    """S8: networks trained on one region."""

    def make(table: pd.DataFrame) -> pd.DataFrame | None:
        rows = headline_rows(table)
        rows = rows[rows["run"].isin(["decoder", "floor/lookup", "chance/noise"])]
        rows = rows.rename(columns={"mask": "sites"})
        known = results.published.get("alone", {})
        rows = rows[["sites", "run", "trial", "metric", "value", "unit", "n"]]
        extra = [
            beside(known.get(m), str(s).removeprefix("only ")) if own else {}
            for m, s, own in zip(
                rows["metric"],
                rows["sites"],
                (rows["run"] == "decoder") & (rows["trial"] == "trial_average"),
                strict=True,
            )
        ]
        return pd.concat([rows.reset_index(drop=True), pd.DataFrame(extra)], axis=1)

    title = (
        "One region alone: networks trained on its sites only; undefined directions count as 90 "
        "degrees off"
    )
    frame = results.both("isolate/results.csv", make)
    return or_not("S8_alone", title, frame, results.reason("isolate", "not done"))
