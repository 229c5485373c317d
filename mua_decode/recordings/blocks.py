"""HDF5 files written so that a full disk is an error and not the end of the process."""

from __future__ import annotations

import io
import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py

from mua_decode.limits import check_room

_READ_BACK = 1 << 16  # bytes: what HDF5 may read back as it closes is smaller, tables aside
# Bytes of address space: what HDF5 takes to open a file, and to close one, is a fraction of either.
_TO_OPEN, _SPARE = 16 << 20, 32 << 20


@contextmanager
def new_hdf5(path: Path, **options: Any) -> Iterator[h5py.File]:
    """Make an HDF5 file and open it for writing; ``options`` are those of ``h5py.File``.

    HDF5 cannot close a file whose last blocks it could not write, and takes the process down when
    that ends. It is told that every block was written, and the first failure is raised here. Nor
    can it close what it found no memory for: some is kept for it until something fails.

    Raises OSError if it cannot be written to the end, MemoryError if there is too little to begin.
    """
    with _Blocks(path) as blocks, _spare() as spare:
        try:
            with h5py.File(blocks, "w", **options) as file:
                try:
                    yield file
                except BaseException:
                    spare.close()
                    raise
        finally:
            if blocks.failure is not None:
                raise blocks.failure


@contextmanager
def _spare() -> Iterator[mmap.mmap]:
    """Memory that is held, never touched, until HDF5 needs it to close what failed."""
    check_room(_SPARE + _TO_OPEN, "HDF5")
    with mmap.mmap(-1, _SPARE) as spare:
        yield spare


class _Blocks(io.RawIOBase):
    """A new file that keeps the first failure to write.

    What follows it is kept as far as HDF5 may read it back.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("xb+", buffering=0)
        self._place = 0
        self._end = 0
        self._unwritten: dict[int, bytes] = {}
        self.failure: OSError | None = None

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._end}[whence]
        self._place = start + offset
        return self._place

    def write(self, block: bytes | memoryview) -> int:  # type: ignore[override]
        data = memoryview(block).cast("B")
        done = 0
        while self.failure is None and done < len(data):
            try:
                done += os.pwrite(self._file.fileno(), data[done:], self._place + done)
            except OSError as error:
                self.failure = error
        if self.failure is not None and len(data) <= _READ_BACK:
            self._unwritten[self._place] = bytes(data)
        self._place += len(data)
        self._end = max(self._end, self._place)
        return len(data)

    def readinto(self, block: memoryview) -> int:  # type: ignore[override]
        data = memoryview(block).cast("B")
        data[:] = bytes(len(data))
        kept = self._unwritten.get(self._place)
        if kept is None:
            os.preadv(self._file.fileno(), [data], self._place)
        else:
            data[: len(kept)] = kept[: len(data)]
        self._place += len(data)
        return len(data)

    def truncate(self, size: int | None = None) -> int:
        self._end = self._place if size is None else size
        if self.failure is None:
            try:
                self._file.truncate(self._end)
            except OSError as error:
                self.failure = error
        return self._end

    def close(self) -> None:
        self._file.close()
        super().close()
