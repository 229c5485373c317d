"""Axis-tuned sites: responses along their axes, and how many there are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mua_decode.figures import panels
from mua_decode.types import InputError

_COLOURS = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")  # Okabe and Ito
_NEEDED = ("space", "region", "share_tuned", "share_low", "share_high", "n_sites")


def axis_ramps(
    position: np.ndarray,
    preferred: np.ndarray,
    orthogonal: np.ndarray,
    *,
    names: Sequence[str],
    correlation: np.ndarray,
    tuned: np.ndarray,
    n_examples: int = 5,
    title: str,
) -> Figure:
    """Draw example sites and the mean over tuned sites.

    ``position`` (Q,) is the mean projection per bin in standard deviations, ``preferred`` and
    ``orthogonal`` (N, Q) the mean response per bin to held-out images in spikes per second.
    Examples are spread evenly over the ranks of the held-out ``correlation`` (N,); sites that are
    ``tuned``, bool (N,), enter them and the mean. Raises InputError if the curves of N sites and Q
    bins do not fit together.
    """
    if preferred.shape != orthogonal.shape or preferred.shape != (len(names), len(position)):
        raise InputError(
            f"axis ramps: curves must be ({len(names)}, {len(position)}), found "
            f"{preferred.shape} and {orthogonal.shape}"
        )
    chosen = np.flatnonzero(tuned) if tuned.any() else np.arange(len(names))
    chosen = chosen[np.argsort(-np.nan_to_num(correlation[chosen]), kind="stable")]
    number = min(n_examples, len(chosen))
    picks = chosen[np.linspace(0, len(chosen) - 1, number).round().astype(int)]
    n_columns = None if panels.width_given() else number + 1
    figure, axes = panels.grid(number + 1, (2.1, 2.7), around=(0.6, 0), n_columns=n_columns)
    for ax, site in zip(axes, picks, strict=False):
        _curves(ax, position, preferred[site : site + 1], orthogonal[site : site + 1])
        ax.set_title(f"{names[site]}, r = {correlation[site]:.2f}", fontsize=9)
    mean = preferred[chosen].mean(axis=1, keepdims=True)
    sd = preferred[chosen].std(axis=1, keepdims=True)
    sd = np.where(sd > 0, sd, 1)
    _curves(axes[-1], position, (preferred[chosen] - mean) / sd, (orthogonal[chosen] - mean) / sd)
    kind = "tuned sites" if tuned.any() else "sites, none tuned"
    axes[-1].set_title(f"mean of {len(chosen)} {kind}", fontsize=9)
    axes[-1].set_ylabel("z-scored response")
    axes[0].set_ylabel("spikes/s")
    if not panels.width_given():
        axes[0].legend(fontsize=7, frameon=False)
    below = "projection of the held-out image (s.d.)"
    if panels.width_given():
        handles = axes[0].get_legend_handles_labels()[0]
        panels.legend_below(figure, handles, 2, note=below, size=8)
    else:
        figure.supxlabel(below, fontsize=10)
    figure.suptitle(title, fontsize=11)
    return figure


def _curves(ax: Axes, at: np.ndarray, preferred: np.ndarray, orthogonal: np.ndarray) -> None:
    for curves, colour, label in (
        (preferred, _COLOURS[0], "preferred axis"),
        (orthogonal, _COLOURS[1], "principal orthogonal"),
    ):
        mean = curves.mean(axis=0)
        ax.plot(at, mean, color=colour, marker="o", markersize=3, label=label)
        if len(curves) > 1:
            sem = curves.std(axis=0, ddof=1) / np.sqrt(len(curves))
            ax.fill_between(at, mean - sem, mean + sem, color=colour, alpha=0.25, linewidth=0)
    ax.tick_params(labelsize=8)
    ax.spines[["top", "right"]].set_visible(False)


def tuning_shares(shares: pd.DataFrame, sites: pd.DataFrame, *, title: str) -> Figure:
    """Draw shares with their intervals, and the distribution of held-out correlations.

    ``shares`` has one row per feature space and region: ``space``, ``region``, ``share_tuned``,
    ``share_low``, ``share_high`` (95 % interval), ``n_sites`` (visually responsive); ``sites`` one
    per space and site: ``space``, ``region``, ``heldout_correlation``. Raises InputError if a
    column is missing.
    """
    missing = [c for c in _NEEDED if c not in shares]
    if missing:
        raise InputError(f"tuning shares: the table lacks {', '.join(missing)}")
    spaces = list(dict.fromkeys(shares["space"]))
    regions = [r for r in dict.fromkeys(shares["region"]) if r != "all"]
    width = 0.8 / len(spaces)
    wide = 1.3 + 1.1 * max(1, len(regions))
    figure, places = panels.side_by_side(((wide, 3.2), (wide, 3.2)), extra=(0.3, 0))
    (place, left), (_, right) = places
    for i, space in enumerate(spaces):
        colour = _COLOURS[i % len(_COLOURS)]
        at = np.arange(len(regions)) + width * (i - (len(spaces) - 1) / 2)
        rows = shares[shares["space"] == space].set_index("region").loc[regions]
        value = rows["share_tuned"].to_numpy(float)
        error = np.stack([value - rows["share_low"], rows["share_high"] - value]).clip(min=0)
        left.bar(at, value, width * 0.9, color=colour, label=space.replace("_", " "))
        left.errorbar(at, value, error, fmt="none", color="0.2", capsize=3)
        for x, region in zip(at, regions, strict=True):
            mine = sites[(sites["space"] == space) & (sites["region"] == region)]
            r = np.sort(mine["heldout_correlation"].dropna().to_numpy(float))
            spread = x + width * 0.7 * (np.modf(np.arange(len(r)) * 0.618)[0] - 0.5)
            right.plot(spread, r, ".", color=colour, markersize=3, alpha=0.6)
            if len(r):
                right.hlines(np.median(r), x - width / 2, x + width / 2, color="0.1", linewidth=2)
    sizes = shares[shares["space"] == spaces[0]].set_index("region")["n_sites"]
    for ax in (left, right):
        ax.set_xticks(range(len(regions)), [f"{r}\n{int(sizes[r])} sites" for r in regions])
        ax.spines[["top", "right"]].set_visible(False)
    left.set(ylim=(0, 1.05), ylabel="share of axis-tuned sites, 95 % CI")
    panels.legend(place, left, frameon=True, fontsize=8, loc="lower center")
    right.axhline(0, color="0.6", linewidth=0.8)
    right.set_ylabel("held-out correlation (line: median)")
    figure.suptitle(title, fontsize=11)
    return figure
