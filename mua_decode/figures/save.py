"""Write a figure to disk, whole or not at all."""

from __future__ import annotations

import re
from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.text import Text

from mua_decode.figures.style import current_style
from mua_decode.files import whole

# What matplotlib itself writes beside logarithmic axes.
_POWER = re.compile(r"\$\\mathdefault\{[^$]*\}\$")


def save(figure: Figure, path: Path) -> Path:
    """Save ``figure`` as PNG, PDF or SVG by the suffix of ``path`` and return the path.

    Beside a PNG, a vector file is written where the style in force (:mod:`.style`) asks for one.
    """
    take_literally(figure)
    style = current_style()
    style.apply(figure)
    # A figure of a given width keeps it; others are cut to what is drawn.
    box = None if style.width_mm else "tight"
    beside = [] if style.format == "png" else [path.with_suffix(f".{style.format}")]
    for place in dict.fromkeys([path, *beside]):
        # Letters stay letters, which an editor of the journal can change.
        with whole(place) as partial, rc_context({"pdf.fonttype": 42, "svg.fonttype": "none"}):
            figure.savefig(partial, dpi=style.dpi, bbox_inches=box)
    return path


def take_literally(figure: Figure) -> None:
    """Have every text drawn sign by sign: names may hold dollar signs, and are no formulas."""
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            axis.get_ticklabels()  # makes them, which are otherwise made as they are drawn
    for text in figure.findobj(Text):
        if isinstance(text, Text) and not _POWER.fullmatch(text.get_text()):
            text.set_parse_math(False)
