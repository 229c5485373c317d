"""Write a figure to disk, whole or not at all."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

from mua_decode.files import whole


def save(figure: Figure, path: Path) -> Path:
    """Save ``figure`` as PNG, PDF or SVG by the suffix of ``path`` and return the path."""
    with whole(path) as partial:
        figure.savefig(partial, dpi=130, bbox_inches="tight")
    return path
