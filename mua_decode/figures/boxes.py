"""Distributions over conditions as boxes, with what a test says of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mua_decode.figures import panels
from mua_decode.types import InputError, nearest_name

COLUMNS = ("row", "metric", "value", "unit")
TEST_COLUMNS = ("row", "metric", "p")
_NARROWEST = 0.3  # inches of a box with its "n.s." above it
_STARS = ((0.001, "***"), (0.01, "**"), (0.05, "*"))


def boxes(
    values: pd.DataFrame, *, tests: pd.DataFrame | None = None, title: str = "", note: str = ""
) -> Figure:
    """Draw one panel per metric and one box per row (a region), every value as a point.

    The box reaches from the first to the third quartile with a line at the median, whiskers to the
    last value within 1.5 box lengths. Where the width that is asked for has no room for the boxes,
    rows go down the page: every value as a point, a bar between the quartiles, the median. Raises
    InputError if columns are missing, there is nothing to draw, or a test names an unknown row.

    Parameters
    ----------
    values
        Columns ``row``, ``metric``, ``value``, ``unit``; one line per value (a condition), rows
        and metrics in the order to be drawn. NaN is left out.
    tests
        Columns ``row``, ``metric``, ``p`` (corrected): drawn above the box as ``***`` (p < 0.001),
        ``**`` (< 0.01), ``*`` (< 0.05) or ``n.s.``.
    """
    panels.require(values, COLUMNS, "boxes: the values lack")
    if tests is not None:
        panels.require(tests, TEST_COLUMNS, "boxes: the tests lack")
    values = values[np.isfinite(values["value"].to_numpy(float))]
    if values.empty:
        raise InputError("boxes: no value to draw")
    rows = [str(r) for r in dict.fromkeys(values["row"])]
    metrics = list(dict.fromkeys(values["metric"]))
    if panels.how_many(len(rows), _NARROWEST, 1.0) < len(rows):
        return _as_rows(values, rows, tests, title=title, note=note)
    size = (0.55 * len(rows) + 1.3, 3.2)
    figure, axes = panels.grid(len(metrics), size, around=(0, 0.7 if note else 0.4))
    for ax, metric in zip(axes, metrics, strict=True):
        part = values[values["metric"] == metric]
        _panel(ax, part, rows)
        ax.set_ylabel(panels.metric_axis(metric, part))
        if tests is not None:
            _marks(ax, part, tests[tests["metric"] == metric], rows)
    panels.heading(figure, title, note)
    return figure


def _as_rows(
    values: pd.DataFrame, rows: list[str], tests: pd.DataFrame | None, *, title: str, note: str
) -> Figure:
    """Draw regions as rows, panels side by side."""
    metrics = list(dict.fromkeys(values["metric"]))
    names = 0.25 + 0.08 * max(map(len, rows))
    size, around = (1.3, 0.17 * len(rows) + 0.8), (names, 0.9 if note else 0.6)
    figure, axes = panels.grid(len(metrics), size, around=around, sharey=True)
    for ax, metric in zip(axes, metrics, strict=True):
        part = values[values["metric"] == metric]
        marks = None if tests is None else tests[tests["metric"] == metric]
        _rows(ax, part, rows, marks)
        ax.set_xlabel(panels.metric_axis(metric, part))
    panels.names_down(axes[0], rows)
    for ax in axes:
        ax.tick_params(axis="y", labelsize=8)
    panels.heading(figure, title, note)
    return figure


def _rows(ax: Axes, part: pd.DataFrame, rows: list[str], tests: pd.DataFrame | None) -> None:
    part = part.assign(value=panels.no_rounding(part["value"].to_numpy(float)))
    for at, row in enumerate(rows):
        found = part.loc[part["row"].astype(str) == row, "value"].to_numpy(float)
        if not len(found):
            continue
        low, middle, high = np.quantile(found, (0.25, 0.5, 0.75))
        ax.plot(np.sort(found), at + panels.aside(len(found), 0.5), ".", color=panels.SKY,
                markersize=2, alpha=0.7, zorder=1)  # fmt: skip
        ax.plot([low, high], [at, at], color=panels.BLUE, linewidth=2.5, zorder=2)
        ax.plot(middle, at, "|", color=panels.VERMILION, markersize=6, markeredgewidth=1.8)
    ax.axvline(0, color="0.7", linewidth=0.8, zorder=0)
    for line in () if tests is None else tests.to_dict("records"):
        mark = stars(float(line["p"]))
        at = _place(str(line["row"]), rows)
        ax.annotate(mark, (1, at), (2, 0), xycoords=ax.get_yaxis_transform(), fontsize=7,
                    textcoords="offset points", ha="left", va="center",
                    color="0.5" if mark == "n.s." else "black")  # fmt: skip
    panels.read_across(ax)


def _place(name: str, rows: list[str]) -> int:
    if name not in rows:
        raise InputError(
            f"boxes: a test names '{name}'{nearest_name(name, rows)}, which has no box"
        )
    return rows.index(name)


def stars(p: float) -> str:
    """Return the mark of p: three stars below 0.001, two below 0.01, one below 0.05."""
    if not np.isfinite(p):
        return "?"
    return next((mark for limit, mark in _STARS if p < limit), "n.s.")


def _panel(ax: Axes, part: pd.DataFrame, rows: list[str]) -> None:
    box = {"color": panels.BLUE}
    part = part.assign(value=panels.no_rounding(part["value"].to_numpy(float)))
    for at, row in enumerate(rows):
        found = part.loc[part["row"].astype(str) == row, "value"].to_numpy(float)
        if not len(found):
            ax.annotate("no value", (at, 0.02), xycoords=("data", "axes fraction"), rotation=90,
                        ha="center", va="bottom", fontsize=8, color="0.5")  # fmt: skip
            continue
        ax.plot(at + panels.aside(len(found), 0.36), np.sort(found), ".", color=panels.SKY,
                markersize=3, alpha=0.7, zorder=1)  # fmt: skip
        ax.boxplot([found], positions=[at], widths=0.5, showfliers=False, zorder=2, boxprops=box,
                   whiskerprops=box, capprops=box,
                   medianprops={"color": panels.VERMILION, "linewidth": 2})  # fmt: skip
    panels.names_across(ax, rows, longest=5)
    ax.axhline(0, color="0.7", linewidth=0.8, zorder=0)


def _marks(ax: Axes, part: pd.DataFrame, tests: pd.DataFrame, rows: list[str]) -> None:
    """Write the stars above the boxes."""
    bottom, top = ax.get_ylim()
    step = 0.075 * (top - bottom)
    highest = part.groupby(part["row"].astype(str))["value"].max()
    for line in tests.to_dict("records"):
        name = str(line["row"])
        at = _place(name, rows)
        y = float(highest.get(name, top)) + 0.25 * step
        ax.text(at, y, stars(float(line["p"])), ha="center", va="bottom", fontsize=9)
        top = max(top, y + step)
    ax.set_ylim(bottom, top + 0.2 * step)
