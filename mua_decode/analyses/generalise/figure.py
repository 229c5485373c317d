"""Scores against the amount of data."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from mua_decode.figures.series import LABELS, series_style
from mua_decode.types import InputError

COLUMNS = ("axis", "x", "series", "metric", "value", "low", "high", "unit")


def learning_curve(scores: pd.DataFrame, *, title: str = "", bars: str = "") -> Figure:
    """Draw one row of panels per metric, one column per kind of data, one line per series.

    Parameters
    ----------
    scores
        Columns ``axis`` (what is varied, the label of the x axis: "sites"), ``x`` (its number),
        ``series``, ``metric``, ``value``, ``low`` and ``high`` (ends of a bar, NaN: none) and
        ``unit``.
    title
        Printed on top.
    bars
        What the bars show, for the title.

    Raises
    ------
    InputError
        If columns are missing or there is nothing to draw.
    """
    missing = [c for c in COLUMNS if c not in scores.columns]
    if missing or scores["value"].notna().sum() == 0:
        raise InputError(f"learning curve: nothing to draw, missing columns {missing}")
    kinds = list(dict.fromkeys(scores["axis"]))
    series = list(dict.fromkeys(scores["series"]))
    metrics = [m for m, part in scores.groupby("metric", sort=False) if part["value"].notna().any()]
    figure = Figure(
        figsize=(2.9 * len(kinds) + 1.2, 2.1 * len(metrics) + 1.1), layout="constrained"
    )
    axes = figure.subplots(len(metrics), len(kinds), squeeze=False, sharey="row", sharex="col")
    for i, metric in enumerate(metrics):
        for j, kind in enumerate(kinds):
            ax = axes[i, j]
            part = scores[(scores["metric"] == metric) & (scores["axis"] == kind)]
            for name, line in part.sort_values("x").groupby("series", sort=False):
                style = series_style(series, str(name))
                bar = [line["value"] - line["low"], line["high"] - line["value"]]
                has_bar = bool(line["low"].notna().any())
                ax.errorbar(
                    line["x"],
                    line["value"],
                    yerr=bar if has_bar else None,
                    linewidth=1.3,
                    elinewidth=1,
                    label=str(name).replace("_", " "),
                    **style,
                )
            ticks = sorted(set(part["x"]))
            if ticks and ticks[0] > 0:
                ax.set_xscale("log", base=2)
                ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
                ax.xaxis.set_minor_locator(NullLocator())
            ax.set_xticks(ticks)
            ax.grid(alpha=0.3)
            ax.spines[["top", "right"]].set_visible(False)
        unit = str(scores[scores["metric"] == metric]["unit"].iloc[0])
        name = LABELS.get(str(metric), str(metric).replace("_", " ")).replace(", ", ",\n")
        axes[i, 0].set_ylabel(name + (f"\n({unit})" if unit not in ("", "1", "nan") else ""))
    for j, kind in enumerate(kinds):
        axes[-1, j].set_xlabel(kind)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)
    figure.suptitle(f"{title}; bars: {bars}" if bars else title, fontsize=11)
    return figure
