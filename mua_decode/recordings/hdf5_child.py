"""Read the inner structure of an HDF5 file in a process that may crash or loop.

    python -P hdf5_child.py MEMORY_BYTES CPU_S FILE

Started by :func:`mua_decode.recordings.files.open_hdf5`. HDF5 can follow damaged links, attributes
and text (its "global heap") for ever, or into memory that is not its own. What it merely refuses is
left to who reads the file next; so is what holds numbers.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

_NO_SENSE = (OSError, RuntimeError, LookupError, ValueError, TypeError, OverflowError)
_MOST_VALUES = 10_000_000


def _look(_: str, item: Any) -> None:
    import h5py

    for name in list(item.attrs):
        with suppress(*_NO_SENSE):
            item.attrs[name]
    if isinstance(item, h5py.Dataset) and item.dtype.kind == "O" and item.size <= _MOST_VALUES:
        with suppress(*_NO_SENSE):
            item[()]


def _main(memory: str, cpu_s: str, path: str) -> None:
    # At the end, so that no module here stands in for one of Python's.
    sys.path.append(str(Path(__file__).parent))
    from matlab_child import _limit  # type: ignore[import-not-found]

    _limit(int(memory), int(cpu_s))
    import h5py

    with suppress(*_NO_SENSE), h5py.File(path, "r") as file:
        file.id.links.visit(lambda _: None)
        _look("", file)
        file.visititems(_look)


if __name__ == "__main__":
    _main(*sys.argv[1:])
