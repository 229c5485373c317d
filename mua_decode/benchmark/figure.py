"""Time per trial of the plain writing and of our routes, and how it grows."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullFormatter, NullLocator

from mua_decode.figures import panels
from mua_decode.types import InputError

_COLOURS = ("#555555", panels.BLUE, panels.VERMILION, panels.GREEN)
_MARKERS = ("o", "s", "^", "D")
_KINDS = {
    "train_step": "training step",
    "forward_backward": "forward + backward",
    "inference": "inference",
    "latency": "one trial",
}
_AXES = {
    "sites": "sites",
    "bins": "time bins",
    "frame": "frame side (pixels)",
    "batch": "batch (trials)",
    "trials": "trials decoded at once",
}
_COLUMNS = ("kind", "route", "batch", "ms_per_trial", "spread", "ratio")


def speed(table: pd.DataFrame) -> Figure:
    """Draw the rows of ``Measured``; ``InputError`` if a column is missing or there is none.

    Kinds named ``scaling/AXIS`` are drawn against that size, one panel each.
    """
    missing = [c for c in _COLUMNS if c not in table.columns]
    if missing or table.empty:
        raise InputError(f"speed figure: missing columns {missing} or an empty table")
    scaling = [a for a in _AXES if (table["kind"] == f"scaling/{a}").any()]
    n_columns = None if panels.width_given() else min(3, 1 + len(scaling))
    figure, axes = panels.grid(1 + len(scaling), (4.2, 3.3), n_columns=n_columns)
    routes = list(dict.fromkeys(table["route"]))
    _bars(axes[0], table, routes)
    for ax, name in zip(axes[1:], scaling, strict=True):
        _lines(ax, table[table["kind"] == f"scaling/{name}"], name, routes)
    for ax in axes:
        ax.set_ylabel("ms per trial")
        ax.spines[["top", "right"]].set_visible(False)
    return figure


def _bars(ax: Axes, table: pd.DataFrame, routes: list[str]) -> None:
    kinds = [k for k in _KINDS if (table["kind"] == k).any()]
    width = 0.8 / max(1, len(routes))
    for i, route in enumerate(routes):
        for j, kind in enumerate(kinds):
            found = table[(table["kind"] == kind) & (table["route"] == route)]
            if found.empty:
                continue
            row = found.iloc[0]
            value, error = row["ms_per_trial"], row["ms_per_trial"] * row["spread"] / 2
            x = j + (i - (len(routes) - 1) / 2) * width
            label = _name(route) if j == 0 else None
            ax.bar(x, value, width * 0.92, yerr=error, color=_COLOURS[i % 4], label=label)
            text = "" if route == "baseline" else f"{row['ratio']:.1f}×"
            ax.annotate(text, (x, value + error), xytext=(0, 3), textcoords="offset points",
                        ha="center", fontsize=7)  # fmt: skip
    ax.set_xticks(range(len(kinds)), [_KINDS[k].replace(" ", "\n") for k in kinds], fontsize=8)
    ax.margins(y=0.12)
    ax.legend(frameon=False, fontsize=8)
    ax.set_title("published sizes", fontsize=10)


def _lines(ax: Axes, table: pd.DataFrame, name: str, routes: list[str]) -> None:
    column = "batch" if name in ("batch", "trials") else name
    for i, route in enumerate(routes):
        part = table[table["route"] == route].sort_values(column)
        ax.plot(part[column], part["ms_per_trial"], marker=_MARKERS[i % 4], markersize=4,
                color=_COLOURS[i % 4], label=_name(route))  # fmt: skip
    ax.set(xscale="log", yscale="log", xlabel=_AXES[name])
    ax.xaxis.set_major_locator(FixedLocator([float(v) for v in sorted(set(table[column]))]))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter("{x:g}")
    ax.yaxis.set_major_formatter("{x:g}")
    ax.yaxis.set_minor_formatter(NullFormatter())
    low, high = float(table["ms_per_trial"].min()), float(table["ms_per_trial"].max())
    ticks = [t * 10.0**e for e in range(-2, 6) for t in (1, 2, 5)]
    ax.yaxis.set_major_locator(FixedLocator([t for t in ticks if low / 2 < t < high * 2]))
    kind = "decoding" if name == "trials" else "training step"
    ax.set_title(f"{kind}, {_AXES[name].split(' (')[0]}", fontsize=10)


def _name(route: str) -> str:
    return "plain" if route == "baseline" else f"ours, {route}"
