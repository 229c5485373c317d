"""Opening files so that what is wrong with them is said in one line."""

from __future__ import annotations

import csv
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd

from mua_decode.limits import check_memory, check_packed
from mua_decode.recordings.child import ask_child
from mua_decode.types import EXACT, InputError

# Columns of names: 007 is no number there, and NA not missing.
_NAMES = ("name", "region", "site_id")
_CHILD = Path(__file__).with_name("hdf5_child.py")
# What is raised of values of another kind than was expected.
_NO_SENSE = (
    *(LookupError, ValueError, TypeError, AttributeError, ArithmeticError, RecursionError),
    pd.errors.InvalidIndexError,
)


@contextmanager
def named(where: object, *kinds: type[Exception]) -> Iterator[None]:
    """Put ``where`` in front of what an InputError, or another error of these kinds, says."""
    caught: tuple[type[Exception], ...] = (InputError, *kinds)
    try:
        yield
    except caught as error:
        raise InputError(f"{where}: {error}") from error


@contextmanager
def reading(source: Path) -> Iterator[None]:
    """Have what is wrong with the content of a file, or of a folder of files, said of it.

    What is said already of a file there passes. An InputError in place of whatever NumPy, pandas
    and others raise of a content that they, or what follows them, cannot make sense of.
    """
    try:
        yield
    except InputError as error:
        if str(source) in str(error) or f"{source.parent}{os.sep}" in str(error):
            raise
        raise InputError(f"{source}: {error}") from error
    except (*_NO_SENSE, OSError, MemoryError) as error:
        said = " ".join(str(error).split())[:200] or type(error).__name__
        why = "is damaged, or not what was expected"
        if isinstance(error, MemoryError):
            why = "takes more memory than there is"
        elif isinstance(error, OSError):
            why = "cannot be read"
        raise InputError(f"{source}: {why}: {said}") from error


def existing_folder(path: str | Path | None, option: str) -> Path:
    """Return ``path`` as a folder that exists; an InputError if it is not given or none."""
    if not path:
        raise InputError(f"{option} is not set; give the folder of the recording: {option}=PATH")
    folder = Path(path).expanduser()
    if not folder.is_dir():
        raise InputError(f"{option}: no such folder: {folder}")
    return folder


def source_files(path: str | Sequence[str] | None, option: str, suffix: str) -> list[Path]:
    """Return the files named: one file, all files of a folder with ``suffix``, or a list.

    An InputError if nothing is named or a file is missing.
    """
    if not path:
        raise InputError(f"{option} is not set; give a {suffix} file, a folder or a list of files")
    given = [Path(p).expanduser() for p in ([path] if isinstance(path, str | Path) else path)]
    files: list[Path] = []
    for item in given:
        inside = [item]
        if item.is_dir():
            inside = sorted(f for f in item.glob(f"*{suffix}") if not f.name.startswith("."))
        if not inside:
            raise InputError(f"{option}: {item} holds no {suffix} file")
        if not inside[0].is_file():
            raise InputError(f"{option}: no such file: {item}")
        files += inside
    return files


def is_matlab_5(path: Path) -> bool:
    """Tell a MATLAB file older than v7.3; an InputError if there is no such file."""
    if not path.is_file():
        raise InputError(f"no such file: {path}")
    with path.open("rb") as stream:
        return stream.read(128).startswith(b"MATLAB 5.0")


@contextmanager
def open_hdf5(path: Path, *, soft_links: bool = True, sealed: bool = False) -> Iterator[h5py.File]:
    """Open an HDF5 file (which MATLAB v7.3 files are) for reading; links inside it may be refused.

    Where it is not ``sealed`` (its bytes known to be those that were written), another process
    looks at it first, as HDF5 can crash or loop on damage.

    An InputError if it is missing, truncated, damaged, another kind of file, or holds a link to
    another file: whatever h5py raises of a part it cannot make sense of, on whichever way there,
    is said of the file. (Data that lie in another file are refused by :func:`require_numbers`.)
    """
    if is_matlab_5(path):
        raise InputError(f"{path}: is a MATLAB 5 file, expected v7.3 (save it with '-v7.3')")
    if not sealed:
        _look_inside(path)
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        reason = "truncated" if "truncated" in str(error) else "damaged or not an HDF5 file"
        raise InputError(f"{path}: cannot be read, it is {reason}") from error
    try:
        with content_said(path):
            check_links(file, path, soft=soft_links)
            yield file
    finally:
        file.close()


@contextmanager
def content_said(path: Path) -> Iterator[None]:
    """Have said of the file whatever h5py raises of a part that it cannot make sense of."""
    try:
        yield
    except InputError as error:
        if str(path) in str(error):
            raise
        raise InputError(f"{path}: {error}") from error
    except (OSError, RuntimeError) as error:  # h5py raises these when a block is missing
        raise InputError(f"{path}: cannot be read to the end: {error}") from error
    except (LookupError, ValueError, TypeError, OverflowError, MemoryError) as error:
        said = " ".join(map(str, error.args))
        raise InputError(f"{path}: cannot be read, it is damaged: {said}") from error


_sound: set[tuple[str, int, int]] = set()


def _look_inside(path: Path) -> None:
    """Have another process read the structure of a file; once, as long as it does not change."""
    about = path.stat()
    known = (str(path.resolve()), about.st_mtime_ns, about.st_size)
    if known not in _sound and h5py.is_hdf5(path):
        ask_child(_CHILD, path)
        _sound.add(known)


def check_links(file: h5py.File, path: Path, *, soft: bool = True) -> None:
    """Refuse links to other files, and those inside the file where ``soft`` is not set."""
    kinds = {h5py.h5l.TYPE_EXTERNAL: "another file"}
    if not soft:
        kinds[h5py.h5l.TYPE_SOFT] = "another name"

    def check(name: bytes, link: Any) -> str | None:  # what is returned ends the visit
        shown = name.decode("utf-8", "replace")
        return f"{shown} is a link to {kinds[link.type]}" if link.type in kinds else None

    if found := file.id.links.visit(check, info=True):
        raise InputError(f"{path}: {found}; refused")


def load_npy(path: Path, *, lazily: bool = False) -> np.ndarray:
    """Load the numbers or text of a ``.npy`` file; objects, which could run code, are refused.

    An InputError if the file is missing, truncated, or holds objects.
    """
    if not path.is_file():
        raise InputError(f"no such file: {path}")
    try:
        # Mapped, so that what it declares must be there before memory is taken for it.
        found = np.load(path, allow_pickle=False, mmap_mode="r")
        if not lazily and isinstance(found, np.ndarray):
            check_memory(found.nbytes, path)
            found = np.array(found)
    except InputError:
        raise
    except Exception as error:  # NumPy parses the header as Python, which raises many kinds
        if "allow_pickle" in str(error) or "Python objects" in str(error):
            raise InputError(
                f"{path}: refused, it holds Python objects, which could run code; expected an "
                "array of numbers or text"
            ) from error
        raise InputError(f"{path}: is damaged or not a .npy array") from error
    if not isinstance(found, np.ndarray):
        raise InputError(f"{path}: expected one array, found an archive")
    check_text(found, path)
    return found


def check_text(array: np.ndarray, where: object) -> None:
    """Refuse text whose letters are none, which NumPy takes as it lies in the file.

    Raises InputError naming ``where``.
    """
    if array.dtype.kind == "U" and array.size:
        letters = np.ascontiguousarray(array).view(array.dtype.byteorder.replace("|", "=") + "u4")
        if letters.max() > sys.maxunicode:
            raise InputError(f"{where}: is damaged, its text holds what is no letter")


def load_csv(path: Path) -> pd.DataFrame:
    """Load a table, names of things as they stand there.

    Raises InputError if the file is none, or two columns have one name.
    """
    if not path.is_file():  # a pipe would be waited for
        raise InputError(f"no such file: {path}")
    with named(f"{path}: is not a table", ValueError, OSError, csv.Error):
        first = _header(path)
        # As it lies there: by its name pandas would unpack it.
        table = pd.read_csv(path, compression=None, **EXACT)
    twice = [*first[first.duplicated()], *table.columns[table.columns.duplicated()]]
    if twice:  # Pandas reads the second as 'name.1'
        raise InputError(f"{path}: two columns are called '{twice[0]}'")
    with named(f"{path}: is not a table", ValueError, OSError):
        names = table.columns.intersection(pd.Index(_NAMES)).tolist()
        text = pd.read_csv(path, usecols=names, dtype=str, keep_default_na=False, compression=None)
    return table.assign(**{name: text[name] for name in names})


def _header(path: Path) -> pd.Series:
    """Names of the columns of a table as they stand there, those without one left out."""
    with path.open(encoding="utf-8-sig", newline="") as stream:
        rows = csv.reader(stream)
        names = next((row for row in rows if row), [])
    return pd.Series([name for name in names if name], dtype=str)


def require_numbers(item: object, path: Path) -> h5py.Dataset:
    """Return ``item`` as a dataset of real numbers that fits into memory.

    An InputError if it is a group, text, cells or complex numbers, if its numbers lie in another
    file, or if it declares more than memory holds or data of its size ever do.
    """
    name = str(getattr(item, "name", "")).lstrip("/")
    if not isinstance(item, h5py.Dataset) or item.dtype.kind not in "fiub":
        kind = item.dtype if isinstance(item, h5py.Dataset) else "a group"
        raise InputError(f"{path}: {name}: expected an array of numbers, found {kind}")
    check_dataset(item, path)
    return item


def check_dataset(item: h5py.Dataset, path: Path, *, read: bool = True) -> None:
    """Refuse a dataset that lies in another file or unpacks to more than it can hold.

    ``read`` says whether all of it will be, so that it must fit into memory.
    """
    where = f"{path}: {str(item.name).lstrip('/')}"
    if item.is_virtual or item.external:
        raise InputError(f"{where}: its values lie in another file; refused")
    check_packed(item.nbytes, item.id.get_storage_size(), f"{where} {item.shape}")
    if read:
        check_memory(item.nbytes, f"{where} {item.shape}")
