"""Write a figure to disk, whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from matplotlib.figure import Figure


def save(figure: Figure, path: Path, *, dpi: int = 130) -> Path:
    """Save ``figure`` as PNG, PDF or SVG by the suffix of ``path`` and return the path."""
    partial = path.with_name(f".{path.stem}.{os.getpid()}.partial{path.suffix}")
    try:
        figure.savefig(partial, dpi=dpi, bbox_inches="tight")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return path
