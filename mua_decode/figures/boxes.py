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
_STARS = ((0.001, "***"), (0.01, "**"), (0.05, "*"))


def boxes(
    values: pd.DataFrame, *, tests: pd.DataFrame | None = None, title: str = "", note: str = ""
) -> Figure:
    """Draw one panel per metric and one box per row (a region), every value as a point.

    The box reaches from the first to the third quartile with a line at the median, whiskers to the
    last value within 1.5 box lengths. Raises InputError if columns are missing, there is nothing to
    draw, or a test names an unknown row.

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
        if name not in rows:
            near = nearest_name(name, rows)
            raise InputError(f"boxes: a test names '{name}'{near}, which has no box")
        y = float(highest.get(name, top)) + 0.25 * step
        ax.text(rows.index(name), y, stars(float(line["p"])), ha="center", va="bottom", fontsize=9)
        top = max(top, y + step)
    ax.set_ylim(bottom, top + 0.2 * step)
