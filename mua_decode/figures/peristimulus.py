"""Rates along the trial, by condition and region."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mua_decode.figures import panels

_MOST_REGIONS, _MOST_CONDITIONS = 12, 8


def peristimulus(rates: pd.DataFrame, *, title: str, unit: str = "spikes per second") -> Figure:
    """Draw a panel per region, a line per condition, and the mean of all conditions in black.

    Of more than twelve regions the first are drawn, of more than eight conditions eight spread
    evenly; title and legend say so.

    Parameters
    ----------
    rates
        Columns region, condition, time_s and rate_hz: means over trials and sites.
    unit
        Of the rates.
    """
    panels.require(rates, ("region", "condition", "time_s", "rate_hz"), "peristimulus: lacking")
    regions, conditions = (list(dict.fromkeys(rates[c])) for c in ("region", "condition"))
    places = np.linspace(0, len(conditions) - 1, min(len(conditions), _MOST_CONDITIONS)).round()
    shown = [conditions[int(p)] for p in places]
    figure, axes = panels.grid(min(len(regions), _MOST_REGIONS), (3.4, 2.6), around=(0.2, 0.8))
    colours = colormaps["turbo"](np.linspace(0.05, 0.95, len(shown)))
    styles = {
        k: {"color": colour, "linewidth": 1} for k, colour in zip(shown, colours, strict=True)
    }
    for ax, region in zip(axes, regions, strict=False):
        own = rates[rates["region"] == region]
        mean = own.groupby("time_s")["rate_hz"].mean()
        for k in shown:
            line = own[own["condition"] == k].groupby("time_s")["rate_hz"].mean()
            ax.plot(line.index, line, **styles[k])
        ax.plot(mean.index, mean, color="black", linewidth=1.8)
        ax.set_title(str(region), fontsize=10)
        ax.set_xlabel("time from the start of the trial (s)", fontsize=8)
        ax.set_ylabel(unit, fontsize=8)
        ax.set_ylim(bottom=min(0.0, float(own["rate_hz"].min())))
    handles = [Line2D([], [], label=str(k), **styles[k]) for k in shown]
    every = f"mean of all {len(conditions)} conditions"
    handles.append(Line2D([], [], color="black", linewidth=1.8, label=every))
    panels.legend_below(figure, handles, min(5, len(handles)), size=8)
    if len(regions) > _MOST_REGIONS:
        title += f"; {_MOST_REGIONS} of {len(regions)} regions"
    panels.heading(figure, title)
    return figure
