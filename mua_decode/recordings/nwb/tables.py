"""Interval tables of an NWB file (trials, epochs, presentations of a stimulus) as plain tables."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mua_decode.recordings.files import load_csv
from mua_decode.recordings.names import unescaped
from mua_decode.types import InputError, nearest_name

TABLE = "interval_table"  # column that says from which of several tables a row comes


def text_of(value: Any) -> str:
    """Return text from a file, which may be bytes there."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def interval_tables(nwb: Any) -> dict[str, Any]:
    """Every table of intervals in the file by name, trials and epochs first.

    Those of ``/intervals`` and those that stand in a processing module or elsewhere.
    """
    from pynwb.epoch import TimeIntervals

    given = [nwb.trials, nwb.epochs, *dict(nwb.intervals or {}).values()]
    given += [o for o in nwb.objects.values() if isinstance(o, TimeIntervals)]
    found: dict[str, Any] = {}
    for table in given:
        if table is not None and len(table):
            found.setdefault(text_of(table.name), table)
    return found


def read_intervals(
    nwb: Any, path: Path, names: str | Sequence[str], *, escaped: bool = False
) -> pd.DataFrame:
    """Read one interval table, or several below each other in order of their start.

    Columns with one value a row are kept, and lists of text, joined with commas; where several
    tables are read, column ``interval_table`` has the name of each row's.

    Parameters
    ----------
    names
        Names or wildcard patterns (``*_presentations``), or a CSV file that is read instead.
    escaped
        Names of columns are written as :func:`mua_decode.recordings.names.escaped` does.

    Raises InputError naming the tables that exist, if there is none of a name.
    """
    if isinstance(names, str) and names.endswith(".csv"):
        return _table_beside(Path(names).expanduser())
    known = interval_tables(nwb)
    wanted: list[str] = []
    for name in [names] if isinstance(names, str) else names:
        hits = [k for k in known if fnmatch.fnmatchcase(k, name)]
        if not hits:
            raise InputError(_no_table(path, str(name), known))
        wanted += [k for k in hits if k not in wanted]
    frames = [plain_table(known[name], escaped=escaped) for name in wanted]
    if len(frames) == 1:
        return frames[0]
    joined = pd.concat([f.assign(**{TABLE: n}) for f, n in zip(frames, wanted, strict=True)])
    return joined.sort_values("start_time", kind="stable", ignore_index=True)


def _table_beside(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise InputError(f"recording.trials: no such file: {path}")
    return load_csv(path)


def beside(names: object) -> dict[str, pd.DataFrame]:
    """Table of a CSV file that is read instead of one of the file's, by its name; or nothing."""
    there = isinstance(names, str) and names.endswith(".csv") and Path(names).expanduser().is_file()
    return {str(names): _table_beside(Path(str(names)).expanduser())} if there else {}


def _no_table(path: Path, name: str, known: dict[str, Any]) -> str:
    if not known:
        return (
            f"{path}: has no trials table and no other table of intervals; give one with the "
            "columns start_time and stop_time, s: recording.trials=FILE.csv"
        )
    missing = "no trials table" if name == "trials" else f"no interval table '{name}'"
    found = ", ".join(f"{n} ({len(t)})" for n, t in known.items())
    return (
        f"{path}: has {missing}{nearest_name(name, known)}; name one of those it has with "
        f"recording.trials=NAME: {found}"
    )


def plain_table(table: Any, *, escaped: bool = False) -> pd.DataFrame:
    """Return the columns that have one value, or a list of text, per row."""
    plain: dict[str, Any] = {}
    for name in table.colnames:
        values = _values(table[name], len(table))
        if values is not None:
            plain[unescaped(name) if escaped else text_of(name)] = values
    return pd.DataFrame(plain)


def _values(column: Any, rows: int) -> list[Any] | None:
    """Values of a column, one per row; ``None`` for what is neither number nor text."""
    if type(column).__name__ == "TimeSeriesReferenceVectorData":
        return None  # reading it would open every series it names
    if hasattr(column, "target"):  # a list per row
        kind = getattr(getattr(column.target.data, "dtype", None), "kind", "O")
        if kind not in "SUO":
            return None
        inside = _values(column.target, len(column.target.data))
        if inside is None or not all(isinstance(v, str) for v in inside):
            return None
        ends = np.asarray(column.data[:], int).tolist()
        starts = [0, *ends[:-1]]
        return [",".join(inside[a:b]) for a, b in zip(starts, ends, strict=True)]
    data = column.data
    if getattr(data, "ndim", np.ndim(data)) != 1 or len(data) != rows:
        return None
    values = np.asarray(data[:])
    if values.dtype.kind not in "biufSUO" or _refers(values):
        return None
    if values.dtype.kind in "iu" and hasattr(column, "elements"):  # numbers of named values
        elements = [text_of(v) for v in np.asarray(column.elements.data[:]).tolist()]
        return [elements[k] for k in values.tolist()]
    if values.dtype.kind in "SUO":
        return [text_of(v) for v in values.tolist()]
    return list(values.tolist())


def _refers(values: np.ndarray) -> bool:
    return values.dtype.kind == "O" and not all(isinstance(v, str | bytes) for v in values)
