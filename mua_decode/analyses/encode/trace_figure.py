"""Recorded and predicted activity drawn over time, and its power over frequency."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from mua_decode.analyses.encode.bands import Band
from mua_decode.figures import panels
from mua_decode.types import InputError

_TICKS_HZ = (0.01, 0.1, 0.5, 1, 2, 5, 10, 20, 50, 100)
_STYLES: dict[str, dict[str, Any]] = {
    "recorded": {"color": "0.25", "linewidth": 1.4},
    "predicted": {"color": panels.VERMILION, "linewidth": 1.4},
}


def traces(table: pd.DataFrame, *, title: str = "") -> Figure:
    """Draw a row of panels per region, a column per rule by which a condition is chosen.

    On paper of a given width the first rules alone, as many as it has room for.

    ``table`` as of :func:`mua_decode.analyses.encode.traces.typical_traces`; ``InputError`` if it
    is empty.
    """
    if table.empty:
        raise InputError("traces: no region whose prediction and recording vary")
    regions, rules = (list(dict.fromkeys(table[c])) for c in ("region", "rule"))
    rules = rules[: panels.how_many(len(rules), 1.1, 0.4)]
    figure, axes = panels.grid(
        len(regions) * len(rules), (3.1, 1.55), around=(0.4, 0.9), n_columns=len(rules),
        sharex=True, sharey="row",
    )  # fmt: skip
    chosen = table.groupby(["region", "rule"], sort=False)
    for i, ax in enumerate(axes):
        region, rule = regions[i // len(rules)], rules[i % len(rules)]
        part = chosen.get_group((region, rule))
        for name, style in _STYLES.items():
            ax.plot(part["time_s"], part[name], label=name, **style)
        top = f"{rule}\n" if i < len(rules) else ""
        ax.tick_params(labelsize=6 if panels.width_given() and len(regions) > 6 else 10)
        ax.set_title(f"{top}{part['condition'].iloc[0]}, r = {part['r'].iloc[0]:.2f}", fontsize=8)
        ax.axhline(0, color="0.85", linewidth=0.8, zorder=0)
        ax.spines[["top", "right"]].set_visible(False)
        if i % len(rules) == 0:
            ax.set_ylabel(region)
        if i >= len(axes) - len(rules):
            ax.set_xlabel("time (s)")
    panels.legend_below(figure, axes[0].get_lines()[:2], 2)
    panels.heading(figure, title)
    return figure


def spectra(table: pd.DataFrame, *, bands: tuple[Band, ...] = (), title: str = "") -> Figure:
    """Draw the power of every region, both axes logarithmic; ends of ``bands`` are dotted.

    ``table`` as of :func:`mua_decode.analyses.encode.traces.power_spectra`.
    """
    regions = list(dict.fromkeys(table["region"]))
    figure, axes = panels.grid(
        len(regions), (3.1, 2.3), around=(0.3, 0.7), sharex=True, sharey=True
    )
    lowest, top = float(table["frequency_hz"].min()), float(table["frequency_hz"].max())
    ends = {e for b in bands for e in (b.low_hz, b.high_hz) if e is not None and e < top}
    for ax, region in zip(axes, regions, strict=True):
        part = table[table["region"] == region]
        for name, style in _STYLES.items():
            ax.plot(part["frequency_hz"], part[name], label=name, **style)
        for end in sorted(ends):
            ax.axvline(end, color="0.7", linewidth=0.8, linestyle=":", zorder=0)
        ax.set(xscale="log", yscale="log")
        ax.set_xticks([t for t in _TICKS_HZ if lowest <= t <= top])
        ax.xaxis.set_major_formatter("{x:g}")
        ax.xaxis.set_minor_formatter(NullFormatter())
        ax.set_title(region, fontsize=10)
        place = ax.get_subplotspec()
        if place is None or place.is_last_row():
            ax.set_xlabel("frequency (Hz)")
        ax.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("power (s.d.² / Hz)")
    panels.legend_below(figure, axes[0].get_lines()[:2], 2)
    panels.heading(figure, title)
    return figure
