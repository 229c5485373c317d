"""Section of the paper: networks trained on one region."""

from __future__ import annotations

import pandas as pd

from mua_decode.report import Section
from mua_decode.report.paper import (
    PaperTable,
    Results,
    Tables,
    beside,
    headline_rows,
    paper_section,
)
from mua_decode.types import region_of

_RUNS = ("decoder", "floor/lookup", "chance/noise")


def alone(results: Results) -> PaperTable:
    """S8: networks trained on one region."""
    known = results.published.get("alone", {})

    def make(table: pd.DataFrame) -> pd.DataFrame:
        rows = headline_rows(table).rename(columns={"mask": "sites"})
        rows = rows[rows["run"].isin(_RUNS)].reset_index(drop=True)
        rows = rows[["sites", "run", "trial", "metric", "value", "unit", "n"]]
        own = (rows["run"] == "decoder") & (rows["trial"] == "trial_average")
        extra = [
            beside(known.get(m), region_of(s)) if mine else {}
            for m, s, mine in zip(rows["metric"], rows["sites"], own, strict=True)
        ]
        return pd.concat([rows, pd.DataFrame(extra)], axis=1)

    return results.table(
        "S8_alone",
        "One region alone: networks trained on its sites only; undefined directions count as 90 "
        "degrees off",
        "isolate/results.csv",
        make,
    )


def chance(results: Results) -> PaperTable:
    """S9: every test of those networks."""
    return results.table(
        "S9_alone_chance",
        "One region alone: noise inputs, as published; permuted conditions",
        "isolate/tests.csv",
        why="the step has no tests",
    )


def section(results: Results, tables: Tables) -> Section:
    """What one region decodes alone."""
    caption = "Networks trained on one region alone."
    pictures = results.pictures("isolate", "regions", caption)
    text = [
        "One network per region, trained on its sites only. Gaussian noise inputs, as published, "
        "ask whether the input is used at all: onsets are enough to pass. Permuted conditions ask "
        "whether what is decoded fits the condition; where recorded trials feed both training and "
        "test, as published, sites that know nothing may pass that too. Undefined directions "
        "count as 90 degrees off."
    ]
    return paper_section("Figure 4. One region alone", text, [tables["S8"], tables["S9"]], pictures)
