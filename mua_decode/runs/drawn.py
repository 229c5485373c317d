"""Figures, drawn last and each on its own: one that cannot be drawn is one line, nothing more."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from matplotlib.figure import Figure

from mua_decode import figures
from mua_decode.figures.style import FORMATS
from mua_decode.report import Picture
from mua_decode.runs.folder import RunFolder
from mua_decode.runs.progress import console
from mua_decode.types import InputError

Drawing = Figure | Callable[[], Figure | None]
"""A figure, or what draws it when numbers are on the disk; None: there is nothing to draw."""

_T = TypeVar("_T")


def attempt(name: str, work: Callable[[], _T]) -> _T | None:
    """Return what ``work`` returns; None, and one warning line with the name, where it fails."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of layouts; what fails is said below
            return work()
    except Exception as error:  # whatever a drawing library raises: numbers must outlive it
        said = " ".join(str(error).split())[:200]
        if not isinstance(error, InputError):
            said = f"{type(error).__name__}: {said}" if said else type(error).__name__
        line = f"WARNING: figure '{name}' could not be drawn ({said}); numbers are not affected"
        console.print(line, style="bold", highlight=False, soft_wrap=True, markup=False)
        return None


def write_figure(name: str, drawing: Drawing, folder: RunFolder) -> Path | None:
    """Draw and save ``figures/NAME.png``, and the vector file that is asked for beside it.

    None where figures are not asked for, there is nothing to draw, or it cannot be drawn: what an
    earlier time left of it, which shows other numbers, is then removed.
    """
    if not figures.current_style().draw:
        return None
    path = folder.figure(f"{name}.png")

    def work() -> Path | None:
        figure = drawing if isinstance(drawing, Figure) else drawing()
        return None if figure is None else figures.save(figure, path)

    drawn = attempt(name, work)
    if drawn is None:
        for ending in FORMATS:
            path.with_suffix(f".{ending}").unlink(missing_ok=True)
    return drawn


def write_figures(drawings: Mapping[str, Drawing], folder: RunFolder) -> list[str]:
    """Draw and save every figure that can be drawn; return their names."""
    return [name for name, drawing in drawings.items() if write_figure(name, drawing, folder)]


def write_animation(name: str, write: Callable[[Path], object], folder: RunFolder) -> None:
    """Have ``figures/NAME.gif`` written where figures are asked for."""
    if figures.current_style().draw:
        path = folder.figure(f"{name}.gif")
        path.unlink(missing_ok=True)
        attempt(name, lambda: write(path))


def write_pictures(
    name: str, make: Callable[[], Iterable[Picture]], folder: RunFolder
) -> list[Picture]:
    """Pictures of a report, each also a file ``figures/NAME.png``, ``NAME_2.png`` and so on."""
    if not figures.current_style().draw:
        return []
    found: list[Picture] = []
    for i, picture in enumerate(attempt(name, lambda: list(make())) or (), start=1):
        if isinstance(picture.image, Path):
            found.append(picture)
            continue
        path = write_figure(name if i == 1 else f"{name}_{i}", picture.image, folder)
        if path is not None:
            found.append(replace(picture, image=path))
    return found
