"""How alike trials are, region by region."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mua_decode.types import InputError, ResultTable

_METRICS = {
    "within_condition_correlation": ("one condition, train", "#0072B2", "o"),
    "train_test_correlation": ("one condition, train and test", "#D55E00", "D"),
    "between_condition_correlation": ("two conditions, train", "#56B4E9", "o"),
    "train_test_between_correlation": ("two conditions, train and test", "#E69F00", "D"),
}
_TRIALS = {"recorded_trial": "recorded trials", "pseudo_trial": "pseudo-trials"}


def similarity(table: ResultTable, *, title: str = "") -> Figure:
    """Draw one panel per kind of trial, a row per region, mean correlation and range.

    Parameters
    ----------
    table
        What ``similarity`` returns; dots are its rows of condition "all", the mean over pairs, and
        bars reach from the lowest to the highest condition.

    Raises
    ------
    InputError
        If the table holds none of its metrics.
    """
    rows = table.frame[table.frame["metric"].isin(list(_METRICS))]
    if rows.empty:
        raise InputError(f"similarity figure: found none of the metrics {', '.join(_METRICS)}")
    masks = list(dict.fromkeys(rows["mask"]))
    trials = list(dict.fromkeys(rows["trial"]))
    size = (4.0 * len(trials) + 1.0, 0.55 * len(masks) + 1.9)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(1, len(trials), squeeze=False, sharey=True, sharex=True)[0]
    for ax, trial in zip(axes, trials, strict=True):
        _panel(ax, rows[rows["trial"] == trial], masks)
        ax.set_title(_TRIALS.get(trial, str(trial)), fontsize=10)
        ax.set_xlabel("correlation of activity (Pearson r)")
    names = ["all regions" if m == "none" else m.removeprefix("only ") for m in masks]
    axes[0].set_yticks(range(len(masks)), names)
    axes[0].set_ylim(len(masks) - 0.5, -0.5)
    figure.legend(handles=_legend(rows), loc="outside lower center", ncols=2, frameon=False)
    leaks = rows["split"].astype(str).str.contains("leaking").any()
    heading = " ".join([title, "(pooled before the split: leaking)"] if leaks else [title]).strip()
    if heading:
        figure.suptitle(heading, fontsize=11)
    return figure


def _panel(ax: Axes, rows: pd.DataFrame, masks: list[str]) -> None:
    metrics = [m for m in _METRICS if (rows["metric"] == m).any()]
    for y, mask in enumerate(masks):
        for i, metric in enumerate(metrics):
            part = rows[(rows["mask"] == mask) & (rows["metric"] == metric)]
            at = y + 0.18 * (i - (len(metrics) - 1) / 2)
            _, colour, marker = _METRICS[metric]
            single = part.loc[part["condition"] != "all", "value"].dropna().to_numpy(float)
            if len(single):
                ax.plot(
                    [single.min(), single.max()], [at, at], color=colour, alpha=0.35, linewidth=3
                )
            mean = part.loc[part["condition"] == "all", "value"].to_numpy(float)
            shown = mean if len(mean) else np.array([single.mean()]) if len(single) else single
            ax.plot(shown, np.full(len(shown), at), marker, color=colour, markersize=4.5)
    ax.axvline(0, color="0.5", linewidth=0.8, zorder=0)
    ax.grid(axis="x", alpha=0.3)
    ax.tick_params(axis="y", length=0)
    ax.spines[["top", "right", "left"]].set_visible(False)


def _legend(rows: pd.DataFrame) -> list[Line2D]:
    present = [m for m in _METRICS if (rows["metric"] == m).any()]
    handles = [
        Line2D([], [], linestyle="none", marker=marker, color=colour, label=label)
        for label, colour, marker in (_METRICS[m] for m in present)
    ]
    label = "lowest to highest condition"
    return [*handles, Line2D([], [], color="0.3", alpha=0.35, linewidth=3, label=label)]
