"""Responses along the preferred axis and along the principal orthogonal axis."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mua_decode.types import InputError

_PREFERRED, _ORTHOGONAL = "#D55E00", "#0072B2"  # Okabe and Ito


def axis_ramps(
    position: np.ndarray,
    preferred: np.ndarray,
    orthogonal: np.ndarray,
    *,
    names: Sequence[str],
    correlation: np.ndarray,
    tuned: np.ndarray,
    n_examples: int = 5,
    title: str = "",
) -> Figure:
    """Draw example sites and the mean over tuned sites.

    Parameters
    ----------
    position
        float (Q,): mean projection per bin, in standard deviations.
    preferred, orthogonal
        float (N, Q): mean response per bin, in spikes per second, held-out images.
    names
        N site names.
    correlation
        float (N,): held-out correlation; examples are spread evenly over its ranks.
    tuned
        bool (N,): sites that enter the examples and the mean.
    n_examples
        Number of example sites.
    title
        Printed on top.

    Raises
    ------
    InputError
        If the curves of N sites and Q bins do not fit together.
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
    figure = Figure(figsize=(2.1 * (number + 1) + 0.6, 2.7), layout="constrained")
    axes = figure.subplots(1, number + 1, squeeze=False)[0]
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
    axes[0].legend(fontsize=7, frameon=False)
    figure.supxlabel("projection of the held-out image (s.d.)", fontsize=10)
    if title:
        figure.suptitle(title, fontsize=11)
    return figure


def _curves(ax: Axes, at: np.ndarray, preferred: np.ndarray, orthogonal: np.ndarray) -> None:
    for curves, colour, label in (
        (preferred, _PREFERRED, "preferred axis"),
        (orthogonal, _ORTHOGONAL, "principal orthogonal"),
    ):
        mean = curves.mean(axis=0)
        ax.plot(at, mean, color=colour, marker="o", markersize=3, label=label)
        if len(curves) > 1:
            sem = curves.std(axis=0, ddof=1) / np.sqrt(len(curves))
            ax.fill_between(at, mean - sem, mean + sem, color=colour, alpha=0.25, linewidth=0)
    ax.tick_params(labelsize=8)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
