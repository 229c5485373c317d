"""Section of the paper: predicted and recorded activity."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mua_decode.report import Section
from mua_decode.report.paper import PaperTable, Results, Tables, beside, paper_section
from mua_decode.types import region_of

_METRICS = (
    "encoding_r",
    "encoding_r_reliable",
    "encoding_r_region",
    "encoding_r_region_time",
    "explainable_share",
    "reliability",
)


def encoding(results: Results) -> PaperTable:
    """S10: predicted against recorded activity."""

    def make(table: pd.DataFrame) -> pd.DataFrame:
        rows = table[(table["condition"] == "all") & table["metric"].isin(_METRICS)]
        rows = rows.assign(region=rows["mask"].map(region_of))
        rows = rows[["region", "run", "trial", "metric", "value", "n"]].reset_index(drop=True)
        known = results.published.get("encoding")
        ours = (rows["metric"] == "encoding_r_region_time") & (rows["run"] == "encoder")
        ours &= rows["trial"] == "trial_average"
        extra = [
            beside(known, r) if mine else {} for r, mine in zip(rows["region"], ours, strict=True)
        ]
        return pd.concat([rows, pd.DataFrame(extra)], axis=1)

    return results.table(
        "S10_encoding",
        "Encoding: correlation of predicted and recorded activity, beside floors and ceilings; "
        "split-half ceilings are means over reliable sites (n), to be held against "
        "encoding_r_reliable",
        "encoding/results.csv",
        make,
    )


def bands(results: Results) -> PaperTable:
    """S11: R² of filtered averages, or why there is none."""

    def make(table: pd.DataFrame) -> pd.DataFrame:
        rows = table[table["metric"].str.startswith("band_r2") & (table["condition"] == "all")]
        rows = rows[["mask", "run", "metric", "value", "n"]].reset_index(drop=True)
        refused = "not applicable: too fast for the sliding step, or too slow for the trial"
        return rows.assign(note=np.where(rows["n"] == 0, refused, ""))

    title = "Encoding by frequency: R² of filtered trial averages"
    return results.table("S11_bands", title, "encoding/results.csv", make)


def section(results: Results, tables: Tables) -> Section:
    """How well the video predicts the activity."""
    pictures = results.pictures("encoding", "encoding", "Predicted and recorded activity.")
    text = [
        "The network turned round: the video goes in, the activity of every site comes out. A band "
        "of frequencies is measured where it lies below the Nyquist frequency of the sliding step; "
        "the others say so."
    ]
    return paper_section("Figure 5. Encoding", text, [tables["S10"], tables["S11"]], pictures)
