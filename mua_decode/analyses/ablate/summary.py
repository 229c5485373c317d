"""The short version of an ablation: flat numbers and a table for the terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.table import Table

from mua_decode.analyses.ablate.figure import averaging, shown_of
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


def region_table(
    means: pd.DataFrame, tests: HypothesisTable, regions: Sequence[str], *, withheld: bool = False
) -> Table:
    """What every region loses, single trials, first fill; no marks where they are withheld."""
    fill, trial = str(means["fill"].iloc[0]), "single_trial"
    marked = "conclusions withheld: no marks" if withheld else "* p < 0.05, corrected"
    table = Table(
        title=f"what is lost without a region (fill {fill}, single trials; {marked})",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    table.add_column("region", no_wrap=True)
    cells: dict[str, list[str]] = {region: [] for region in regions}
    alone = means[
        (means["family"] == "region") & (means["fill"] == fill) & (means["trial"] == trial)
    ]
    paired = tests.frame[tests.frame["test"].str.startswith("paired t")]
    for metric, rows in alone.groupby("metric", sort=False):
        unit, lost = str(rows["unit"].iloc[0]), rows.set_index("removed")["loss"]
        table.add_column(_heading(str(metric), unit), justify="right", no_wrap=True)
        p = paired[paired["metric"] == f"{metric}, {trial}, {fill}"].set_index("group")
        for region in regions:
            significant = not withheld and p["p_corrected"].get(region, math.nan) < 0.05
            star = "*" if significant else " "
            undefined = math.isnan(lost[region])
            cells[region].append("undefined" if undefined else f"{_short(lost[region])}{star}")
    for region, row_cells in cells.items():
        table.add_row(region, *row_cells)
    return table


def shapley_printed(shapley: pd.DataFrame) -> list[Table]:
    """What every region adds to the score, first fill, single trials first, with its interval."""
    if not len(shapley):
        return []
    fill = str(shapley["fill"].iloc[0])
    chosen = averaging(shapley[shapley["fill"] == fill], "rigorous")
    chosen = chosen[chosen["metric"].isin(shown_of(chosen["metric"]))]
    title = f"Shapley values: what a region adds to the score (fill {fill}; 95 % over conditions)"
    table = Table(title=title, box=SIMPLE_HEAD)
    table.add_column("region", no_wrap=True)
    metrics = list(dict.fromkeys(chosen["metric"]))
    for metric in metrics:
        rows = chosen[chosen["metric"] == metric]
        unit, trial = str(rows["unit"].iloc[0]), str(rows["trial"].iloc[0]).replace("_", " ")
        table.add_column(f"{_heading(str(metric), unit)}\n{trial}", justify="right", no_wrap=True)
    for region, rows in chosen.groupby("region", sort=False):
        found = {r["metric"]: r for r in rows.to_dict("records")}
        table.add_row(str(region), *(_interval(found.get(m)) for m in metrics))
    return [table]


def _heading(metric: str, unit: str) -> str:
    """Name of a metric, a word a line so that many stand side by side, and its unit."""
    words = metric.replace("identification", "identified").replace("pixel_correlation", "pixel r")
    words = words.replace("_", "\n")
    known = {"1": "", "fraction of trials": "(share)", "RGB 0-255": "(RGB)"}
    short = known.get(unit, f"({unit})")
    return f"{words}\n{short}".strip()


def _interval(row: Mapping[Any, Any] | None) -> str:
    if row is None or math.isnan(row["value"]):
        return "undefined"
    low, high = row["low"], row["high"]
    ends = "" if math.isnan(low) else f"\n{low:.2g} to {high:.2g}"
    return f"{_short(row['value'])}{ends}"


def _short(value: float) -> str:
    """Three digits; a difference that rounding in single precision makes is none."""
    return f"{value:.3g}" if abs(value) > 1e-6 else "0"
