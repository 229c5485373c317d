"""Bars with intervals, and lines they are to be held against."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mua_decode.figures.series import LABELS, panel_grid
from mua_decode.types import InputError

COLUMNS = ("row", "metric", "value", "low", "high", "unit")
LINE_COLUMNS = ("metric", "label", "value")
_COLOUR = "#0072B2"  # Okabe and Ito
_LINES = (("#D55E00", "--"), ("#000000", ":"), ("#009E73", "-."))


def intervals(
    scores: pd.DataFrame,
    *,
    lines: pd.DataFrame | None = None,
    interval: str = "95 % interval",
    title: str = "",
    note: str = "",
) -> Figure:
    """Draw one panel per metric, one bar per row (a region) with its interval.

    Parameters
    ----------
    scores
        Columns ``row``, ``metric``, ``value``, ``low``, ``high`` (NaN: no interval), ``unit``.
    lines
        Columns ``metric``, ``label``, ``value``: horizontal lines, at most three labels. For
        Shapley values the line "all regions minus none" is what the bars add up to.
    interval
        What the intervals are, for the legend.
    title
        Printed on top.
    note
        Printed below: n, test and correction.

    Raises
    ------
    InputError
        If columns are missing, there is nothing to draw, or there are too many lines.
    """
    for frame, columns, what in ((scores, COLUMNS, "scores"), (lines, LINE_COLUMNS, "lines")):
        missing = [c for c in columns if frame is not None and c not in frame.columns]
        if missing:
            raise InputError(f"intervals: the {what} lack {', '.join(missing)}")
    if not np.isfinite(scores["value"].to_numpy(float)).any():
        raise InputError("intervals: no value to draw")
    labels = [] if lines is None else list(dict.fromkeys(lines["label"].astype(str)))
    if len(labels) > len(_LINES):
        raise InputError(f"intervals: at most {len(_LINES)} lines, found {', '.join(labels)}")
    rows = list(dict.fromkeys(scores["row"].astype(str)))
    metrics = list(dict.fromkeys(scores["metric"]))
    n_rows, n_columns = panel_grid(len(metrics))
    figure = Figure(
        figsize=((0.45 * len(rows) + 1.4) * n_columns, 2.6 * n_rows + (1.2 if note else 0.9)),
        layout="constrained",
    )
    axes = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
    for ax, metric in zip(axes, metrics, strict=False):
        _panel(ax, scores[scores["metric"] == metric], rows, str(metric), interval)
        if lines is not None:
            for line in lines[lines["metric"] == metric].to_dict("records"):
                colour, style = _LINES[labels.index(str(line["label"]))]
                ax.axhline(line["value"], color=colour, linestyle=style, label=str(line["label"]))
    for ax in axes[len(metrics) :]:
        ax.set_visible(False)
    known: dict[str, Artist] = {}
    for ax in axes[: len(metrics)]:
        handles, names = ax.get_legend_handles_labels()
        known |= dict(zip(names, handles, strict=True))
    if known or note:
        figure.legend(
            handles=list(known.values()), labels=list(known), loc="outside lower center",
            ncols=max(1, len(known)), frameon=False, fontsize=8, title=note, title_fontsize=8,
        )  # fmt: skip
    if title:
        figure.suptitle(title, fontsize=11)
    return figure


def _panel(ax: Axes, part: pd.DataFrame, rows: list[str], metric: str, interval: str) -> None:
    part = part.assign(row=part["row"].astype(str))
    if part["row"].duplicated().any():
        raise InputError(f"intervals: a row of '{metric}' comes twice")
    at = np.array([rows.index(r) for r in part["row"]], float)
    value, low, high = (part[c].to_numpy(float) for c in ("value", "low", "high"))
    ax.bar(at, value, 0.7, color=_COLOUR, alpha=0.75)
    known = np.isfinite(low) & np.isfinite(high) & np.isfinite(value)
    if known.any():
        reach = np.stack([value - low, high - value])[:, known].clip(min=0)
        ax.errorbar(
            at[known], value[known], reach, fmt="none", color="0.15", capsize=3, label=interval
        )
    ax.axhline(0, color="0.4", linewidth=0.8)
    ax.set_xticks(range(len(rows)), [r.replace("_", " ") for r in rows])
    if max(map(len, rows)) > 4:
        ax.tick_params(axis="x", rotation=40)
    ax.set_xlim(-0.6, len(rows) - 0.4)
    unit = str(part["unit"].iloc[0])
    name = LABELS.get(metric, metric.replace("_", " "))
    ax.set_ylabel(name + (f" ({unit})" if unit not in ("", "1", "nan", "None") else ""))
    ax.margins(y=0.12)
    ax.spines[["top", "right"]].set_visible(False)
