"""Scores against the amount of data."""

from __future__ import annotations

from itertools import product

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from mua_decode.figures import panels

COLUMNS = ("axis", "x", "series", "metric", "value", "low", "high", "unit")


def learning_curve(scores: pd.DataFrame, *, title: str = "", bars: str = "") -> Figure:
    """Draw one row of panels per metric, one column per kind of data, one line per series.

    Raises InputError if columns are missing or there is nothing to draw.

    Parameters
    ----------
    scores
        Columns ``axis`` (what is varied, the label of the x axis: "sites"), ``x`` (its number),
        ``series``, ``metric``, ``value``, ``low`` and ``high`` (ends of a bar, NaN: none) and
        ``unit``.
    bars
        What the bars show, for the title.
    """
    metrics = panels.metrics_with_values(scores, COLUMNS, "learning curve")
    kinds = list(dict.fromkeys(scores["axis"]))
    series = list(dict.fromkeys(scores["series"]))
    figure, axes = panels.grid(
        len(metrics) * len(kinds), (2.9, 2.1), around=(1.2, 1.1), n_columns=len(kinds),
        sharex="col", sharey="row",
    )  # fmt: skip
    for ax, (metric, kind) in zip(axes, product(metrics, kinds), strict=True):
        rows = scores[scores["metric"] == metric]
        _panel(ax, rows[rows["axis"] == kind], series)
        if kind == kinds[0]:
            ax.set_ylabel(panels.metric_axis(metric, rows, gap="\n").replace(", ", ",\n"))
        if metric == metrics[-1]:
            ax.set_xlabel(kind)
    panels.legend_below(figure, axes[0].get_legend_handles_labels()[0], 4)
    panels.heading(figure, f"{title}; bars: {bars}" if bars else title)
    return figure


def _panel(ax: Axes, part: pd.DataFrame, series: list[str]) -> None:
    for name, line in part.sort_values("x").groupby("series", sort=False):
        bar = [line["value"] - line["low"], line["high"] - line["value"]]
        ax.errorbar(line["x"], line["value"], yerr=bar if line["low"].notna().any() else None,
                    linewidth=1.3, elinewidth=1, label=panels.words(name),
                    **panels.series_style(series, str(name)))  # fmt: skip
    ticks = sorted(set(part["x"]))
    if ticks and ticks[0] > 0:
        ax.set_xscale("log", base=2)
        ax.xaxis.set_major_formatter("{x:g}")
        ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xticks(ticks)
    ax.grid(alpha=0.3)
    ax.spines[["top", "right"]].set_visible(False)
