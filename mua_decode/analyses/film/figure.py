"""The lag, the scores of every block beside their null, and identification over length."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mua_decode.figures import panels


def film_figure(
    lag: pd.DataFrame, scores: pd.DataFrame, null: pd.DataFrame, curve: pd.DataFrame, *, title: str
) -> Figure:
    """Draw three panels.

    Parameters
    ----------
    lag
        As :func:`mua_decode.analyses.film.lag.lag_curve` returns it.
    scores, null
        Correlations over time of single trials: columns run, block, start_s, value; of the null
        one row per shift as well.
    curve
        Single trials of :func:`mua_decode.analyses.film.identify.identification_curve`.
    title
        Printed on top.
    """
    figure, axes = panels.grid(3, (3.6, 3.0), around=(0.2, 0.6))
    _lags(axes[0], lag)
    _blocks(axes[1], scores, null)
    _lengths(axes[2], curve)
    series = list(dict.fromkeys([*scores["run"], *curve["run"]]))
    handles = [panels.mark(panels.words(s), **panels.series_style(series, s)) for s in series]
    panels.legend_below(figure, handles, min(5, len(handles)))
    panels.heading(figure, title)
    return figure


def _lags(ax: Axes, lag: pd.DataFrame) -> None:
    place, single, average = lag["lag_s"] * 1e3, "time_correlation", "average_time_correlation"
    ax.plot(place, lag[average], "o--", color=panels.BLUE, markersize=3, label="averages")
    ax.plot(place, lag[single], "o-", color=panels.BLUE, markersize=4, label="single trials")
    ax.legend(frameon=False, fontsize=7)
    ax.axhline(0, color="0.6", linewidth=0.8)
    ax.set_xlabel("lag of the spikes (ms)")
    ax.set_ylabel("r over time, ridge,\nblocks of the training part", fontsize=8)


def _blocks(ax: Axes, scores: pd.DataFrame, null: pd.DataFrame) -> None:
    series = list(dict.fromkeys(scores["run"]))
    for run in series:
        own = scores[scores["run"] == run].sort_values("start_s")
        style = panels.series_style(series, run)
        ax.plot(own["start_s"], own["value"], linewidth=1, **style)
        ring = null[null["run"] == run].groupby("start_s")["value"]
        low, high = ring.quantile(0.025), ring.quantile(0.975)
        if len(low) > 1:
            place = low.index.to_numpy(float)
            ax.fill_between(place, low, high, color=style["color"], alpha=0.12, linewidth=0)
    ax.axhline(0, color="0.6", linewidth=0.8)
    ax.set_xlabel("block of the film starts at (s)")
    ax.set_ylabel("r over time, single trials\n(band: 95 % of circular shifts)", fontsize=8)


def _lengths(ax: Axes, curve: pd.DataFrame) -> None:
    series = list(dict.fromkeys(curve["run"]))
    for run in series:
        own = curve[curve["run"] == run]
        ax.plot(own["length_s"], own["value"], linewidth=1, **panels.series_style(series, run))
    one = curve.drop_duplicates("length_s")
    ax.plot(one["length_s"], one["chance"], "--", color="0.4", label="chance")
    ax.set_xscale("log")
    ticks = list(one["length_s"])
    ax.set_xticks(ticks, [f"{t:g}" for t in ticks], minor=False)
    ax.set_xticks([], minor=True)
    ax.set_ylim(0, 1.03)
    ax.set_xlabel("length of the stretch (s)")
    ax.set_ylabel("identified, single trials\n(dashed: chance)", fontsize=8)
