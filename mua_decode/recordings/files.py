"""Opening files so that what is wrong with them is said in one line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from mua_decode.types import InputError

_MOST_BYTES = 1 << 38


@contextmanager
def named(where: object, *kinds: type[Exception]) -> Iterator[None]:
    """Put ``where`` in front of what an InputError, or another error of these kinds, says."""
    caught: tuple[type[Exception], ...] = (InputError, *kinds)
    try:
        yield
    except caught as error:
        raise InputError(f"{where}: {error}") from error


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
        inside = sorted(item.glob(f"*{suffix}")) if item.is_dir() else [item]
        if not inside:
            raise InputError(f"{option}: {item} holds no {suffix} file")
        if not inside[0].is_file():
            raise InputError(f"{option}: no such file: {item}")
        files += [f for f in inside if not f.name.startswith(".")]
    return files


def is_matlab_5(path: Path) -> bool:
    """Tell a MATLAB file older than v7.3; an InputError if there is no such file."""
    if not path.is_file():
        raise InputError(f"no such file: {path}")
    with path.open("rb") as stream:
        return stream.read(128).startswith(b"MATLAB 5.0")


@contextmanager
def open_hdf5(path: Path) -> Iterator[h5py.File]:
    """Open an HDF5 file (which MATLAB v7.3 files are) for reading.

    An InputError if it is missing, truncated, or another kind of file.
    """
    if is_matlab_5(path):
        raise InputError(f"{path}: is a MATLAB 5 file, expected v7.3 (save it with '-v7.3')")
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        reason = "truncated" if "truncated" in str(error) else "damaged or not an HDF5 file"
        raise InputError(f"{path}: cannot be read, it is {reason}") from error
    try:
        yield file
    except (OSError, RuntimeError) as error:  # h5py raises these when a block is missing
        raise InputError(f"{path}: cannot be read to the end: {error}") from error
    finally:
        file.close()


def load_npy(path: Path, *, lazily: bool = False) -> np.ndarray:
    """Load the numbers or text of a ``.npy`` file; objects, which could run code, are refused.

    An InputError if the file is missing, truncated, or holds objects.
    """
    if not path.is_file():
        raise InputError(f"no such file: {path}")
    try:
        found = np.load(path, allow_pickle=False, mmap_mode="r" if lazily else None)
    except (ValueError, OSError, EOFError, SyntaxError) as error:
        if "allow_pickle" in str(error) or "Python objects" in str(error):
            raise InputError(
                f"{path}: refused, it holds Python objects, which could run code; expected an "
                "array of numbers or text"
            ) from error
        raise InputError(f"{path}: is damaged or not a .npy array") from error
    if not isinstance(found, np.ndarray):
        raise InputError(f"{path}: expected one array, found an archive")
    return found


def load_csv(path: Path) -> pd.DataFrame:
    """Load a table; an InputError if the file is none."""
    with named(f"{path}: is not a table", ValueError, OSError):
        return pd.read_csv(path)


def require_numbers(item: object, path: Path) -> h5py.Dataset:
    """Return ``item`` as a dataset of real numbers that fits into memory.

    An InputError if it is a group, text, cells or complex numbers, or declares over 256 GiB.
    """
    name = str(getattr(item, "name", "")).lstrip("/")
    if not isinstance(item, h5py.Dataset) or item.dtype.kind not in "fiub":
        kind = item.dtype if isinstance(item, h5py.Dataset) else "a group"
        raise InputError(f"{path}: {name}: expected an array of numbers, found {kind}")
    if item.nbytes > _MOST_BYTES:
        raise InputError(f"{path}: {name} declares {item.shape}, {item.nbytes / 2**30:.0f} GiB")
    return item
