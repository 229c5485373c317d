"""One colour and marker for the decoder, its floors and its ceiling in every figure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

LABELS = {
    "mse": "MSE, lower is better",
    "psnr": "PSNR",
    "ssim": "SSIM",
    "identification": "condition identified",
}

# Okabe and Ito.
_KNOWN = {
    "decoder": ("#D55E00", "o"),
    "ceiling": ("#009E73", "v"),
    "ridge": ("#0072B2", "s"),
    "lookup": ("#56B4E9", "D"),
    "mean_video": ("#000000", "x"),
    "noise": ("#CC79A7", "P"),
    "single_trial": ("#0072B2", "o"),
    "trial_average": ("#E69F00", "D"),
}
_OTHERS = (("#CC79A7", "^"), ("#E69F00", "P"), ("#F0E442", "X"), ("#009E73", "<"), ("#000000", "*"))


def series_style(series: Sequence[str], name: str) -> dict[str, Any]:
    """Colour and marker of one of the series drawn together; ``floor/`` and the like are dropped.

    Parameters
    ----------
    series
        All names drawn together, in order.
    name
        One of them.
    """
    short = name.split("/")[0] if name.startswith("ceiling") else name.rsplit("/", 1)[-1]
    if short in _KNOWN:
        colour, marker = _KNOWN[short]
    else:
        others = [s for s in series if s.rsplit("/", 1)[-1] not in _KNOWN]
        colour, marker = _OTHERS[others.index(name) % len(_OTHERS)]
    return {"color": colour, "marker": marker, "markersize": 5.5}


def panel_grid(n: int) -> tuple[int, int]:
    """Rows and columns of n panels, three side by side at most: wider ones are read on no page."""
    n_rows = math.ceil(n / 3)
    return n_rows, math.ceil(n / n_rows)
