"""MATLAB files of both kinds (v5 to v7 through SciPy, v7.3 through h5py): tables and cells.

Only numbers and text are taken; function handles and objects are refused. Older files are parsed in
a process of its own (:mod:`mua_decode.recordings.matlab_v5`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd

from mua_decode.limits import check_memory
from mua_decode.recordings.files import check_dataset, is_matlab_5, named, open_hdf5
from mua_decode.recordings.matlab_v5 import Refused, load_variables
from mua_decode.types import InputError, nearest_name

_OBJECT = (
    "a function handle or an object; expected numbers, text, cells and structs "
    "(save a table with table2struct(T, 'ToScalar', true))"
)

_MOST_ROWS = 1 << 22  # of a table, which is one row per trial or unit


def read_mat(path: Path, names: Sequence[str]) -> dict[str, Any]:
    """Read variables by name, whatever the case of its letters; those not there are left out.

    Returns
    -------
    Variable name as asked for -> DataFrame (a struct, or array of structs, of columns), object
    array (a cell array, of numbers or text), number array, or text. Axes are MATLAB's.
    """
    try:
        if is_matlab_5(path):
            return _read_v5(path, names)
        with open_hdf5(path) as file:
            found = _pick(path, [k for k in file if not k.startswith("#")], names)
            reader = _Hdf5Variables(file)
            return {n: reader.read(file[k], f"{path}: {k}") for n, k in found.items()}
    except RecursionError as error:
        raise InputError(f"{path}: variables are nested too deeply") from error


def _pick(path: Path, present: Sequence[str], names: Sequence[str]) -> dict[str, str]:
    by_lower = {k.lower(): k for k in present}
    found = {n: by_lower[n.lower()] for n in names if n.lower() in by_lower}
    if not found:
        raise InputError(
            f"{path}: has no variable '{names[0]}'{nearest_name(names[0], present)}; "
            f"found: {', '.join(present) or 'none'}"
        )
    return found


def _read_v5(path: Path, names: Sequence[str]) -> dict[str, Any]:
    present, raw = load_variables(path, names)
    found = _pick(path, present, names)
    return {n: _from_scipy(raw[k], f"{path}: {k}") for n, k in found.items()}


def _from_scipy(value: Any, where: str) -> Any:
    if isinstance(value, str):
        return value
    if isinstance(value, Refused):
        raise InputError(f"{where}: refused, it holds {_OBJECT}")
    if isinstance(value, dict):
        return _table({name: _column(field, where) for name, field in value.items()}, where)
    if value.dtype.kind == "O":
        cells = np.empty(value.shape, object)
        for i, cell in np.ndenumerate(value):
            cells[i] = _from_scipy(cell, where)
        return cells
    return _numbers(value, where)


def _column(field: np.ndarray, where: str) -> list[Any]:
    """One column of a table: a struct of columns has one entry, an array of structs one per row."""
    entries = [_from_scipy(v, where) for v in field.ravel()]
    if len(entries) > 1:
        return [_scalar(e) for e in entries]
    return _rows(entries[0])


class _Hdf5Variables:
    """Variables of an open v7.3 file; what several cells refer to is read once and shared."""

    def __init__(self, file: h5py.File) -> None:
        self._file = file
        self._cells: dict[int, Any] = {}  # by address in the file
        self._open: set[int] = set()  # those that are being read

    def read(self, item: Any, where: str) -> Any:
        """Return a variable, or what a cell holds."""
        kind = item.attrs.get("MATLAB_class", b"")
        kind = kind.decode() if isinstance(kind, bytes) else str(kind)
        if kind in ("function_handle", "FileWrapper__") or "MATLAB_object_decode" in item.attrs:
            raise InputError(f"{where}: refused, it holds {_OBJECT}")
        if isinstance(item, h5py.Group):
            for name, column in item.items():
                if getattr(column, "size", 0) > _MOST_ROWS:
                    raise InputError(f"{where}.{name}: declares {column.size:,} rows; refused")
            return _table({n: _rows(self._once(item[n], f"{where}.{n}")) for n in item}, where)
        if "MATLAB_empty" in item.attrs:
            return "" if kind == "char" else np.empty((0, 0))
        with named(where):
            check_dataset(item, Path(str(item.file.filename)))
        if h5py.check_ref_dtype(item.dtype) is not None:
            references = item[()].T  # HDF5 has MATLAB's axes in reverse
            cells = np.empty(references.shape, object)
            for i, reference in np.ndenumerate(references):
                if not reference:
                    raise InputError(f"{where}: a cell refers to nothing; the file is damaged")
                cells[i] = self._once(self._file[reference], where)
            return cells
        values = np.asarray(_numbers(item, where)[()]).T
        return "".join(chr(int(c)) for c in values.ravel()) if kind == "char" else values

    def _once(self, item: Any, where: str) -> Any:
        address = h5py.h5o.get_info(item.id).addr
        if address in self._open:
            raise InputError(f"{where}: a cell holds itself; the file is damaged")
        if address not in self._cells:
            self._open.add(address)
            self._cells[address] = self.read(item, where)
            self._open.discard(address)
        return self._cells[address]


def _numbers(array: Any, where: str) -> Any:
    if array.dtype.kind not in "fiub":
        raise InputError(f"{where}: expected numbers or text, found {array.dtype}")
    return array


def _rows(column: Any) -> list[Any]:
    """One entry per row; text is a single one."""
    return [column] if isinstance(column, str) else [_scalar(v) for v in np.ravel(column)]


def _scalar(value: Any) -> Any:
    """One entry of a table: a number, text, or NaN where it is empty."""
    if isinstance(value, np.ndarray):
        if value.size > 1:
            return value
        return value.ravel()[0] if value.size else np.nan
    return value


def _table(columns: dict[str, list[Any]], where: str) -> pd.DataFrame:
    """Columns of one length; fields of another length (a table's properties) are left out."""
    lengths = [len(v) for v in columns.values()]
    if not lengths:
        raise InputError(f"{where}: a table without columns")
    rows = max(set(lengths), key=lengths.count)
    whole = {name: values for name, values in columns.items() if len(values) == rows}
    return pd.DataFrame({n: pd.Series(values).infer_objects() for n, values in whole.items()})


def spike_cells(cells: Any, where: str) -> Iterator[tuple[int, int, np.ndarray]]:
    """Yield (trial, unit, times) of a trials x units cell array of spike times.

    An InputError if it is none, or a cell holds anything but real numbers in order.
    """
    n_bytes = 0
    if not isinstance(cells, np.ndarray) or cells.dtype != object or cells.ndim != 2:
        found = getattr(cells, "shape", type(cells).__name__)
        raise InputError(f"{where}: expected a trials x units cell array, found {found}")
    for (trial, unit), cell in np.ndenumerate(cells):
        times = np.asarray(cell)
        if times.size == 0:
            continue
        place = f"{where}{{{trial + 1},{unit + 1}}}"
        if times.dtype.kind not in "fiu" or max(times.shape) != times.size:
            raise InputError(f"{place}: expected a vector of seconds, found {times.shape}")
        n_bytes += 8 * times.size  # many cells may share one vector of the file
        check_memory(3 * n_bytes, where)
        flat = times.ravel().astype(np.float64)
        if not np.isfinite(flat).all() or (np.diff(flat) < 0).any():
            raise InputError(f"{place}: spike times are not in order, or not numbers")
        yield trial, unit, flat
