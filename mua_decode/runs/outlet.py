"""Where a command writes recordings, checked before any work is done."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mua_decode.runs.folder import RunFolder
from mua_decode.types import InputError


def place_for(out: object, *, a_file: bool) -> Path:
    """Return the file or folder that ``out`` names; its folder is made.

    Raises InputError if nothing is named, it is of the other kind, or cannot be written to.
    """
    form = "a file: out=FILE.h5" if a_file else "a folder: out=FOLDER"
    if not out:
        raise InputError(f"out is not set; give {form}")
    path = Path(str(out)).expanduser()
    if a_file and (path.is_dir() or not path.name):
        raise InputError(f"out: {path} is a folder; give {form}")
    if not a_file and path.is_file():
        raise InputError(f"out: {path} is a file; give {form}")
    folder = str(path.parent if a_file else path)
    RunFolder.create(folder, "out", shared=True, option="out")
    return path


def free(files: Sequence[Path], *, overwrite: bool) -> None:
    """Refuse to write over files that are there.

    Raises InputError naming the first, unless ``overwrite``.
    """
    there = [] if overwrite else [file for file in files if file.exists()]
    if there:
        raise InputError(f"out: {there[0]} exists; give another, or overwrite=true")
