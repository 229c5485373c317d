"""How alike trials are, region by region."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mua_decode.figures import panels
from mua_decode.types import InputError, LeakState, ResultTable, region_of

_METRICS = {
    "within_condition_correlation": ("one condition, train", panels.BLUE, "o"),
    "train_test_correlation": ("one condition, train and test", panels.VERMILION, "D"),
    "between_condition_correlation": ("two conditions, train", panels.SKY, "o"),
    "train_test_between_correlation": ("two conditions, train and test", panels.ORANGE, "D"),
}
_LEAKS = {
    LeakState.FREE: "",
    LeakState.LEAKING: " (pooled before the split: leaking)",
    LeakState.UNKNOWN: " (pooled before they were stored: leaks unknown)",
}
_TRIALS = {"recorded_trial": "recorded trials", "pseudo_trial": "pseudo-trials"}


def similarity(table: ResultTable, *, title: str = "") -> Figure:
    """Draw one panel per kind of trial, a row per region, mean correlation and range.

    Raises InputError if the table holds none of its metrics.

    Parameters
    ----------
    table
        What ``similarity`` returns, mean over pairs in the rows
        of condition "all"; bars reach from the lowest to the highest condition.
    """
    rows = table.frame[table.frame["metric"].isin(list(_METRICS))]
    if rows.empty:
        raise InputError(f"similarity figure: found none of the metrics {', '.join(_METRICS)}")
    masks = list(dict.fromkeys(rows["mask"]))
    trials = list(dict.fromkeys(rows["trial"]))
    figure, axes = panels.grid(
        len(trials), (4.0, 0.55 * len(masks)), around=(1.0, 1.9), n_columns=len(trials),
        sharex=True, sharey=True,
    )  # fmt: skip
    for ax, trial in zip(axes, trials, strict=True):
        _panel(ax, rows[rows["trial"] == trial], masks)
        ax.set_title(_TRIALS.get(trial, str(trial)), fontsize=10)
        ax.set_xlabel("correlation of activity (Pearson r)")
    names = ["all regions" if m == "none" else region_of(m) for m in masks]
    panels.names_down(axes[0], names)
    panels.legend_below(figure, _legend(rows), 2)
    state = LeakState.of_label(" ".join(rows["split"].astype(str).unique()))
    panels.heading(figure, (title + _LEAKS[state]).strip())
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
                panels.spread(ax, single, at, colour=colour, width=3)
            mean = part.loc[part["condition"] == "all", "value"].to_numpy(float)
            shown = mean if len(mean) else np.array([single.mean()]) if len(single) else single
            ax.plot(shown, np.full(len(shown), at), marker, color=colour, markersize=4.5)
    ax.axvline(0, color="0.5", linewidth=0.8, zorder=0)
    panels.read_across(ax)


def _legend(rows: pd.DataFrame) -> list[Line2D]:
    present = [m for m in _METRICS if (rows["metric"] == m).any()]
    shown = (_METRICS[m] for m in present)
    handles = [panels.mark(label, marker=m, color=colour) for label, colour, m in shown]
    return [*handles, panels.spread_mark(3)]
