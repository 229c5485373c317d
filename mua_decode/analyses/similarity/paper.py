"""Table and picture of the paper: correlations of trials."""

from __future__ import annotations

import pandas as pd

from mua_decode.analyses.similarity.figure import similarity as draw
from mua_decode.report import Picture
from mua_decode.report.paper import TITLES, PaperTable, Results
from mua_decode.types import ResultTable, region_of


def similarity(results: Results) -> PaperTable:
    """S12: correlations of trials."""

    def make(table: pd.DataFrame) -> pd.DataFrame:
        rows = table[table["condition"] == "all"]
        rows = rows.assign(region=rows["mask"].map(region_of))
        return rows[["region", "trial", "metric", "value", "n", "n_unit"]].reset_index(drop=True)

    title = "Similarity: Pearson correlation of trials within and between conditions and parts"
    return results.table("S12_similarity", title, "similarity/results.csv", make)


def trials(results: Results) -> PaperTable:
    """S34: how many trials were compared."""
    title = (
        "Similarity: trials per condition that were compared, the fewest of any condition and "
        "session, dealt to subsets; pairs within a subset are compared"
    )
    return results.table("S34_similarity_trials", title, "similarity/trials.csv")


def drawn_similarity(
    table: pd.DataFrame, distributions: pd.DataFrame, protocol: str
) -> list[Picture]:
    """Correlations of single pairs of trials, and their means."""
    title = f"Similarity, {protocol}"
    figure = draw(ResultTable(table), distributions, title=title)
    caption = "Pearson r of pairs of trials: every pair (violins) and means (marks)."
    return [Picture(figure, f"{caption} {TITLES[protocol].capitalize()}.")]
