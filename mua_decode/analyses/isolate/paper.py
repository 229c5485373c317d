"""Section of the paper: networks trained on one region."""

from __future__ import annotations

from collections.abc import Mapping

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

_PUBLISHED = "against_noise/"
_RUNS = ("decoder", "floor/lookup", "chance/noise")


def alone(results: Results) -> PaperTable:
    """S8: networks trained on one region."""
    known = results.published.get("alone", {})

    def make(table: pd.DataFrame) -> pd.DataFrame:
        rows = headline_rows(table).rename(columns={"mask": "sites"})
        rows = rows[rows["run"].isin(_RUNS)].reset_index(drop=True)
        rows = rows[["sites", "run", "trial", "metric", "value", "unit", "n", "n_unit"]]
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
    """S9: our tests of those networks."""

    def make(tests: pd.DataFrame) -> pd.DataFrame:
        return tests[~tests["metric"].str.startswith(_PUBLISHED)]

    return results.table(
        "S9_alone_chance",
        "One region alone, our tests: rank among pairings of noise inputs; permuted conditions",
        "isolate/tests.csv",
        make,
        why="the step has no tests",
    )


def published_chance(results: Results) -> PaperTable:
    """S27: the published test of those networks."""

    def make(tests: pd.DataFrame) -> pd.DataFrame:
        return tests[tests["metric"].str.startswith(_PUBLISHED)]

    return results.table(
        "S27_alone_noise",
        "One region alone, published test (the question says where the quantity is another): "
        "averages of conditions against predictions from Gaussian inputs, each averaged over all "
        "conditions (our reading), two-sided t; fraction of noise inputs beyond",
        "isolate/tests.csv",
        make,
        why="no noise inputs were decoded",
    )


def colour(results: Results) -> PaperTable:
    """S25: colour decoded from one region."""
    title = "One region alone: correlation and cosine of colour at four points, over conditions"
    known = {"colour_correlation": "colour_correlation", "colour_cosine": "colour_cosine"}
    return _measured(results, "S25_alone_colour", title, known)


def motion(results: Results) -> PaperTable:
    """S26: directions decoded from one region."""
    title = (
        "One region alone: spread of the measured direction. angle_sd: s.d. of measured minus "
        "rendered direction over conditions (our reading of the printed s.d.); angle_sd_within: "
        "within a rendered direction; angle_error: mean distance. Undefined directions count as "
        "90 degrees off"
    )
    known = {"angle_sd": "motion_sd", "angle_sd_within": "", "angle_error": ""}
    return _measured(results, "S26_alone_motion", title, known)


def _measured(results: Results, name: str, title: str, known: Mapping[str, str]) -> PaperTable:
    """Measures of ``alone.csv``, each with the entry of the published values beside it."""
    published = results.published.get("alone", {})

    def make(table: pd.DataFrame) -> pd.DataFrame:
        rows = table[table["measure"].isin(known)].rename(columns={"mask": "sites"})
        extra = [
            beside(published.get(known[m]), region_of(s))
            for m, s in zip(rows["measure"], rows["sites"], strict=True)
        ]
        rows = rows.dropna(axis=1, how="all").reset_index(drop=True)
        return pd.concat([rows, pd.DataFrame(extra, index=rows.index)], axis=1)

    return results.table(name, title, "isolate/alone.csv", make, why="it cannot be measured in it")


def section(results: Results, tables: Tables) -> Section:
    """What one region decodes alone."""
    caption = "What each region decodes alone, beside what was shown and what noise inputs give."
    pictures = results.pictures("isolate", "seen", caption)
    pictures += results.pictures("isolate", "regions", "Networks trained on one region alone.")
    text = [
        "One network per region, trained on its sites only. Gaussian noise inputs ask whether the "
        "input is used at all, as published by t (S27) and by our rank (S9): onsets are enough to "
        "pass. Permuted conditions ask "
        "whether what is decoded fits the condition; where recorded trials feed both training and "
        "test, as published, sites that know nothing may pass that too. Undefined directions "
        "count as 90 degrees off."
    ]
    shown = [tables[n] for n in ("S8", "S25", "S26", "S27", "S9")]
    return paper_section("Figure 4. One region alone", text, shown, pictures)
