"""Opening files so that what is wrong with them is said in one line."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py

from mua_decode.types import InputError

_MOST_BYTES = 1 << 38


def existing_folder(path: str | Path | None, option: str) -> Path:
    """Return ``path`` as a folder that exists.

    Raises
    ------
    InputError
        If it is not given or not a folder.
    """
    if not path:
        raise InputError(f"{option} is not set; give the folder of the recording: {option}=PATH")
    folder = Path(path).expanduser()
    if not folder.is_dir():
        raise InputError(f"{option}: no such folder: {folder}")
    return folder


@contextmanager
def open_hdf5(path: Path) -> Iterator[h5py.File]:
    """Open an HDF5 file (which MATLAB v7.3 files are) for reading.

    Raises
    ------
    InputError
        If the file is missing, truncated, or another kind of file.
    """
    if not path.is_file():
        raise InputError(f"no such file: {path}")
    with path.open("rb") as stream:
        head = stream.read(128)
    if head.startswith(b"MATLAB 5.0"):
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


def require_numbers(item: object, path: Path) -> h5py.Dataset:
    """Return ``item`` as a dataset of real numbers that fits into memory.

    Raises
    ------
    InputError
        If it is a group, text, cells or complex numbers, or declares more than 256 GiB.
    """
    name = str(getattr(item, "name", "")).lstrip("/")
    if not isinstance(item, h5py.Dataset) or item.dtype.kind not in "fiub":
        kind = item.dtype if isinstance(item, h5py.Dataset) else "a group"
        raise InputError(f"{path}: {name}: expected an array of numbers, found {kind}")
    if item.nbytes > _MOST_BYTES:
        raise InputError(f"{path}: {name} declares {item.shape}, {item.nbytes / 2**30:.0f} GiB")
    return item


def sha256(paths: Iterable[Path]) -> str:
    """SHA-256 of the contents of files, in the order given, as hexadecimal text."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()
