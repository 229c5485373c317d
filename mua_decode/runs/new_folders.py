"""Folders that a command made; one that fails leaves none of them empty."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_made: list[list[Path]] = []


@contextmanager
def new_folders() -> Iterator[None]:
    """Remove what was made within the context and is empty, where it ends with an error."""
    _made.append([])
    try:
        yield
    except BaseException:
        for folder in sorted(set(_made[-1]), key=lambda p: len(p.parts), reverse=True):
            with suppress(OSError):  # it holds something, or is gone
                folder.rmdir()
        raise
    finally:
        _made.pop()


def make(folder: Path) -> None:
    """Make a folder and those above it, and remember which are new."""
    path = folder.absolute()
    new = [p for p in (path, *path.parents) if not p.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for each in new:
        remember(each)


def remember(folder: Path) -> None:
    """Note that a folder is new."""
    if _made:
        _made[-1].append(folder.absolute())
