"""Tables of the paper: baselines, floors and ceiling."""

from __future__ import annotations

import pandas as pd

from mua_decode.analyses.compare.compare import CHANNELS
from mua_decode.report.paper import PaperTable, Results, headline_rows


def baselines(results: Results) -> PaperTable:
    """S13: baselines, floors and ceiling."""
    columns = ["run", "trial", "metric", "value", "unit", "n", "n_unit"]
    return results.table(
        "S13_baselines",
        "Baselines trained under identical settings, floors and ceiling; undefined directions "
        "count as 90 degrees off",
        "compare/results.csv",
        lambda table: headline_rows(table[~table["metric"].isin(CHANNELS)])[columns],
    )


def channels(results: Results) -> PaperTable:
    """S32: pixel correlation of each colour channel, mean and spread over conditions."""

    def make(table: pd.DataFrame) -> pd.DataFrame:
        rows = table[table["metric"].isin(CHANNELS) & (table["segment"] == "all")]
        keys = ["run", "trial", "metric"]
        single = rows[rows["condition"] != "all"].groupby(keys)["value"].agg(["min", "max", "std"])
        single.columns = ["lowest_condition", "highest_condition", "sd_conditions"]
        found = rows[rows["condition"] == "all"][[*keys, "value", "n", "n_unit"]].join(
            single, on=keys
        )
        channel = found["metric"].str.removesuffix("_correlation")
        return found.drop(columns="metric").assign(channel=channel).reset_index(drop=True)

    title = (
        "Baselines: Pearson r of decoded and true pixels in each colour channel, whole video; "
        "spread over conditions"
    )
    return results.table(
        "S32_channels", title, "compare/results.csv", make, why="its videos have no colours"
    )
