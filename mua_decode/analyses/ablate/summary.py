"""The short version of an ablation: flat numbers and a table for the terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.table import Table

from mua_decode.scoring.flat import number
from mua_decode.types import HypothesisTable


def flat_losses(
    means: pd.DataFrame, shapley: pd.DataFrame, not_applicable: Mapping[str, str]
) -> dict[str, Any]:
    """Mean losses and Shapley values as flat keys.

    ``loss/FILL/TRIAL/METRIC/REMOVED`` and ``shapley/FILL/TRIAL/METRIC/REGION``; undefined values
    are ``None``. ``not_applicable/METRIC`` says why.
    """
    flat: dict[str, Any] = {}
    shown = means[means["family"].isin(["region", "group"])]
    for kind, of, value, table in (
        ("loss", "removed", "loss", shown),
        ("shapley", "region", "value", shapley),
    ):
        for row in table.to_dict("records"):
            key = f"{kind}/{row['fill']}/{row['trial']}/{row['metric']}/{row[of]}"
            flat[key] = number(row[value])
    return flat | {f"not_applicable/{k}": v for k, v in not_applicable.items()}


def region_table(means: pd.DataFrame, tests: HypothesisTable, regions: Sequence[str]) -> Table:
    """What every region loses, single trials, first fill."""
    fill, trial = str(means["fill"].iloc[0]), "single_trial"
    table = Table(
        title=f"what is lost without a region (fill {fill}, single trials; * p < 0.05, corrected)",
        box=SIMPLE_HEAD,
    )
    table.add_column("region")
    cells: dict[str, list[str]] = {region: [] for region in regions}
    alone = means[
        (means["family"] == "region") & (means["fill"] == fill) & (means["trial"] == trial)
    ]
    paired = tests.frame[tests.frame["test"].str.startswith("paired t")]
    for metric, rows in alone.groupby("metric", sort=False):
        unit, lost = str(rows["unit"].iloc[0]), rows.set_index("removed")["loss"]
        table.add_column(f"{metric}\n{'' if unit == '1' else unit}", justify="right")
        p = paired[paired["metric"] == f"{metric}, {trial}, {fill}"].set_index("group")
        for region in regions:
            star = "*" if p["p_corrected"].get(region, math.nan) < 0.05 else " "
            undefined = math.isnan(lost[region])
            cells[region].append("undefined" if undefined else f"{lost[region]:.3g}{star}")
    for region, row_cells in cells.items():
        table.add_row(region, *row_cells)
    return table
