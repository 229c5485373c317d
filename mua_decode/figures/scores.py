"""The decoder beside its floors and its ceiling."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mua_decode.figures import panels
from mua_decode.types import InputError, ResultTable, nearest_name

# From top to bottom; other runs stand where the empty name does, the floors from strong to weak.
_ORDER = ("ceiling", "decoder", "", "posterior", "ridge", "lookup", "mean_video")
_COLOURS = {"decoder": panels.VERMILION, "ceiling": panels.GREEN}  # floors are blue
_MARKERS = {"single_trial": ("o", True), "trial_average": ("D", False)}


def scores(table: ResultTable, *, split: str = "test", title: str = "") -> Figure:
    """Draw one panel per metric with one row per run; the mean over conditions and their range.

    Of whole videos, no region masked. Raises InputError if the table has no such row of the split.

    Parameters
    ----------
    table
        Results of the decoder, its floors and its ceiling, one row per condition and metric
        (rows of condition ``"all"`` are used where a run has no others).
    """
    rows = table.frame[table.frame["split"] == split]
    rows = rows[(rows["segment"] == "all") & (rows["mask"] == "none")]
    if rows.empty:
        known = list(dict.fromkeys(table.frame["split"].astype(str)))
        raise InputError(
            f"scores: no row with split '{split}'{nearest_name(split, known)}, segment 'all' and "
            f"mask 'none'; splits found: {', '.join(known) or 'an empty table'}"
        )
    names = list(dict.fromkeys(rows["metric"]))
    runs = list(dict.fromkeys(rows["run"]))
    runs.sort(key=lambda run: _ORDER.index(_kind(run) if _kind(run) in _ORDER else ""))
    size = (3.2, 0.42 * len(runs) + 1.0)
    most = min(panels.beside(3.2, 1.2), len(names))
    n_columns = None if panels.width_given() else most
    figure, axes = panels.grid(
        len(names), size, around=(1.2, 0.9), n_columns=n_columns, sharey=True
    )
    for ax, name in zip(axes, names, strict=True):
        _panel(ax, rows[rows["metric"] == name], runs, name)
    panels.names_down(axes[0], [panels.words(r) for r in runs])
    panels.legend_below(figure, _legend(rows), most)
    place = f"{split}, segment: all"
    panels.heading(figure, f"{title} ({place})" if title else place)
    return figure


def _kind(run: str) -> str:
    """``ceiling``, ``decoder``, or which floor it is."""
    return "ceiling" if run.startswith("ceiling") else run.removeprefix("floor/")


def _panel(ax: Axes, rows: pd.DataFrame, runs: list[str], metric: str) -> None:
    averagings = [t for t in _MARKERS if (rows["trial"] == t).any()]
    averagings += [t for t in dict.fromkeys(rows["trial"]) if t not in _MARKERS]
    for y, run in enumerate(runs):
        for i, trial in enumerate(averagings):
            part = rows[(rows["run"] == run) & (rows["trial"] == trial)]
            single = part[part["condition"] != "all"]
            values = (part if single.empty else single)["value"].to_numpy(float)
            values = values[np.isfinite(values)]
            if not len(values):
                continue
            at = y + 0.24 * (i - (len(averagings) - 1) / 2)
            colour = _COLOURS.get(_kind(run), panels.BLUE)
            marker, filled = _MARKERS.get(trial, ("s", True))
            panels.spread(ax, values, at, colour=colour, width=4)
            face = colour if filled else "white"
            ax.plot(values.mean(), at, marker=marker, color=colour, mfc=face, markersize=6)
    units = rows["unit"].dropna()
    name = panels.LABELS.get(metric, panels.words(metric))
    ax.set_xlabel(panels.with_unit(name, units.iloc[0] if len(units) else ""))
    ax.margins(x=0.08)
    panels.read_across(ax)


def _legend(rows: pd.DataFrame) -> list[Line2D]:
    handles = []
    for trial in dict.fromkeys(rows["trial"]):
        marker, filled = _MARKERS.get(trial, ("s", True))
        face = "0.3" if filled else "white"
        label = f"{panels.words(trial)}, mean over conditions"
        handles.append(panels.mark(label, marker=marker, color="0.3", mfc=face))
    return [*handles, panels.spread_mark(4)]
