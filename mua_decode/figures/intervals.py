"""Bars with intervals, and lines they are to be held against."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mua_decode.figures import panels
from mua_decode.types import InputError

COLUMNS = ("row", "metric", "value", "low", "high", "unit")
LINE_COLUMNS = ("metric", "label", "value")
_LEAST_OF_INTERVAL = 3  # of two values it is a dozen times their distance
_LINES = ((panels.VERMILION, "--"), (panels.BLACK, ":"), (panels.GREEN, "-."))


def intervals(
    scores: pd.DataFrame, *, lines: pd.DataFrame | None = None, title: str = "", note: str = ""
) -> Figure:
    """Draw one panel per metric, one bar per row (a region) with its interval.

    Raises InputError if columns are missing, there is nothing to draw, or there are too many lines.

    Parameters
    ----------
    scores
        Columns ``row``, ``metric``, ``value``, ``low`` and ``high`` (ends of the 95 % interval,
        NaN: none), ``unit``, and ``n`` where it is known: an interval over fewer than 3 says no
        more than that, and n is written in its place.
    lines
        Columns ``metric``, ``label``, ``value``: horizontal lines, at most three labels. For
        Shapley values the line "all of these regions minus none" is what the bars add up to.
    """
    panels.require(scores, COLUMNS, "intervals: the scores lack")
    if lines is None:
        lines = pd.DataFrame(columns=list(LINE_COLUMNS))
    panels.require(lines, LINE_COLUMNS, "intervals: the lines lack")
    if not np.isfinite(scores["value"].to_numpy(float)).any():
        raise InputError("intervals: no value to draw")
    labels = list(dict.fromkeys(lines["label"].astype(str)))
    if len(labels) > len(_LINES):
        raise InputError(f"intervals: at most {len(_LINES)} lines, found {', '.join(labels)}")
    if "n" in scores:
        told = scores["n"].to_numpy(float) >= _LEAST_OF_INTERVAL
        scores = scores.assign(low=scores["low"].where(told), high=scores["high"].where(told))
    rows = list(dict.fromkeys(scores["row"].astype(str)))
    metrics = list(dict.fromkeys(scores["metric"]))
    wide = 0.45 * len(rows) + 1.4
    # Panels that are squeezed to the width asked for keep some of their height.
    size = (wide, 2.6 * min(1.8, wide / panels.how_wide(wide)))
    figure, axes = panels.grid(len(metrics), size, around=(0, 1.2 if note else 0.9))
    known: dict[str, Artist] = {}
    for ax, metric in zip(axes, metrics, strict=True):
        _panel(ax, scores[scores["metric"] == metric], rows, str(metric))
        for line in lines[lines["metric"] == metric].to_dict("records"):
            colour, style = _LINES[labels.index(str(line["label"]))]
            at = float(panels.no_rounding(np.array([line["value"]]))[0])
            ax.axhline(at, color=colour, linestyle=style, label=str(line["label"]))
        handles, names = ax.get_legend_handles_labels()
        known |= dict(zip(names, handles, strict=True))
    if known or note:
        panels.legend_below(figure, list(known.values()), len(known), note=note, size=8)
    panels.heading(figure, title)
    return figure


def _panel(ax: Axes, part: pd.DataFrame, rows: list[str], metric: str) -> None:
    part = part.assign(row=part["row"].astype(str))
    if part["row"].duplicated().any():
        raise InputError(f"intervals: a row of '{metric}' comes twice")
    at = np.array([rows.index(r) for r in part["row"]], float)
    numbers = panels.no_rounding(part[["value", "low", "high"]].to_numpy(float))
    value, low, high = numbers.T
    ax.bar(at, value, 0.7, color=panels.BLUE, alpha=0.75)
    known = np.isfinite(low) & np.isfinite(high) & np.isfinite(value)
    if known.any():
        bars = panels.reach(value, low, high)[:, known]
        ax.errorbar(at[known], value[known], bars, fmt="none", color="0.15", capsize=3,
                    label="95 % interval")  # fmt: skip
    ax.axhline(0, color="0.4", linewidth=0.8)
    few = part[part["n"] < _LEAST_OF_INTERVAL] if "n" in part else part.iloc[:0]
    if len(few):
        said = ", ".join(f"{n:g}" for n in sorted(set(few["n"])))
        ax.set_title(f"n = {said}: no interval", fontsize=8, color="0.35")
    panels.names_across(ax, rows, longest=4)
    ax.set_ylabel(panels.metric_axis(metric, part))
    if np.nan_to_num(numbers).any():
        ax.margins(y=0.12)
    else:  # bars of no height leave an axis no length
        ax.set_ylim(-0.05, 0.05)
