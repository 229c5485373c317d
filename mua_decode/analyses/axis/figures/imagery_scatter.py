"""Perception against imagery, site by site."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from mua_decode.types import InputError


def imagery_scatter(
    projected: np.ndarray,
    imagined: np.ndarray,
    *,
    reactivated: np.ndarray,
    correlation: np.ndarray,
    scale: np.ndarray,
    title: str = "",
) -> Figure:
    """Draw imagined responses against the axis, the correlations and the scale of the response.

    Parameters
    ----------
    projected, imagined
        float (O, N), spikes per second: what the axis measured in perception predicts for each
        imagined object, and the mean imagined response.
    reactivated
        bool (N,): sites drawn in colour.
    correlation
        float (N,): imagined response and projection over objects.
    scale
        float (N,): imagined over perceived response.
    title
        Printed on top.

    Raises
    ------
    InputError
        If the shapes do not fit.
    """
    if projected.shape != imagined.shape or projected.shape[1:] != reactivated.shape:
        raise InputError(
            f"imagery scatter: found projections {projected.shape}, responses {imagined.shape} "
            f"and {reactivated.shape} sites"
        )
    figure = Figure(figsize=(10.5, 3.3), layout="constrained")
    cloud, history, sizes = figure.subplots(1, 3)
    for mask, colour, label, marker in (
        (~reactivated, "0.7", "other sites", "."),
        (reactivated, "#D55E00", "reactivated, tuned", "."),
    ):
        x = projected[:, mask] - projected[:, mask].mean(axis=0)
        y = imagined[:, mask] - imagined[:, mask].mean(axis=0)
        cloud.plot(x.ravel(), y.ravel(), marker, color=colour, markersize=3, alpha=0.5, label=label)
        history.hist(
            correlation[mask], bins=np.linspace(-1, 1, 21), color=colour, alpha=0.7, label=label
        )
    low, high = cloud.get_xlim()
    cloud.plot([low, high], [low, high], color="0.4", linewidth=0.8, linestyle=":", label="equal")
    cloud.set_xlabel("perception: projection on the axis,\nspikes/s about the site's mean")
    cloud.set_ylabel("imagery: response,\nspikes/s about the site's mean")
    cloud.legend(fontsize=7, frameon=False)
    history.set_xlabel("imagined response and projection, r over objects")
    history.set_ylabel("sites")
    finite = scale[reactivated & np.isfinite(scale)]
    sizes.hist(np.clip(finite, -1, 2), bins=np.linspace(-1, 2, 31), color="#D55E00")
    sizes.axvline(1, color="0.4", linestyle=":", linewidth=0.8)
    if len(finite):
        sizes.axvline(float(np.median(finite)), color="0.1", linewidth=1.5)
    sizes.set_xlabel("imagined over perceived response\n(line: median, dotted: equal)")
    sizes.set_ylabel("reactivated sites")
    for ax in (cloud, history, sizes):
        for side in ("top", "right"):
            ax.spines[side].set_visible(False)
    if title:
        figure.suptitle(title, fontsize=11)
    return figure
