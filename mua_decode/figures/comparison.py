"""Scores of several things side by side, one panel per metric."""

from __future__ import annotations

import math

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mua_decode.figures import panels

COLUMNS = ("row", "series", "metric", "value", "low", "high", "unit")


def comparison(scores: pd.DataFrame, *, title: str = "", bars: str = "") -> Figure:
    """Draw one panel per metric with one row per thing compared and one mark per series.

    Raises InputError if columns are missing or there is nothing to draw.

    Parameters
    ----------
    scores
        Columns ``row`` (what is compared: a region, a held-out set), ``series`` (decoder, floor,
        chance), ``metric``, ``value``, ``low`` and ``high`` (ends of a bar, NaN: none) and
        ``unit``; one line per mark, rows and metrics in the order to be drawn.
    bars
        What the bars show, for the legend.
    """
    metrics = panels.metrics_with_values(scores, COLUMNS, "comparison")
    rows = list(dict.fromkeys(scores["row"]))
    series = list(dict.fromkeys(scores["series"]))
    size = (3.0, (0.16 * len(series) + 0.22) * len(rows) + 0.8)
    figure, axes = panels.grid(len(metrics), size, around=(1.6, 1.0), sharey=True)
    for ax, metric in zip(axes, metrics, strict=True):
        part = scores[scores["metric"] == metric]
        _panel(ax, part, rows, series)
        ax.set_xlabel(panels.metric_axis(metric, part, gap="\n"))
    panels.names_down(axes[0], [panels.words(r) for r in rows])
    handles = [panels.mark(panels.words(s), **panels.series_style(series, s)) for s in series]
    if bars and scores["low"].notna().any():
        handles.append(Line2D([], [], color="0.4", linewidth=2, label=bars))
    panels.legend_below(figure, handles, min(4, len(handles)))
    panels.heading(figure, title)
    return figure


def _panel(ax: Axes, part: pd.DataFrame, rows: list[str], series: list[str]) -> None:
    step = 0.72 / len(series)
    for line in part.to_dict("records"):
        at = rows.index(line["row"]) + step * (series.index(line["series"]) - (len(series) - 1) / 2)
        style = panels.series_style(series, line["series"])
        if not math.isnan(line["low"]) and not math.isnan(line["high"]):
            colour = style["color"]
            ax.plot([line["low"], line["high"]], [at, at], color=colour, alpha=0.45, linewidth=2)
        ax.plot(line["value"], at, linestyle="none", **style)
    for y in range(1, len(rows)):
        ax.axhline(y - 0.5, color="0.85", linewidth=0.8)
    ax.margins(x=0.08)
    ax.locator_params(axis="x", nbins=4)
    panels.read_across(ax)
