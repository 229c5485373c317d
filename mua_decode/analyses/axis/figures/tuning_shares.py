"""Share of axis-tuned sites per region and feature space, and held-out correlations."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mua_decode.types import InputError

_COLOURS = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_NEEDED = ("space", "region", "share_tuned", "share_low", "share_high", "n_sites")


def tuning_shares(shares: pd.DataFrame, sites: pd.DataFrame, *, title: str = "") -> Figure:
    """Draw shares with their intervals, and the distribution of held-out correlations.

    Parameters
    ----------
    shares
        One row per feature space and region: ``space``, ``region``, ``share_tuned``,
        ``share_low``, ``share_high`` (95 % interval), ``n_sites`` (visually responsive).
    sites
        One row per space and site: ``space``, ``region``, ``heldout_correlation``.
    title
        Printed on top.

    Raises
    ------
    InputError
        If a column is missing.
    """
    missing = [c for c in _NEEDED if c not in shares]
    if missing:
        raise InputError(f"tuning shares: the table lacks {', '.join(missing)}")
    spaces = list(dict.fromkeys(shares["space"]))
    regions = [r for r in dict.fromkeys(shares["region"]) if r != "all"]
    width = 0.8 / len(spaces)
    figure = Figure(figsize=(2.6 + 2.2 * max(1, len(regions)), 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
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
        for side in ("top", "right"):
            ax.spines[side].set_visible(False)
    left.set_ylim(0, 1.05)
    left.set_ylabel("share of axis-tuned sites, 95 % CI")
    left.legend(fontsize=8, loc="lower center")
    right.axhline(0, color="0.6", linewidth=0.8)
    right.set_ylabel("held-out correlation (line: median)")
    if title:
        figure.suptitle(title, fontsize=11)
    return figure
