"""Files of an ablation, and the short summary."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.table import Table

from mua_decode.files import write_text
from mua_decode.runs.folder import RunFolder
from mua_decode.runs.progress import console

if TYPE_CHECKING:
    from mua_decode.analyses.ablate.command import Ablation

_SHORT = {"single_trial": "single trials", "trial_average": "averages over trials"}


def write_ablation(folder: RunFolder, found: Ablation, *, leaking: bool) -> dict[str, Any]:
    """Write tables and, last of all, ``metrics.json``."""
    tables = {
        "losses": found.losses,
        "means": found.means,
        "tests": found.tests.frame,
        "changes": found.changes,
        "shapley": found.shapley,
        "subsets": found.subsets,
    }
    for name, table in tables.items():
        if len(table):
            write_text(folder.path / f"{name}.csv", table.to_csv(index=False, float_format="%.10g"))
    flat = flat_ablation(found) | {"leaking": leaking}
    folder.save_metrics(flat, found.table.frame)
    return flat


def flat_ablation(found: Ablation) -> dict[str, Any]:
    """Mean losses and Shapley values as flat keys.

    ``loss/FILL/TRIAL/METRIC/REMOVED`` and ``shapley/FILL/TRIAL/METRIC/REGION``; undefined values
    are ``None``.
    """
    flat: dict[str, Any] = {}
    shown = found.means[found.means["family"].isin(["region", "group"])]
    for row in shown.to_dict("records"):
        key = f"loss/{row['fill']}/{row['trial']}/{row['metric']}/{row['removed']}"
        flat[key] = _number(row["loss"])
    for row in found.shapley.to_dict("records"):
        key = f"shapley/{row['fill']}/{row['trial']}/{row['metric']}/{row['region']}"
        flat[key] = _number(row["value"])
    return flat | {f"not_applicable/{k}": v for k, v in found.not_applicable.items()}


def region_losses(found: Ablation, metric: str, *, fill: str, trial: str) -> pd.DataFrame:
    """Mean loss and corrected paired p of every region in one metric, largest loss first."""
    means = found.means
    chosen = means[
        (means["family"] == "region")
        & (means["metric"] == metric)
        & (means["fill"] == fill)
        & (means["trial"] == trial)
    ]
    tests = found.tests.frame
    label = f"{metric}, {trial}, {fill}"
    paired = tests[(tests["metric"] == label) & tests["test"].str.startswith("paired t")]
    p = paired.set_index("group")[["p", "p_corrected", "n", "correction"]]
    joined = chosen.drop(columns=["n"]).merge(p, left_on="removed", right_index=True, how="left")
    return joined.sort_values("loss", ascending=False, ignore_index=True)


def print_ablation(found: Ablation, path: Path) -> None:
    """Print what every region loses, single trials, first fill."""
    fill = str(found.means["fill"].iloc[0])
    metrics = [m for m in found.means["metric"].unique() if m in set(found.means["metric"])]
    table = Table(
        title=f"what is lost without a region (fill {fill}, single trials; * p < 0.05, corrected)",
        box=SIMPLE_HEAD,
    )
    table.add_column("region")
    cells: dict[str, list[str]] = {region: [] for region in found.regions}
    for metric in metrics:
        rows = region_losses(found, metric, fill=fill, trial="single_trial").set_index("removed")
        if not len(rows):
            continue
        unit = str(rows["unit"].iloc[0])
        table.add_column(f"{metric}\n{'' if unit == '1' else unit}", justify="right")
        lost, p = rows["loss"].to_dict(), rows["p_corrected"].to_dict()
        for region in found.regions:
            star = "*" if p[region] < 0.05 else " "
            undefined = math.isnan(lost[region])
            cells[region].append("undefined" if undefined else f"{lost[region]:.3g}{star}")
    for region, row_cells in cells.items():
        table.add_row(region, *row_cells)
    console.print(table)
    for metric, reason in found.not_applicable.items():
        console.print(f"{metric}: not applicable to this recording: {reason}", highlight=False)
    console.print(f"numbers  {path / 'metrics.json'}", highlight=False, soft_wrap=True)


def _number(value: float) -> float | None:
    return None if math.isnan(value) else round(float(value), 9)
