"""One colour and marker for the decoder, its floors and its ceiling in every figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mua_decode.figures.panels import BLACK, BLUE, GREEN, ORANGE, PINK, SKY, VERMILION, YELLOW

_KNOWN = {
    "decoder": (VERMILION, "o"),
    "ceiling": (GREEN, "v"),
    "ridge": (BLUE, "s"),
    "lookup": (SKY, "D"),
    "mean_video": (BLACK, "x"),
    "noise": (PINK, "P"),
    "single_trial": (BLUE, "o"),
    "trial_average": (ORANGE, "D"),
}
_OTHERS = ((PINK, "^"), (ORANGE, "P"), (YELLOW, "X"), (GREEN, "<"), (BLACK, "*"))


def series_style(series: Sequence[str], name: str) -> dict[str, Any]:
    """Colour and marker of one of the ``series`` drawn together, whose order tells others apart.

    ``floor/`` and the like before a name are dropped.
    """
    short = name.split("/")[0] if name.startswith("ceiling") else name.rsplit("/", 1)[-1]
    if short in _KNOWN:
        colour, marker = _KNOWN[short]
    else:
        others = [s for s in series if s.rsplit("/", 1)[-1] not in _KNOWN]
        colour, marker = _OTHERS[others.index(name) % len(_OTHERS)]
    return {"color": colour, "marker": marker, "markersize": 5.5}
