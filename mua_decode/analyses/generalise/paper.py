"""Section of the paper: conditions never trained on, and learning curves."""

from __future__ import annotations

import pandas as pd

from mua_decode.report import Section
from mua_decode.report.paper import (
    HEADLINE,
    PaperTable,
    Results,
    Tables,
    headline_rows,
    paper_section,
)

_WHY = "only the rigorous protocol asks this"


def held_out(results: Results) -> PaperTable:
    """S17: conditions never trained on."""

    def make(table: pd.DataFrame) -> pd.DataFrame:
        rows = headline_rows(table)
        rows = rows[rows["split"].str.contains("held out")]
        return rows[["split", "run", "trial", "metric", "value", "unit", "n", "n_unit"]]

    title = "Conditions never trained on; undefined directions count as 90 degrees off"
    return results.table("S17_held_out", title, "generalise/results.csv", make, why=_WHY)


def curves(results: Results) -> PaperTable:
    """S18: learning curves."""
    return results.table(
        "S18_learning_curves",
        "Learning curves over sites, training trials and sessions; undefined directions count as "
        "90 degrees off",
        "generalise/curves.csv",
        lambda curves: curves[curves["metric"].isin(HEADLINE)].reset_index(drop=True),
        why=_WHY,
    )


def section(results: Results, tables: Tables) -> Section:
    """What is decoded of what was never shown, and from less."""
    caption = "What is decoded of conditions never trained on."
    pictures = results.pictures("generalise", "held_out", caption)
    pictures += results.pictures("generalise", "learning_curves", "Decoding from less data.")
    text = [
        "With a few videos shared by training and test, a decoder can score high by recognising "
        "the condition. In a single trial a lookup decoder cannot return a video it was not "
        "trained on; an average of its wrong videos may come near one. Look at identification of "
        "held-out conditions and of their cue, colour and direction beside the floors: SSIM and "
        "squared error favour a blurred mean over a sharp wrong video. The decoder trained with "
        "them is scored on its own test trials, fewer than those of the held-out conditions. One "
        "network per set; no interval over networks."
    ]
    return paper_section("Generalisation", text, [tables["S17"], tables["S18"]], pictures)
