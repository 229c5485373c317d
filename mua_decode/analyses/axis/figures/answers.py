"""Predicted against answered: images made for sites beside the best of the library."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mua_decode.figures import panels
from mua_decode.types import InputError

# Okabe and Ito
_LOOKS = {
    "library": ("library, held out", "0.65", "o"),
    "orthogonal": ("made along the orthogonal axis", "#0072B2", "s"),
    "synthesised": ("made along the axis", "#D55E00", "^"),
}


def answered_images(images: pd.DataFrame, sites: pd.DataFrame, *, title: str) -> Figure:
    """Draw answers against predictions, and by how much images made exceed the library's best.

    ``images`` has ``kind``, ``predicted_hz`` and ``answered_hz``, a row per site and image;
    ``sites`` ``answered_library_best`` and, where such images were made, ``answered_synthesised``
    and ``answered_orthogonal``. Raises InputError if a column is missing.
    """
    needed = {"kind", "predicted_hz", "answered_hz"} - set(images)
    if needed or "answered_library_best" not in sites:
        missing = sorted(needed) or ["answered_library_best"]
        raise InputError(f"answered images: the table lacks {missing[0]}")
    figure, places = panels.side_by_side(((4.75, 4.0), (4.75, 4.0)), extra=(0.6, 0.5))
    cloud, order = (ax for _, ax in places)
    for kind, (label, colour, marker) in _LOOKS.items():
        some = images[images["kind"].str.startswith(kind)]
        if len(some):
            cloud.plot(
                some["predicted_hz"],
                some["answered_hz"],
                marker,
                color=colour,
                markersize=4,
                alpha=0.7,
                markeredgewidth=0,
                label=label,
            )
    values = images[["predicted_hz", "answered_hz"]].to_numpy(float)
    ends = [float(np.nanmin(values)), float(np.nanmax(values))]
    cloud.plot(ends, ends, color="0.3", linewidth=0.8, linestyle=":", label="equal")
    cloud.set(xlabel="predicted, spikes/s", ylabel="answered, spikes/s")
    panels.legend(places[0][0], cloud, fontsize=7)
    best = sites["answered_library_best"].to_numpy(float)
    for kind in ("orthogonal", "synthesised"):
        if f"answered_{kind}" not in sites:
            continue
        label, colour, marker = _LOOKS[kind]
        above = np.sort(sites[f"answered_{kind}"].to_numpy(float) - best)
        share = f"{(above > 0).sum()} of {len(above)} beyond"
        order.plot(
            np.arange(1, len(above) + 1),
            above,
            marker,
            color=colour,
            markersize=4,
            label=f"{label}: {share}",
        )
    order.axhline(0, color="0.3", linewidth=0.8, linestyle=":")
    order.set(
        xlabel="sites, each sorted", ylabel="answer less that to the best\nlibrary image, spikes/s"
    )
    panels.legend(places[1][0], order, n_columns=1, fontsize=7)
    for ax in (cloud, order):
        ax.spines[["top", "right"]].set_visible(False)
    figure.suptitle(title, fontsize=11)
    return figure
