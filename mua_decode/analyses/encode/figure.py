"""Predicted activity: every site against its noise ceiling, every region beside its bounds."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mua_decode.figures import panels
from mua_decode.types import InputError, ResultTable, only, region_of

_COLOURS = (
    panels.VERMILION, panels.BLUE, panels.GREEN, panels.PINK, panels.ORANGE, panels.SKY,
    panels.BLACK,
)  # fmt: skip
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
_MOST_INSIDE = 8  # regions whose legend stands inside the panel
_NEEDED = ("region", "encoder_r_trial_average", "noise_ceiling_trial_average")
_METRIC = "encoding_r_region"
_BESIDE = {  # runs drawn beside the bar: label, marker, place
    "floor/time_course": ("time course alone (floor)", "v", 0.12),
    "floor/condition_mean": ("training mean of the condition (floor)", "D", 0.26),
    "ceiling/split_half": ("noise ceiling", "_", 0.0),
    "chance/noise_videos": ("noise videos, central 95 %", "x", -0.22),
}


def encoding(table: ResultTable, sites: pd.DataFrame, *, title: str = "") -> Figure:
    """Draw sites against their noise ceiling, and regions with floors, ceilings and chance.

    Parameters
    ----------
    table
        Rows of metric ``encoding_r_region`` (trial averages, one mask per region) of runs
        ``encoder``, floors, ceilings and chance, with ``_low`` and ``_high``. ``InputError`` if it
        has no region to draw.
    sites
        One row per site: ``region``, ``encoder_r_trial_average``,
        ``noise_ceiling_trial_average`` (NaN: not reliable).
    """
    panels.require(sites, _NEEDED, "encoding: the table of sites lacks")
    frame = table.frame
    rows = frame[(frame["trial"] == "trial_average") & (frame["condition"] == "all")]
    rows = rows[rows["metric"].str.startswith(_METRIC)]
    own = rows[(rows["run"] == "encoder") & (rows["metric"] == _METRIC)]
    regions = [region_of(mask) for mask in own["mask"]]
    if not regions:
        raise InputError(f"encoding: no row of metric '{_METRIC}' for run 'encoder'")
    width = max(3.2, 1.6 + 0.75 * len(regions))
    sizes = ((max(4.0, 7.2 - width), 4.6), (width, 4.6))
    lines = 0.2 * math.ceil(len(regions) / 3)
    figure, places = panels.side_by_side(sizes, extra=(lines, 0.9))
    (_, left), (_, right) = places
    legends = _sites(left, sites, regions), _regions(right, rows, regions)
    for (place, ax), handles in zip(places, legends, strict=True):
        ax.spines[["top", "right"]].set_visible(False)
        if panels.width_given():
            panels.legend_below(place, handles, 6 if ax is left else 2, size=8)
        elif ax is left and len(regions) <= _MOST_INSIDE:
            ax.legend(handles=handles, fontsize=8, frameon=False, loc="upper left",
                      handletextpad=0.3)  # fmt: skip
        else:
            ax.legend(handles=handles, fontsize=8, frameon=False, loc="upper center",
                      bbox_to_anchor=(0.5, -0.14), ncols=5 if ax is left else 2,
                      handletextpad=0.5)  # fmt: skip
    panels.heading(figure, title)
    return figure


def _sites(ax: Axes, sites: pd.DataFrame, regions: list[str]) -> list[Any]:
    r = sites["encoder_r_trial_average"].to_numpy(float)
    ceiling = sites["noise_ceiling_trial_average"].to_numpy(float)
    low = min(-0.1, float(np.nanmin(r, initial=0)) - 0.05)
    ax.plot([0, 1], [0, 1], color="0.6", linewidth=1, zorder=0)
    ax.annotate("ceiling", (0.62, 0.62), (-4, 3), textcoords="offset points", rotation=45,
                color="0.45", fontsize=8, ha="center", rotation_mode="anchor")  # fmt: skip
    ax.axhline(0, color="0.8", linewidth=0.8, zorder=0)
    n = len(_COLOURS)
    for i, region in enumerate(regions):  # told apart by pairs where colours come again
        colour, marker = _COLOURS[i % n], _MARKERS[(i + i // n) % n]
        mine = (sites["region"] == region).to_numpy()
        style: dict[str, Any] = {"color": colour, "marker": marker, "ms": 4.5, "ls": "none"}
        label = f"{region} ({mine.sum()})"
        ax.plot(ceiling[mine], r[mine], alpha=0.75, label=label, markeredgewidth=0, **style)
        lost = mine & np.isnan(ceiling)
        # Sites without a ceiling stand to the left of the axis, spread a little.
        at = -0.09 + panels.aside(lost.sum(), 0.05)
        ax.plot(at, r[lost], markerfacecolor="none", **style)
    ticks: list[float] = [0, 0.25, 0.5, 0.75, 1]
    names = [f"{t:g}" for t in ticks]
    ax.set(xlim=(-0.02, 1.02), ylim=(low, 1.02))
    if np.isnan(ceiling).any():
        ax.axvline(-0.04, color="0.8", linewidth=0.8, linestyle=":")
        ax.set_xlim(left=-0.14)
        ticks, names = [-0.09, *ticks], ["not\nreliable", *names]
    ax.set_xticks(ticks, names)
    ax.set_xlabel("noise ceiling of the site, √reliability")
    ax.set_ylabel("r of predicted and recorded activity")
    ax.set_title("sites, averages over trials", fontsize=10)
    return ax.get_legend_handles_labels()[0]


def _regions(ax: Axes, rows: pd.DataFrame, regions: list[str]) -> list[Any]:
    x = np.arange(len(regions))
    value, low, high = _values(rows, "encoder", regions)
    ax.bar(x, value, 0.72, color=panels.SKY, label="encoding model, 95 % CI over conditions")
    ax.errorbar(x, value, panels.reach(value, low, high), fmt="none", color="0.15", capsize=3)
    for run, (label, marker, shift) in _BESIDE.items():
        value, low, high = _values(rows, run, regions)
        if not np.isfinite(value).any():
            continue
        if marker == "_":
            ax.hlines(value, x - 0.36, x + 0.36, color=panels.GREEN, linewidth=2.5, label=label)
        elif run.startswith("chance"):
            bars = panels.reach(value, low, high)
            ax.errorbar(x + shift, value, bars, color=panels.VERMILION, fmt=marker, label=label)
        else:
            ax.plot(x + shift, value, linestyle="none", color="0.15", marker=marker,
                    markerfacecolor="white" if marker == "D" else "0.15", markersize=5.5,
                    label=label)  # fmt: skip
    ax.axhline(0, color="0.3", linewidth=0.8)
    ax.set_xticks(x, regions)
    if len(regions) > _MOST_INSIDE:
        ax.tick_params(axis="x", rotation=90, labelsize=8)
    ax.set_ylim(top=1.04)
    ax.set_ylabel("r over time × conditions")
    ax.set_title("regions, averages over sites and trials", fontsize=10)
    ax.grid(axis="y", alpha=0.3)
    ax.set_axisbelow(True)
    return ax.get_legend_handles_labels()[0]


def _values(rows: pd.DataFrame, run: str, regions: list[str]) -> np.ndarray:
    """Value, low and high end of the interval of every region (3, G), NaN where there is none."""
    mine = rows[rows["run"] == run].set_index(["metric", "mask"])["value"]
    wanted = [(_METRIC + end, only(name)) for end in ("", "_low", "_high") for name in regions]
    return mine.reindex(wanted).to_numpy(float).reshape(3, -1)
