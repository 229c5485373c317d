"""Tables and section of the paper: predicted and recorded activity."""

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
        rows = rows[["region", "run", "trial", "metric", "value", "n", "n_unit"]].reset_index(
            drop=True
        )
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
        rows = rows[["mask", "run", "metric", "value", "n", "n_unit"]].reset_index(drop=True)
        refused = "not applicable: too fast for the sliding step, or too slow for the trial"
        return rows.assign(note=np.where(rows["n"] == 0, refused, ""))

    title = "Encoding by frequency: R² of filtered trial averages"
    return results.table("S11_bands", title, "encoding/results.csv", make)


def fine_bands(results: Results) -> PaperTable:
    """S30: R² in the published bands, from a finer step, in both definitions."""
    definitions = {
        "band_r2_region_time_": "mean over conditions of R² over time (published)",
        "band_r2_region_": "pooled over time × conditions (ours)",
    }

    def make(table: pd.DataFrame) -> pd.DataFrame:
        rows = table[table["metric"].str.startswith("band_r2_region_")]
        rows = rows[(rows["condition"] == "all") & ~rows["metric"].str.endswith(("_low", "_high"))]
        time = rows["metric"].str.startswith("band_r2_region_time_")
        prefix = pd.Series(np.where(time, *definitions), index=rows.index)
        ends = table.set_index(["run", "mask", "metric"])["value"]
        found = pd.DataFrame(
            {
                "region": rows["mask"].map(region_of),
                "run": rows["run"],
                "band": [m.removeprefix(p) for m, p in zip(rows["metric"], prefix, strict=True)],
                "definition": prefix.map(definitions),
                "value": rows["value"],
            }
        )
        for end in ("low", "high"):
            wanted = zip(rows["run"], rows["mask"], rows["metric"] + f"_{end}", strict=True)
            found[end] = [ends.get(key, np.nan) for key in wanted]
        return found.assign(n=rows["n"], n_unit=rows["n_unit"]).reset_index(drop=True)

    title = (
        "Encoding by frequency at a finer step (Fig. 6B): R² of averages over the trials of a "
        "condition and the sites of a region, filtered; low and high over conditions"
    )
    return results.table("S30_bands_fine", title, "encoding_bands/results.csv", make)


def null(results: Results) -> PaperTable:
    """S31: conditions against predictions for Gaussian videos, as published."""
    columns = ["group", "statistic", "df", "p", "p_corrected", "correction", "n", "n_unit",
               "effect_name", "effect", "low", "high", "note"]  # fmt: skip

    def make(table: pd.DataFrame) -> pd.DataFrame | None:
        rows = table[table["n_unit"] == "conditions and Gaussian videos"]
        return rows[columns].rename(columns={"group": "region"}).reset_index(drop=True)

    title = (
        "Encoding: r over time of the averages of conditions against that of predictions for "
        "videos of N(0, 1) pixels, two-sided t"
    )
    return results.table("S31_encoding_null", title, "encoding/tests.csv", make)


def section(results: Results, tables: Tables) -> Section:
    """How well the video predicts the activity."""
    pictures = results.pictures("encoding", "encoding", "Predicted and recorded activity.")
    finest = next(
        (
            s
            for s in ("encoding_bands", "encoding")
            if any(results.has(p, s) for p in results.protocols)
        ),
        "encoding",
    )
    caption = "Recorded and predicted averages: conditions of lowest, median and highest r."
    pictures += results.pictures(finest, "traces", caption)
    pictures += results.pictures(finest, "spectra", "Their power, mean over conditions.")
    text = [
        "The network turned round: the video goes in, the activity of every site comes out. A band "
        "of frequencies is measured where it lies below the Nyquist frequency of the sliding step; "
        "the others say so, and are measured in a network of their own at a finer step. Traces are "
        "chosen by rule."
    ]
    shown = [tables[n] for n in ("S10", "S31", "S11", "S30")]
    return paper_section("Figure 5. Encoding", text, shown, pictures)
