"""Forms that figures share: colours, names, panels, axes, headings, legends."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D

from mua_decode.figures.style import TALLEST_MM, current_style
from mua_decode.types import InputError

# Okabe and Ito: told apart without red or green.
BLACK = "#000000"
ORANGE = "#E69F00"
SKY = "#56B4E9"
GREEN = "#009E73"
YELLOW = "#F0E442"
BLUE = "#0072B2"
VERMILION = "#D55E00"
PINK = "#CC79A7"

_LEAST_INCHES = 0.8  # of a panel that is squeezed so that all fit on a page
_MOST_INCHES = 14.0  # of panels side by side: three with a box for each of six regions
NOTHING = 1e-12  # of values that should be zeros, what rounding leaves
LABELS = {"mse": "MSE, lower is better", "psnr": "PSNR", "ssim": "SSIM"}
_IDENTIFIED = {"identification": "condition identified"}
_SERIES = {
    "decoder": (VERMILION, "o"),
    "ceiling": (GREEN, "v"),
    "ridge": (BLUE, "s"),
    "lookup": (SKY, "D"),
    "posterior": (YELLOW, "p"),
    "mean_video": (BLACK, "x"),
    "noise": (PINK, "P"),
    "single_trial": (BLUE, "o"),
    "trial_average": (ORANGE, "D"),
}
_OTHERS = ((PINK, "^"), (ORANGE, "P"), (YELLOW, "X"), (GREEN, "<"), (BLACK, "*"))


def require(frame: pd.DataFrame, columns: Iterable[str], what: str) -> None:
    """Raise ``InputError`` with the names of columns that are not there, after ``what``."""
    missing = [c for c in columns if c not in frame.columns]
    if missing:
        raise InputError(f"{what} {', '.join(missing)}")


def metrics_with_values(scores: pd.DataFrame, columns: Iterable[str], what: str) -> list[str]:
    """Metrics in their order; ``InputError`` if columns are missing or no value is known."""
    missing = [c for c in columns if c not in scores.columns]
    if missing or scores["value"].notna().sum() == 0:
        raise InputError(f"{what}: nothing to draw, missing columns {missing}")
    known = scores.groupby("metric", sort=False)["value"].count()
    return [str(metric) for metric in known.index[known > 0]]


def words(name: object) -> str:
    """Return a name as it is read: spaces for underscores."""
    return str(name).replace("_", " ")


def with_unit(name: str, unit: object, *, gap: str = " ") -> str:
    """Return ``name (unit)``, the name alone where the unit is 1 or unknown."""
    return name + (f"{gap}({unit})" if str(unit) not in ("", "1", "nan", "None") else "")


def metric_axis(metric: object, part: pd.DataFrame, *, gap: str = " ") -> str:
    """Return a metric's name with the unit that its rows have."""
    name = (LABELS | _IDENTIFIED).get(str(metric), words(metric).replace("/", ", "))
    return with_unit(name, part["unit"].iloc[0], gap=gap)


def series_style(series: Sequence[str], name: str) -> dict[str, Any]:
    """One colour and marker for the decoder, its floors and its ceiling in every figure.

    Others differ by their order among the ``series`` drawn together; ``floor/`` and the like
    before a name are dropped.
    """
    short = name.split("/")[0] if name.startswith("ceiling") else name.rsplit("/", 1)[-1]
    if short in _SERIES:
        colour, marker = _SERIES[short]
    else:
        others = [s for s in series if s.rsplit("/", 1)[-1] not in _SERIES]
        colour, marker = _OTHERS[others.index(name) % len(_OTHERS)]
    return {"color": colour, "marker": marker, "markersize": 5.5}


def grid(
    n: int,
    size: tuple[float, float],
    *,
    around: tuple[float, float] = (0.0, 0.0),
    n_columns: int | None = None,
    **shared: Any,
) -> tuple[Figure, list[Axes]]:
    """Make a figure of n panels.

    Parameters
    ----------
    size, around
        Width and height in inches of one panel, and of what stands around all of them.
    n_columns
        By default as many as stand side by side.
    **shared
        ``sharex``, ``sharey`` of ``Figure.subplots``.
    """
    columns = n_columns or columns_of(n, size, around)
    rows = math.ceil(n / columns)
    wide, room = size[0] * columns + around[0], current_style().room_inch
    if room is not None and n_columns is None and columns > beside(size[0], around[0]):
        wide = room  # squeezed, as high as they were
    inches = (wide, size[1] * rows + around[1])
    figure = Figure(figsize=inches, layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, **shared).ravel()
    for ax in axes[n:]:
        ax.set_visible(False)
    return figure, list(axes[:n])


Place = tuple[Figure | SubFigure, Axes]
"""Where a panel's legend goes, and the panel."""


def side_by_side(
    sizes: Sequence[tuple[float, float]], *, extra: Sequence[float]
) -> tuple[Figure, list[Place]]:
    """Make a figure of unlike panels, each with a place of its own for a legend below it.

    Parameters
    ----------
    sizes
        Width and height in inches of every panel. Side by side they all are as high as the highest;
        where the width that is asked for has no room for that, they stand below each other.
    extra
        Inches that every legend adds to the height where a width is asked for.
    """
    widths, heights = zip(*sizes, strict=True)
    room = current_style().room_inch
    if room is None:
        figure = Figure(figsize=(sum(widths), max(heights)), layout="constrained")
        axes = figure.subplots(1, len(sizes), width_ratios=widths)
        return figure, [(figure, ax) for ax in axes]
    tall = [h + e for h, e in zip(heights, extra, strict=True)]
    if room >= 0.75 * sum(widths):
        figure = Figure(figsize=(room, max(tall)), layout="constrained")
        places = figure.subfigures(1, len(sizes), squeeze=False, width_ratios=widths)
    else:
        figure = Figure(figsize=(room, sum(tall)), layout="constrained")
        places = figure.subfigures(len(sizes), 1, squeeze=False, height_ratios=tall)
    return figure, [(place, place.subplots()) for place in places.ravel()]


def columns_of(n: int, size: tuple[float, float], around: tuple[float, float]) -> int:
    """How many columns n panels of a size stand in; ``size``, ``around`` as in :func:`grid`.

    As many as stand side by side, and more where they would be taller than a page.
    """
    columns = math.ceil(n / math.ceil(n / beside(size[0], around[0])))
    style = current_style()
    if style.width_mm is None or style.room_inch is None:
        return columns
    tallest, fit = TALLEST_MM / style.width_mm, columns
    most = min(n, int((style.room_inch - around[0]) / _LEAST_INCHES))
    while columns < most:
        wide = style.room_inch if columns > fit else size[0] * columns + around[0]
        if size[1] * math.ceil(n / columns) + around[1] <= tallest * wide:
            break
        columns += 1
    return columns


def beside(width: float, around: float = 0.0) -> int:
    """How many panels so wide stand side by side: three at most, and no wider than the page.

    The page is the width that is asked for (:class:`.FigureStyle`); a panel may be squeezed a
    little to fit it.
    """
    room = current_style().room_inch
    fit = int(_MOST_INCHES / width) if room is None else round((room - around) / width)
    return max(1, min(3, fit))


def width_given() -> bool:
    """Whether figures are drawn for a given width: legends then stand outside the panels."""
    return current_style().width_mm is not None


def how_wide(most: float) -> float:
    """Inches of a panel ``most`` inches wide on paper of the width that is asked for."""
    room = current_style().room_inch
    return most if room is None else min(most, room)


def how_many(most: int, width: float, around: float = 0.0, *, least: int = 1) -> int:
    """How many things so wide the width that is asked for has room for; ``most`` without one."""
    room = current_style().room_inch
    return most if room is None else min(most, max(least, int((room - around) / width)))


def no_rounding(values: np.ndarray) -> np.ndarray:
    """Values, zeros where all of them are what rounding leaves of zeros."""
    known = values[np.isfinite(values)]
    return 0.0 * values if len(known) and np.abs(known).max() < NOTHING else values


def heading(figure: Figure, title: str, note: str = "") -> None:
    """Print the title on top, and below what n, test and correction are."""
    if title:
        figure.suptitle(title, fontsize=11)
    if note:
        figure.supxlabel(note, fontsize=8, color="0.35")


def names_down(ax: Axes, names: Sequence[str]) -> None:
    """Name rows at y = 0, 1, ... from top to bottom."""
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.5, -0.5)


def names_across(ax: Axes, names: Sequence[str], *, longest: int) -> None:
    """Name boxes or bars at x = 0, 1, ...; names of more than ``longest`` signs are turned."""
    ax.set_xticks(range(len(names)), [words(n) for n in names])
    if max(map(len, names)) > longest:
        ax.tick_params(axis="x", rotation=40)
    ax.set_xlim(-0.6, len(names) - 0.4)
    ax.spines[["top", "right"]].set_visible(False)


def read_across(ax: Axes) -> None:
    """Leave of an axis with named rows what helps to read values along x."""
    ax.grid(axis="x", alpha=0.3)
    ax.tick_params(axis="y", length=0)
    ax.spines[["top", "right", "left"]].set_visible(False)


def mark(label: str, **style: Any) -> Line2D:
    """Return a mark alone for a legend."""
    return Line2D([], [], linestyle="none", label=label, **style)


def spread(ax: Axes, values: np.ndarray, at: float, *, colour: str, width: float) -> None:
    """Draw a bar at y = ``at`` from the lowest to the highest value."""
    ends = [values.min(), values.max()]
    ax.plot(ends, [at, at], color=colour, alpha=0.35, linewidth=width)


def spread_mark(width: float) -> Line2D:
    """Return what ``spread`` over conditions is in a legend."""
    label = "lowest to highest condition"
    return Line2D([], [], color="0.3", alpha=0.35, linewidth=width, label=label)


def legend_below(
    figure: Figure | SubFigure,
    handles: Sequence[Any],
    n_columns: int,
    *,
    note: str = "",
    size: float = 10,
) -> None:
    """Put the legend of all panels below them, in letters of ``size`` points, ``note`` above it."""
    longest = max((len(str(h.get_label())) for h in handles), default=0)
    # Inches of letters, sample and the space between; these two do not shrink with letters.
    entry = (0.55 * longest + 4.5 * 10 / (current_style().font_size or 10)) * size / 72
    room = current_style().room_inch
    if room is not None and entry > room:  # the longest of them alone is wider than the figure
        size *= room / entry
    columns = how_many(max(1, n_columns), entry)
    more = math.ceil(len(handles) / columns) - math.ceil(len(handles) / max(1, n_columns))
    if more > 0 and isinstance(figure, Figure):  # lines that the height of panels does not pay for
        width, height = figure.get_size_inches()
        figure.set_size_inches(width, height + more * 1.6 * size / 72)
    figure.legend(
        handles=handles, loc="outside lower center", ncols=columns,
        frameon=False, fontsize=size, title=note, title_fontsize=size,
    )  # fmt: skip


def legend(place: Figure | SubFigure, ax: Axes, *, n_columns: int = 2, **inside: Any) -> None:
    """Put a panel's legend inside it, below its ``place`` where a width is asked for."""
    if width_given():
        legend_below(place, ax.get_legend_handles_labels()[0], n_columns, size=8)
    else:
        ax.legend(**{"frameon": False, **inside})


def aside(n: int, width: float) -> np.ndarray:
    """Places (n,) within ``width`` about 0, in a fixed order: the same values, the same picture."""
    return width * (np.modf(np.arange(n) * 0.618)[0] - 0.5)


def reach(value: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Lengths (2, n) of error bars from the ends of intervals, 0 where there is none."""
    return np.nan_to_num(np.stack([value - low, high - value]).clip(min=0))
