"""Tables of the paper: intervals over seeds and conditions."""

from __future__ import annotations

import pandas as pd

from mua_decode.report.paper import HEADLINE, PaperTable, Results
from mua_decode.types import whole


def seeds(results: Results) -> PaperTable:
    """S22: intervals over seeds and conditions."""

    def make(summary: pd.DataFrame) -> pd.DataFrame:
        rows = whole(summary)
        rows = rows[rows["metric"].isin(HEADLINE)]
        return rows.drop(columns=["segment"]).fillna({"minus": ""}).reset_index(drop=True)

    return results.table(
        "S22_seeds",
        "Other seeds: mean, s.d. over seeds, 95 % intervals for other seeds, trials and conditions "
        "(low, high; units_low, units_high where conditions share units) and for other seeds on "
        "these trials (low_seeds, high_seeds)",
        "repeat/intervals.csv",
        make,
    )


def mixed(results: Results) -> PaperTable:
    """S36: decoder less floors in mixed-effects models."""
    return results.table(
        "S36_seeds_mixed",
        "Decoder less floors in linear mixed models, random effects of seeds, conditions and what "
        "these share, beside the test over unit means (p_unit_means); agrees: both on one side of "
        ".05, uncorrected",
        "repeat/mixed.csv",
    )
