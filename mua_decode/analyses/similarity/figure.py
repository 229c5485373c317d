"""How alike trials are, region by region."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from scipy.ndimage import gaussian_filter1d

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
    LeakState.UNKNOWN: " (leaks unknown)",
}
_TRIALS = {"recorded_trial": "recorded trials", "pseudo_trial": "pseudo-trials"}


def similarity(table: ResultTable, distributions: pd.DataFrame, *, title: str = "") -> Figure:
    """Draw one panel per kind of trial, a row per region, violins of all pairs and their means.

    Raises InputError if the table holds none of its metrics.

    Parameters
    ----------
    table, distributions
        What :func:`mua_decode.analyses.similarity.similarity.similarity` returns; marks are the
        means over pairs (condition "all"), violins the distribution of single pairs.
    """
    rows = table.frame[table.frame["metric"].isin(list(_METRICS))]
    if rows.empty:
        raise InputError(f"similarity figure: found none of the metrics {', '.join(_METRICS)}")
    masks = list(dict.fromkeys(rows["mask"]))
    trials = list(dict.fromkeys(rows["trial"]))
    figure, axes = panels.grid(
        len(trials), (4.4, 0.95 * len(masks)), around=(1.0, 1.9), n_columns=len(trials),
        sharex=True, sharey=True,
    )  # fmt: skip
    for ax, trial in zip(axes, trials, strict=True):
        pairs = distributions[distributions["trial"] == trial]
        _panel(ax, rows[rows["trial"] == trial], pairs, masks)
        ax.set_title(_TRIALS.get(trial, str(trial)), fontsize=10)
        ax.set_xlabel("correlation of activity (Pearson r)")
    names = ["all regions" if m == "none" else region_of(m) for m in masks]
    panels.names_down(axes[0], names)
    panels.legend_below(figure, _legend(rows), 2)
    state = LeakState.of_label(" ".join(rows["split"].astype(str).unique()))
    panels.heading(figure, (title + _LEAKS[state]).strip())
    return figure


def _panel(ax: Axes, rows: pd.DataFrame, pairs: pd.DataFrame, masks: list[str]) -> None:
    metrics = [m for m in _METRICS if (rows["metric"] == m).any()]
    for y, mask in enumerate(masks):
        for i, metric in enumerate(metrics):
            at = y + 0.22 * (i - (len(metrics) - 1) / 2)
            _, colour, marker = _METRICS[metric]
            here = pairs[(pairs["mask"] == mask) & (pairs["metric"] == metric)]
            if len(here):
                _violin(ax, here, at, colour)
            part = rows[(rows["mask"] == mask) & (rows["metric"] == metric)]
            mean = part.loc[part["condition"] == "all", "value"].to_numpy(float)
            ax.plot(mean, np.full(len(mean), at), marker, color=colour, markersize=4.5,
                    markeredgecolor="white", markeredgewidth=0.6)  # fmt: skip
    ax.axvline(0, color="0.5", linewidth=0.8, zorder=0)
    panels.read_across(ax)


def _violin(ax: Axes, pairs: pd.DataFrame, at: float, colour: str) -> None:
    """Draw the distribution of single pairs, smoothed over a few bins, about y = ``at``."""
    width = float((pairs["high"] - pairs["low"]).iloc[0])
    count = np.zeros(round(2 / width))
    place = np.rint((pairs["low"].to_numpy() + 1) / width).astype(int)
    count[place] = pairs["pairs"]
    density = gaussian_filter1d(count, 2)
    shown = slice(max(0, place.min() - 2), place.max() + 3)
    x = (np.arange(len(count)) + 0.5) * width - 1
    half = 0.1 * density / density.max()
    ax.fill_between(x[shown], at - half[shown], at + half[shown], color=colour, alpha=0.45,
                    linewidth=0)  # fmt: skip


def _legend(rows: pd.DataFrame) -> list[Line2D]:
    present = [m for m in _METRICS if (rows["metric"] == m).any()]
    shown = (_METRICS[m] for m in present)
    return [panels.mark(f"{label}, mean", marker=m, color=colour) for label, colour, m in shown]
