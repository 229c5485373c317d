"""Distributions over conditions as boxes, with what a test says of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mua_decode.figures.series import LABELS, panel_grid
from mua_decode.types import InputError, nearest_name

COLUMNS = ("row", "metric", "value", "unit")
TEST_COLUMNS = ("row", "metric", "p")
_BOX, _POINT = "#0072B2", "#56B4E9"  # Okabe and Ito
_STARS = ((0.001, "***"), (0.01, "**"), (0.05, "*"))


def boxes(
    values: pd.DataFrame, *, tests: pd.DataFrame | None = None, title: str = "", note: str = ""
) -> Figure:
    """Draw one panel per metric and one box per row (a region), every value as a point.

    The box reaches from the first to the third quartile with a line at the median, whiskers to
    the last value within 1.5 box lengths.

    Parameters
    ----------
    values
        Columns ``row``, ``metric``, ``value``, ``unit``; one line per value (a condition), rows
        and metrics in the order to be drawn. NaN is left out.
    tests
        Columns ``row``, ``metric``, ``p`` (corrected): drawn above the box as ``***`` (p < 0.001),
        ``**`` (< 0.01), ``*`` (< 0.05) or ``n.s.``; with a column ``other`` (another row) above a
        bracket from one box to the other.
    title
        Printed on top.
    note
        Printed below: n, test and correction.

    Raises
    ------
    InputError
        If columns are missing, there is nothing to draw, or a test names an unknown row.
    """
    _require(values, COLUMNS, "boxes: the values")
    if tests is not None:
        _require(tests, TEST_COLUMNS, "boxes: the tests")
    values = values[np.isfinite(values["value"].to_numpy(float))]
    if values.empty:
        raise InputError("boxes: no value to draw")
    rows = [str(r) for r in dict.fromkeys(values["row"])]
    metrics = list(dict.fromkeys(values["metric"]))
    n_rows, n_columns = panel_grid(len(metrics))
    figure = Figure(
        figsize=((0.55 * len(rows) + 1.3) * n_columns, 3.2 * n_rows + (0.7 if note else 0.4)),
        layout="constrained",
    )
    axes = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
    for ax in axes[len(metrics) :]:
        ax.set_visible(False)
    for ax, metric in zip(axes, metrics, strict=False):
        part = values[values["metric"] == metric]
        _panel(ax, part, rows)
        unit = str(part["unit"].iloc[0])
        name = LABELS.get(str(metric), str(metric).replace("_", " "))
        ax.set_ylabel(name + (f" ({unit})" if unit not in ("", "1", "nan", "None") else ""))
        if tests is not None:
            _marks(ax, part, tests[tests["metric"] == metric], rows)
    if title:
        figure.suptitle(title, fontsize=11)
    if note:
        figure.supxlabel(note, fontsize=8, color="0.35")
    return figure


def stars(p: float) -> str:
    """Return the mark of p: three stars below 0.001, two below 0.01, one below 0.05."""
    if not np.isfinite(p):
        return "?"
    return next((mark for limit, mark in _STARS if p < limit), "n.s.")


def _require(frame: pd.DataFrame, columns: Sequence[str], what: str) -> None:
    missing = [c for c in columns if c not in frame.columns]
    if missing:
        raise InputError(f"{what} lack {', '.join(missing)}")


def _panel(ax: Axes, part: pd.DataFrame, rows: list[str]) -> None:
    for at, row in enumerate(rows):
        found = part.loc[part["row"].astype(str) == row, "value"].to_numpy(float)
        if not len(found):
            ax.annotate("no value", (at, 0.02), xycoords=("data", "axes fraction"), rotation=90,
                        ha="center", va="bottom", fontsize=8, color="0.5")  # fmt: skip
            continue
        # Points side by side in a fixed order: the same values give the same picture.
        aside = 0.36 * (np.modf(np.arange(len(found)) * 0.618)[0] - 0.5)
        ax.plot(at + aside, np.sort(found), ".", color=_POINT, markersize=3, alpha=0.7, zorder=1)
        ax.boxplot(
            [found],
            positions=[at],
            widths=0.5,
            showfliers=False,
            boxprops={"color": _BOX},
            whiskerprops={"color": _BOX},
            capprops={"color": _BOX},
            medianprops={"color": "#D55E00", "linewidth": 2},
            zorder=2,
        )
    ax.set_xticks(range(len(rows)), [r.replace("_", " ") for r in rows])
    if max(map(len, rows)) > 5:
        ax.tick_params(axis="x", rotation=40)
    ax.set_xlim(-0.6, len(rows) - 0.4)
    ax.axhline(0, color="0.7", linewidth=0.8, zorder=0)
    ax.spines[["top", "right"]].set_visible(False)


def _marks(ax: Axes, part: pd.DataFrame, tests: pd.DataFrame, rows: list[str]) -> None:
    """Write the stars above the boxes, brackets of pairs above those, short ones first."""
    bottom, top = ax.get_ylim()
    step = 0.075 * (top - bottom)
    highest = part.groupby(part["row"].astype(str))["value"].max()
    pairs = []
    for line in tests.to_dict("records"):
        at = _place(line["row"], rows)
        other = line.get("other")
        if isinstance(other, str) and other:
            pairs.append((*sorted((at, _place(other, rows))), float(line["p"])))
        else:
            y = float(highest.get(rows[at], top)) + 0.25 * step
            ax.text(at, y, stars(float(line["p"])), ha="center", va="bottom", fontsize=9)
            top = max(top, y + step)
    level = top
    for left, right, p in sorted(pairs, key=lambda pair: (pair[1] - pair[0], pair[0])):
        ax.plot([left, left, right, right], [level, level + step / 4, level + step / 4, level],
                color="0.3", linewidth=0.9)  # fmt: skip
        ax.text(
            (left + right) / 2, level + step / 4, stars(p), ha="center", va="bottom", fontsize=9
        )
        level += 1.5 * step
    ax.set_ylim(bottom, max(level, top) + 0.2 * step)


def _place(row: object, rows: list[str]) -> int:
    if str(row) not in rows:
        raise InputError(f"boxes: a test names '{row}'{nearest_name(row, rows)}, which has no box")
    return rows.index(str(row))
