"""What Neo or SpikeInterface found in a file, read in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd

from mua_decode.limits import GIB, memory_bytes
from mua_decode.recordings.extras import require_extra
from mua_decode.types import InputError

_CHILD = Path(__file__).with_name("guarded_child.py")
_LIBRARY = {"neo": "neo", "sorting": "spikeinterface", "raw": "spikeinterface"}
_SECONDS_A_LINE = "20"  # of progress in a file
_CPU_S = 60  # and one more for every MiB


@dataclass(frozen=True, eq=False, kw_only=True)
class Found:
    """Units, what happened, and when.

    Parameters
    ----------
    units
        One row per unit or channel: ``id`` and whatever else the source knows of it.
    tables
        Events and the like, by name; times are in columns that end in ``_s``.
    about
        Further numbers, and ``notes``.
    times, ends
        Spike times in seconds, unit by unit, and where each unit's end, int (N,).
    envelope
        Instead of spikes: float32 (bins, N).
    """

    units: pd.DataFrame
    tables: Mapping[str, pd.DataFrame]
    about: Mapping[str, Any]
    times: np.ndarray
    ends: np.ndarray
    envelope: np.ndarray | None = None


def ask_library(path: Path, kind: str, **request: Any) -> Found:
    """Have a process of its own read a file or folder: ``kind`` is neo, sorting or raw.

    It keeps to limits of memory and time, but for raw voltage, which takes as long as it takes
    and shows its progress. Raises InputError naming the path, if it is refused, cannot be read or
    the library is missing.
    """
    library = _LIBRARY[kind]
    require_extra(library, library, f"recording={'raw' if kind == 'raw' else library}")
    if not path.exists():
        raise InputError(f"recording.path: no such file or folder: {path}")
    size = _size(path)
    limits = {"memory": 0, "cpu_s": 0}
    if kind != "raw":
        memory = min(int(0.75 * memory_bytes()), 4 * GIB + 8 * size)
        limits = {"memory": memory, "cpu_s": _CPU_S + size // (1 << 20)}
    with TemporaryDirectory() as folder:
        place = Path(folder)
        given = {"path": str(path), "kind": kind, **limits, **request}
        (place / "request.json").write_text(json.dumps(given), encoding="utf-8")
        command = [sys.executable, "-P", str(_CHILD), str(place / "request.json"), folder]
        done = subprocess.run(
            command,
            check=False,
            stdout=subprocess.DEVNULL,
            stderr=None if kind == "raw" else subprocess.DEVNULL,
            env=os.environ
            | {f"{n}_NUM_THREADS": "1" for n in ("OMP", "OPENBLAS", "MKL")}
            | ({} if sys.stderr.isatty() else {"TQDM_MININTERVAL": _SECONDS_A_LINE}),
        )
        if (place / "refused.txt").is_file():
            raise InputError(f"{path}: {(place / 'refused.txt').read_text(encoding='utf-8')}")
        if done.returncode != 0:
            raise InputError(
                f"{path}: cannot be read: {library} crashed on it, or took too much memory or time"
            )
        return _found(place)


def _found(place: Path) -> Found:
    about = json.loads((place / "about.json").read_text(encoding="utf-8"))
    with np.load(place / "units.npz", allow_pickle=False) as arrays:
        kept = dict(arrays)
    units = pd.DataFrame(about.pop("units"))
    tables = {name: pd.DataFrame(columns) for name, columns in about.pop("tables").items()}
    return Found(
        units=units,
        tables=tables,
        about=about,
        times=kept.get("times", np.empty(0)),
        ends=kept.get("ends", np.empty(0, np.int64)),
        envelope=kept.get("envelope"),
    )


def _size(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    return sum(f.stat().st_size for f in path.rglob("*") if f.is_file())
