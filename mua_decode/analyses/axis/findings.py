"""Files of an axis run: tables, figures, report, metrics; and the short summary."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from omegaconf import DictConfig
from rich.box import SIMPLE_HEAD
from rich.table import Table

from mua_decode.analyses.axis.section import write_figures
from mua_decode.analyses.axis.summary import AxisResults, flat_results, tuning_rows
from mua_decode.files import write_text
from mua_decode.runs.folder import RunFolder
from mua_decode.runs.progress import console
from mua_decode.types import ResultTable


def write_results(cfg: DictConfig, folder: RunFolder, results: AxisResults) -> dict[str, Any]:
    """Write tables, figures, report, and last of all ``metrics.json``."""
    flat = flat_results(cfg, results)
    summary = tuning_rows(results)
    tables = {"sites": results.sites, "tests": results.test_table, "comparison": results.comparison}
    if results.reconstruction is not None:
        tables["identification"] = results.reconstruction.table
    if results.effective is not None:
        tables["effective"] = results.effective.table
        tables["predicted_curves"] = results.effective.curves
    if results.states is not None:
        tables["cross_decoding"], tables["reality"] = results.states.cross, results.states.reality
    tables |= {f"planted_{k}": v for k, v in results.recording.truth.items()}
    for name, table in tables.items():
        if len(table):
            write_text(folder.path / f"{name}.csv", table.to_csv(index=False, float_format="%.6g"))
    write_figures(folder, results, summary, flat)
    folder.save_metrics(flat, _result_table(flat, summary, results).frame)
    return flat


def _result_table(flat: dict[str, Any], summary: pd.DataFrame, results: AxisResults) -> ResultTable:
    """The house's tidy table: one row per region and number, a region as ``only REGION``."""
    units = {"median_heldout_correlation": "r", "correlation_low": "r", "correlation_high": "r"}
    shared = {"split": "test", "condition": "all", "trial": "trial_average", "segment": "all"}
    rows: list[dict[str, object]] = []
    for row in summary.to_dict("records"):
        mask = "none" if row["region"] == "all" else f"only {row['region']}"
        rows += [
            {
                **shared,
                "run": row["space"],
                "mask": mask,
                "metric": k,
                "value": v,
                "unit": units.get(str(k), "fraction of sites"),
                "n": row["n_sites"],
            }
            for k, v in row.items()
            if k not in ("space", "region", "n_sites", "n_sites_all")
        ]
    for key, value in flat.items():
        if key.startswith(("reconstruction/", "imagery/")) and isinstance(value, float):
            rows.append(
                {
                    **shared,
                    "run": results.first.name,
                    "mask": "none",
                    "metric": key,
                    "value": value,
                    "unit": "see tests.csv",
                    "n": len(results.blocks.test),
                }
            )
    return ResultTable.from_rows(rows)


def print_axis_summary(flat: dict[str, Any], run: Path) -> None:
    """Print the short table at the end of a run."""
    table = Table(title=f"{flat['recording']}, {flat['axis/feature_space']}", box=SIMPLE_HEAD)
    table.add_column("")
    table.add_column("value", justify="right")
    for label, key in (
        ("sites", "axis/n_sites_all"),
        ("training images", "axis/n_train_images"),
        ("held-out images", "axis/n_test_images"),
        ("median held-out correlation", "axis/median_heldout_correlation"),
        ("share axis-tuned", "axis/share_tuned"),
        ("  95 % interval from", "axis/share_low"),
        ("  to", "axis/share_high"),
        ("median R² of explainable", "axis/median_r2_of_explainable"),
        ("mean rank of the true image (chance 0.5)", "reconstruction/mean_rank"),
        ("share of tuned sites reactivated", "imagery/share_reactivated"),
        ("median r of imagery with the axis", "imagery/median_axis_correlation"),
    ):
        if key in flat:
            value = flat[key]
            text = (
                "unknown"
                if value is None
                else f"{value:.3f}"
                if isinstance(value, float)
                else (str(value))
            )
            table.add_row(label, text)
    console.print(table)
    console.print(
        f"look at  {run / 'report.html'}\nnumbers  {run / 'metrics.json'}",
        highlight=False,
        soft_wrap=True,
    )
