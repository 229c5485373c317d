"""Perceived or imagined? Accuracy by number of sites."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure


def reality_curve(table: pd.DataFrame, *, title: str = "") -> Figure:
    """Draw accuracy over the number of sites.

    Parameters
    ----------
    table
        ``n_sites``, ``accuracy``, ``sd_over_subsets``, ``null_95``, one row per number.
    title
        Printed on top.
    """
    figure = Figure(figsize=(4.4, 3.2), layout="constrained")
    ax = figure.subplots()
    n, accuracy = table["n_sites"], table["accuracy"]
    ax.fill_between(
        n,
        accuracy - table["sd_over_subsets"],
        (accuracy + table["sd_over_subsets"]).clip(upper=1),
        color="#D55E00",
        alpha=0.25,
        linewidth=0,
        label="s.d. over subsets",
    )
    ax.plot(n, accuracy, color="#D55E00", marker="o", markersize=4, label="decoder")
    ax.plot(n, table["null_95"], color="0.4", linestyle="--", label="95 % of permutations")
    ax.axhline(0.5, color="0.6", linewidth=0.8)
    ax.set_xscale("log", base=2)
    ax.set_xticks(n, [str(v) for v in n])
    ax.minorticks_off()
    ax.set_ylim(0.4, 1.02)
    ax.set_xlabel("number of sites")
    ax.set_ylabel("perceived or imagined, accuracy")
    ax.legend(frameon=False, fontsize=8, loc="lower right")
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    if title:
        ax.set_title(title, fontsize=11)
    return figure
