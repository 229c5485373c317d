"""Accuracy of identification against the number of candidates."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from mua_decode.figures import panels

_COLUMNS = ("method", "candidates", "accuracy", "low", "high", "chance", "n", "n_unit")


def identification_curve(curve: pd.DataFrame, *, of: str) -> Figure:
    """Draw one line per method with 95 % intervals, and chance; columns as ``curve.csv``.

    ``of`` says what one response is.
    """
    panels.require(curve, _COLUMNS, "identification curve")
    figure, (ax,) = panels.grid(1, (4.2, 3.2), around=(1.2, 1.2))
    methods = list(dict.fromkeys(curve["method"]))
    for name, line in curve.groupby("method", sort=False):
        ax.errorbar(
            line["candidates"], line["accuracy"],
            yerr=[line["accuracy"] - line["low"], line["high"] - line["accuracy"]],
            label=str(name), linewidth=1.3, elinewidth=1, capsize=2,
            **panels.series_style(methods, str(name)),
        )  # fmt: skip
    chance = curve.drop_duplicates("candidates").sort_values("candidates")
    ax.plot(chance["candidates"], chance["chance"], "k:", linewidth=1, label="chance")
    ax.set_xscale("log", base=2)
    ax.set_xticks(chance["candidates"], [str(c) for c in chance["candidates"]])
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_ylim(0, 1)
    ax.set_xlabel("candidates")
    ax.set_ylabel(f"share of {of} identified")
    ax.grid(alpha=0.3)
    ax.spines[["top", "right"]].set_visible(False)
    panels.legend_below(figure, ax.get_legend_handles_labels()[0], 3)
    row = curve.iloc[0]
    panels.heading(figure, f"Never shown; bars: 95 % over {row['n']} {row['n_unit']}")
    return figure
