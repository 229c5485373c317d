"""Write a figure to disk, whole or not at all."""

from __future__ import annotations

import re
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.text import Text

from mua_decode.files import whole

# What matplotlib itself writes beside logarithmic axes.
_POWER = re.compile(r"\$\\mathdefault\{[^$]*\}\$")


def save(figure: Figure, path: Path) -> Path:
    """Save ``figure`` as PNG, PDF or SVG by the suffix of ``path`` and return the path."""
    take_literally(figure)
    with whole(path) as partial:
        figure.savefig(partial, dpi=130, bbox_inches="tight")
    return path


def take_literally(figure: Figure) -> None:
    """Have every text drawn sign by sign: names may hold dollar signs, and are no formulas."""
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            axis.get_ticklabels()  # makes them, which are otherwise made as they are drawn
    for text in figure.findobj(Text):
        if isinstance(text, Text) and not _POWER.fullmatch(text.get_text()):
            text.set_parse_math(False)
