"""Whether a decoder is right as often as it says."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mua_decode.figures import panels

_COVERAGE = ("pixels", "condition", "nominal", "covered", "gaussian")
_CURVE = ("kept", "accuracy", "confidence")


def reliability(coverage: pd.DataFrame, curve: pd.DataFrame, *, title: str = "") -> Figure:
    """Draw nominal against counted coverage, and accuracy against the share of trials kept.

    Raises InputError if a column is missing.

    Parameters
    ----------
    coverage
        Rows of ``coverage.csv``: ``pixels``, ``condition``, ``nominal``, ``covered``, ``gaussian``.
    curve
        Rows of ``confidence.csv``: ``kept``, ``accuracy``, ``confidence``.
    """
    panels.require(coverage, _COVERAGE, "reliability: coverage lacks")
    panels.require(curve, _CURVE, "reliability: the curve lacks")
    figure, axes = panels.side_by_side(((4.0, 3.7), (4.0, 3.7)), extra=(1.3, 0.6))
    legends = (_covered(axes[0][1], coverage), _kept(axes[1][1], curve))
    for (place, ax), handles in zip(axes, legends, strict=True):
        if panels.width_given():
            panels.legend_below(place, handles, 2, size=8)
        else:
            ax.legend(handles=handles, loc="lower right", fontsize=7, frameon=False)
    panels.heading(figure, title)
    return figure


def _covered(ax: Axes, coverage: pd.DataFrame) -> list[Line2D]:
    varying = coverage[coverage["pixels"] == "varying"]
    whole = varying[varying["condition"] == "all"].sort_values("nominal")
    everywhere = coverage[(coverage["pixels"] == "all") & (coverage["condition"] == "all")]
    everywhere = everywhere.sort_values("nominal")
    each = varying[varying["condition"] != "all"].groupby("nominal")["covered"]
    ends = each.agg(["min", "max"])
    ax.plot([0, 1], [0, 1], color="0.6", linewidth=1)
    ax.vlines(ends.index, ends["min"], ends["max"], color=panels.VERMILION, alpha=0.35, linewidth=6)
    ax.plot(whole["nominal"], whole["gaussian"], "^:", color=panels.BLUE, markersize=5)
    ax.plot(everywhere["nominal"], everywhere["covered"], "s--", color="0.3", markersize=4)
    ax.plot(whole["nominal"], whole["covered"], "o-", color=panels.VERMILION, markersize=5.5)
    ax.set(xlim=(0.4, 1), ylim=(-0.02, 1.02), xlabel="nominal coverage of the interval",
           ylabel="pixels inside it")  # fmt: skip
    _finish(ax)
    return [
        Line2D([], [], color=panels.VERMILION, marker="o", label="calibrated, pixels that vary"),
        panels.spread_mark(6),
        Line2D([], [], color="0.3", marker="s", linestyle="--", label="calibrated, all pixels"),
        Line2D([], [], color=panels.BLUE, marker="^", linestyle=":", label="Gaussian, as stated"),
        Line2D([], [], color="0.6", label="as often as it says"),
    ]


def _kept(ax: Axes, curve: pd.DataFrame) -> list[Line2D]:
    ax.plot(curve["kept"], curve["accuracy"], "o-", color=panels.VERMILION, markersize=5)
    ax.plot(curve["kept"], curve["confidence"], "^:", color=panels.BLUE, markersize=5)
    lost = 1.02 - min(curve["accuracy"].min(), curve["confidence"].min())
    ax.set(xlim=(0, 1.03), ylim=(max(0.0, 1.02 - 1.15 * lost), 1 + 0.05 * lost))
    ax.set(xlabel="share of trials kept, surest first", ylabel="identified right")
    _finish(ax)
    return [
        Line2D([], [], color=panels.VERMILION, marker="o", label="identified"),
        Line2D([], [], color=panels.BLUE, marker="^", linestyle=":", label="mean confidence"),
    ]


def _finish(ax: Axes) -> None:
    ax.grid(alpha=0.3)
    ax.spines[["top", "right"]].set_visible(False)
