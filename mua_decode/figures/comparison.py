"""Scores of several things side by side, one panel per metric."""

from __future__ import annotations

import math

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mua_decode.figures.series import LABELS, panel_grid, series_style
from mua_decode.types import InputError

COLUMNS = ("row", "series", "metric", "value", "low", "high", "unit")


def comparison(scores: pd.DataFrame, *, title: str = "", bars: str = "") -> Figure:
    """Draw one panel per metric with one row per thing compared and one mark per series.

    Parameters
    ----------
    scores
        Columns ``row`` (what is compared: a region, a held-out set), ``series`` (decoder, floor,
        chance), ``metric``, ``value``, ``low`` and ``high`` (ends of a bar, NaN: none) and
        ``unit``; one line per mark, rows and metrics in the order to be drawn.
    title
        Printed on top.
    bars
        What the bars show, for the legend.

    Raises
    ------
    InputError
        If columns are missing or there is nothing to draw.
    """
    missing = [c for c in COLUMNS if c not in scores.columns]
    if missing or scores["value"].notna().sum() == 0:
        raise InputError(f"comparison: nothing to draw, missing columns {missing}")
    rows = list(dict.fromkeys(scores["row"]))
    series = list(dict.fromkeys(scores["series"]))
    metrics = [m for m, part in scores.groupby("metric", sort=False) if part["value"].notna().any()]
    n_rows, n_columns = panel_grid(len(metrics))
    height = 0.16 * len(series) + 0.22
    figure = Figure(
        figsize=(3.0 * n_columns + 1.6, n_rows * (height * len(rows) + 0.8) + 1.0),
        layout="constrained",
    )
    axes = figure.subplots(n_rows, n_columns, squeeze=False, sharey=True).ravel()
    for ax, metric in zip(axes, metrics, strict=False):
        _panel(ax, scores[scores["metric"] == metric], rows, series)
        _label(ax, str(metric), scores[scores["metric"] == metric])
    for ax in axes[len(metrics) :]:
        ax.set_visible(False)
    axes[0].set_yticks(range(len(rows)), [str(r).replace("_", " ") for r in rows])
    axes[0].set_ylim(len(rows) - 0.5, -0.5)
    handles = [
        Line2D([], [], linestyle="none", label=str(s).replace("_", " "), **series_style(series, s))
        for s in series
    ]
    if bars and scores["low"].notna().any():
        handles.append(Line2D([], [], color="0.4", linewidth=2, label=bars))
    figure.legend(
        handles=handles, loc="outside lower center", ncols=min(4, len(handles)), frameon=False
    )
    figure.suptitle(title, fontsize=11)
    return figure


def _panel(ax: Axes, part: pd.DataFrame, rows: list[str], series: list[str]) -> None:
    step = 0.72 / len(series)
    for line in part.to_dict("records"):
        at = rows.index(line["row"]) + step * (series.index(line["series"]) - (len(series) - 1) / 2)
        style = series_style(series, line["series"])
        if not math.isnan(line["low"]) and not math.isnan(line["high"]):
            colour = style["color"]
            ax.plot([line["low"], line["high"]], [at, at], color=colour, alpha=0.45, linewidth=2)
        ax.plot(line["value"], at, linestyle="none", **style)
    for y in range(1, len(rows)):
        ax.axhline(y - 0.5, color="0.85", linewidth=0.8)


def _label(ax: Axes, metric: str, part: pd.DataFrame) -> None:
    unit = str(part["unit"].iloc[0])
    shown = LABELS.get(metric, metric.replace("_", " ").replace("/", ", "))
    ax.set_xlabel(shown + (f"\n({unit})" if unit not in ("", "1", "nan") else ""))
    ax.margins(x=0.08)
    ax.locator_params(axis="x", nbins=4)
    ax.grid(axis="x", alpha=0.3)
    ax.tick_params(axis="y", length=0)
    for side in ("top", "right", "left"):
        ax.spines[side].set_visible(False)
