"""Opening NWB files: on this machine, or at an address where that was asked for."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import h5py

from mua_decode.recordings.extras import extra
from mua_decode.recordings.files import (
    check_dataset,
    check_links,
    content_said,
    open_hdf5,
    source_files,
)
from mua_decode.types import InputError, masked

STREAMS = ("fsspec", "remfile")
_LONGEST = 1 << 26  # bytes of what describes the session
# Chained addresses (simplecache::, zip://...::) would let one name unpack another.
_ADDRESS = re.compile(r"^(https?|s3|gs|gcs|az|abfs|file)://[^:]*(:\d+)?[^:]*$")


@dataclass(frozen=True)
class NwbSource:
    """A file by its path, or by an address and the library that reads it.

    Parameters
    ----------
    path
        Its name in messages, and the folder beside which external films are looked for.
    """

    path: Path
    address: str | None = None
    stream: str | None = None

    @property
    def described(self) -> str:
        """What provenance keeps of it."""
        if self.address is not None:
            return f"{masked(self.address)} (streamed with {self.stream})"
        return f"{self.path} ({self.path.stat().st_size} bytes)"


def nwb_sources(path: str | Sequence[str] | None, stream: str | None) -> list[NwbSource]:
    """Return the files that ``recording.path`` names.

    Raises InputError if one is missing, or is an address and ``stream`` is not set.
    """
    if stream is not None and stream not in STREAMS:
        raise InputError(f"recording.stream: expected {' or '.join(STREAMS)}, found {stream}")
    given = [str(path)] if isinstance(path, str | Path) else [str(p) for p in path or ()]
    addresses = [p for p in given if "://" in p]
    if not addresses:
        return [NwbSource(f) for f in source_files(path, "recording.path", ".nwb")]
    if stream is None:
        raise InputError(
            f"recording.path: {masked(addresses[0])} is an address, and nothing is fetched unless "
            "recording.stream=fsspec or recording.stream=remfile asks for it"
        )
    found = []
    for text in given:
        if "://" not in text:
            found += [NwbSource(f) for f in source_files(text, "recording.path", ".nwb")]
        elif not _ADDRESS.match(text):
            raise InputError(
                f"recording.path: {masked(text)}: expected one http, https, s3, gs, az or file "
                "address"
            )
        else:
            found.append(NwbSource(Path(text.split("?")[0]), text, stream))
    return found


@contextmanager
def open_nwb(source: NwbSource) -> Iterator[Any]:
    """Open an NWB file for reading, lazily.

    An InputError if it is missing, damaged, or an HDF5 file of another kind.
    """
    from pynwb import NWBHDF5IO  # takes seconds to import, which other commands need not pay

    path = source.path
    opened = open_hdf5(path) if source.address is None else _streamed(source)
    with opened as file:
        _check_version(file, path)
        file.visititems(partial(_check, path))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # columns called as attributes are; older versions
                nwb = NWBHDF5IO(file=file, mode="r", load_namespaces=True).read()
        except Exception as error:  # hdmf raises whatever the missing part causes
            raise InputError(f"{path}: is not a complete NWB file: {_reason(error)}") from error
        yield nwb


@contextmanager
def _streamed(source: NwbSource) -> Iterator[h5py.File]:
    """Open a file that lies elsewhere; no other process looks at it first."""
    address = str(source.address)
    with content_said(source.path):
        library = extra(str(source.stream), "stream", f"recording.stream={source.stream}")
        try:
            if source.stream == "remfile":
                handle = library.File(address)
            else:
                handle = library.open(address, "rb").open()
            file = h5py.File(handle, "r")
        except Exception as error:  # whatever the library of the protocol raises
            said = " ".join(masked(str(error)).split())[:200] or type(error).__name__
            raise InputError(f"{masked(address)}: cannot be read: {said}") from error
        try:
            check_links(file, source.path)
            yield file
        finally:
            file.close()


def _check_version(file: h5py.File, path: Path) -> None:
    if "nwb_version" in file.attrs:
        return
    old = file.get("nwb_version")
    if isinstance(old, h5py.Dataset) and old.shape == ():
        found = old[()]
        version = found.decode("utf-8", "replace") if isinstance(found, bytes) else str(found)
        raise InputError(
            f"{path}: is an NWB 1 file ({version[:40]}), which no current library reads; get it "
            "in NWB 2, or save its spikes as arrays (recording=arrays)"
        )
    raise InputError(f"{path}: is an HDF5 file but not an NWB file (no nwb_version)")


def _check(path: Path, name: str, item: object) -> None:
    if isinstance(item, h5py.Dataset):
        check_dataset(item, path, read=False)  # raw signals are not
        # What describes the session is read at once.
        if ("/" not in name or name.startswith("general/")) and item.nbytes > _LONGEST:
            raise InputError(f"{path}: {name} declares {item.nbytes / 2**20:.0f} MiB; refused")


def _reason(error: Exception) -> str:
    """Place and cause from an error of hdmf, which prints the whole object between them."""
    text = " ".join(str(error).split())
    place, _, _ = text.lstrip("(").partition(" GroupBuilder {")
    _, found, cause = text.rpartition(" due to: ")
    short = f"{place}: {cause}" if found and place != text.lstrip("(") else text
    return short.strip("\")'")[:200]
