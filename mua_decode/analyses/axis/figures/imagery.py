"""Perception against imagery: site by site, and told apart by the population."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mua_decode.figures import panels
from mua_decode.types import InputError

_COLOUR = "#D55E00"  # Okabe and Ito


def imagery_scatter(
    projected: np.ndarray,
    imagined: np.ndarray,
    *,
    reactivated: np.ndarray,
    correlation: np.ndarray,
    scale: np.ndarray,
    title: str,
) -> Figure:
    """Draw imagined responses against the axis, the correlations and the scale of the response.

    ``projected`` is what the axis measured in perception predicts for each imagined object and
    ``imagined`` the mean imagined response, float (O, N) in spikes per second; ``correlation`` is
    theirs over objects and ``scale`` imagined over perceived response, float (N,). ``reactivated``
    sites, bool (N,), are drawn in colour. Raises InputError if the shapes do not fit.
    """
    if projected.shape != imagined.shape or projected.shape[1:] != reactivated.shape:
        raise InputError(
            f"imagery scatter: found projections {projected.shape}, responses {imagined.shape} "
            f"and {reactivated.shape} sites"
        )
    figure, (cloud, history, sizes) = panels.grid(3, (3.5, 3.3))
    for mask, colour, label in (
        (~reactivated, "0.7", "other sites"),
        (reactivated, _COLOUR, "reactivated, tuned"),
    ):
        x = projected[:, mask] - projected[:, mask].mean(axis=0)
        y = imagined[:, mask] - imagined[:, mask].mean(axis=0)
        cloud.plot(x.ravel(), y.ravel(), ".", color=colour, markersize=3, alpha=0.5, label=label)
        history.hist(correlation[mask], np.linspace(-1, 1, 21).tolist(), color=colour, alpha=0.7)
    low, high = cloud.get_xlim()
    cloud.plot([low, high], [low, high], color="0.4", linewidth=0.8, linestyle=":", label="equal")
    cloud.set_xlabel("perception: projection on the axis,\nspikes/s about the site's mean")
    cloud.set_ylabel("imagery: response,\nspikes/s about the site's mean")
    panels.legend(figure, cloud, n_columns=3, fontsize=7)
    history.set(xlabel="imagined response and projection, r over objects", ylabel="sites")
    finite = scale[reactivated & np.isfinite(scale)]
    sizes.hist(np.clip(finite, -1, 2), bins=np.linspace(-1, 2, 31).tolist(), color=_COLOUR)
    sizes.axvline(1, color="0.4", linestyle=":", linewidth=0.8)
    if len(finite):
        sizes.axvline(float(np.median(finite)), color="0.1", linewidth=1.5)
    sizes.set_xlabel("imagined over perceived response\n(line: median, dotted: equal)")
    sizes.set_ylabel("reactivated sites")
    for ax in (cloud, history, sizes):
        ax.spines[["top", "right"]].set_visible(False)
    figure.suptitle(title, fontsize=11)
    return figure


def reality_curve(table: pd.DataFrame, *, title: str) -> Figure:
    """Draw accuracy over the number of sites.

    Of ``table``: ``n_sites``, ``accuracy``, ``sd_over_subsets``, ``null_95``, one row per number.
    """
    figure, (ax,) = panels.grid(1, (4.4, 3.2))
    n, accuracy, sd = table["n_sites"], table["accuracy"], table["sd_over_subsets"]
    low, high, label = accuracy - sd, (accuracy + sd).clip(upper=1), "s.d. over subsets"
    ax.fill_between(n, low, high, color=_COLOUR, alpha=0.25, linewidth=0, label=label)
    ax.plot(n, accuracy, color=_COLOUR, marker="o", markersize=4, label="decoder")
    ax.plot(n, table["null_95"], color="0.4", linestyle="--", label="95 % of permutations")
    ax.axhline(0.5, color="0.6", linewidth=0.8)
    ax.set_xscale("log", base=2)
    ax.set_xticks(n, [str(v) for v in n])
    ax.minorticks_off()
    ax.set(ylim=(0.4, 1.02), xlabel="number of sites", ylabel="perceived or imagined, accuracy")
    panels.legend(figure, ax, fontsize=8, loc="lower right")
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_title(title, fontsize=11)
    return figure
