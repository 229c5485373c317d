"""A number for every pair of two things, such as region and segment, as coloured cells."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mua_decode.figures import panels
from mua_decode.types import InputError

COLUMNS = ("row", "column", "value")


def heatmap(scores: pd.DataFrame, *, label: str, title: str = "", note: str = "") -> Figure:
    """Draw coloured cells with their numbers, in colours that part at zero.

    Raises InputError if a column is missing, a cell comes twice, or there is no number.

    Parameters
    ----------
    scores
        Columns ``row``, ``column``, ``value``, one line per cell, in the order to be drawn. Pairs
        that are not there, and NaN, are left grey and crossed.
    label
        What the colour shows, with its unit.
    """
    panels.require(scores, COLUMNS, "heatmap: the scores lack")
    if scores.duplicated(["row", "column"]).any():
        raise InputError("heatmap: a pair of row and column comes twice")
    rows, columns = (list(dict.fromkeys(scores[c].astype(str))) for c in ("row", "column"))
    values = np.full((len(rows), len(columns)), np.nan)
    for line in scores.to_dict("records"):
        at = rows.index(str(line["row"])), columns.index(str(line["column"]))
        values[at] = float(line["value"])
    if not np.isfinite(values).any():
        raise InputError("heatmap: no number to draw")
    size = (0.95 * len(columns) + 2.4, 0.55 * len(rows) + (1.6 if note else 1.3))
    figure, (ax,) = panels.grid(1, size)
    values = panels.no_rounding(values)
    most = float(np.nanmax(np.abs(values))) or 1.0
    image = ax.imshow(values, cmap="PuOr_r", vmin=-most, vmax=most, aspect="auto")
    _cells(ax, values, most)
    ax.set_xticks(range(len(columns)), [panels.words(c) for c in columns])
    if max(map(len, columns)) > 11:
        ax.tick_params(axis="x", rotation=30)
    ax.set_yticks(range(len(rows)), [panels.words(r) for r in rows])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    figure.colorbar(image, ax=ax, label=label, shrink=0.95)
    panels.heading(figure, title, note)
    return figure


def _cells(ax: Axes, values: np.ndarray, most: float) -> None:
    """Write every number in black or white, whichever can be read on its colour."""
    for (i, j), value in np.ndenumerate(values):
        if not np.isfinite(value):
            ax.fill_between([j - 0.5, j + 0.5], i - 0.5, i + 0.5, facecolor="0.93", hatch="//",
                            edgecolor="0.7", linewidth=0)  # fmt: skip
            continue
        red, green, blue, _ = colormaps["PuOr_r"]((value + most) / (2 * most))
        dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.5
        written = f"{value:.3g}" if abs(value) > panels.NOTHING * most else "0"
        ax.text(j, i, written, ha="center", va="center", fontsize=8.5,
                color="white" if dark else "black")  # fmt: skip
