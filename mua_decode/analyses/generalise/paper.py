"""Tables of the paper: conditions never trained on, and learning curves."""

from __future__ import annotations

import pandas as pd

from mua_decode.report.paper import (
    PaperTable,
    Results,
    headline_rows,
    or_not,
)

_HEADLINE = ("identification", "ssim", "mse", "cue_shape", "colour_error", "direction_error")


def held_out(results: Results) -> PaperTable:
    """S17: conditions never trained on."""

    def make(table: pd.DataFrame) -> pd.DataFrame | None:
        rows = headline_rows(table)
        rows = rows[rows["split"].str.contains("held out")]
        return rows[["split", "run", "trial", "metric", "value", "unit", "n"]]

    title = "Conditions never trained on; undefined directions count as 90 degrees off"
    frame = results.both("generalise/results.csv", make)
    why = "only the rigorous protocol asks this"
    return or_not("S17_held_out", title, frame, results.reason("generalise", why))


def curves(results: Results) -> PaperTable:
    """S18: learning curves."""

    def make(curves: pd.DataFrame) -> pd.DataFrame | None:
        return curves[curves["metric"].isin(_HEADLINE)].reset_index(drop=True)

    title = (
        "Learning curves over sites, training trials and sessions; undefined directions count as "
        "90 degrees off"
    )
    frame = results.both("generalise/curves.csv", make)
    why = "only the rigorous protocol asks this"
    return or_not("S18_learning_curves", title, frame, results.reason("generalise", why))
