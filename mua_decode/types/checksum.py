"""One text that tells whether two contents are the same, wherever they were read from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass

import numpy as np
import pandas as pd

_BLOCK = 1 << 24  # bytes of an array that are looked at together
_Update = Callable[[bytes | memoryview], None]


def checksum(content: object) -> str:
    """SHA-256, 64 hexadecimal digits, of arrays, tables, plain values, dataclasses and sequences.

    Every piece is preceded by what it is (type, shape, names of columns and fields), so that no
    two contents run together into the same bytes. Text has no width and a table no row labels.
    Numbers in fields count as floats, whether they were written 1 or 1.0.
    """
    digest = hashlib.sha256()
    _enter(digest.update, content)
    return digest.hexdigest()


def _enter(update: _Update, content: object) -> None:
    if is_dataclass(content):
        names = [f.name for f in fields(content)]
        _head(update, type(content).__name__, names)
        for name in names:
            value = getattr(content, name)
            number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
            _enter(update, float(value) if number else value)
    elif isinstance(content, pd.DataFrame):
        _head(update, "table", [len(content), *map(_typed, content.columns)])
        for column in range(content.shape[1]):
            _enter(update, content.iloc[:, column].to_numpy())
    elif isinstance(content, np.ndarray):
        _enter_array(update, content)
    elif isinstance(content, list | tuple):
        _head(update, "sequence", len(content))
        for part in content:
            _enter(update, part)
    else:
        _head(update, "value", _typed(content))


def _enter_array(update: _Update, array: np.ndarray) -> None:
    if array.dtype.kind not in "biufcmM":
        _head(update, "objects", [list(array.shape), *map(_typed, array.ravel().tolist())])
        return
    _head(update, "array", [array.dtype.str, list(array.shape)])
    if not array.size:
        return
    rows = np.atleast_1d(array)
    step = max(1, _BLOCK * len(rows) // rows.nbytes)
    for first in range(0, len(rows), step):  # only a block that is not contiguous is copied
        block = np.ascontiguousarray(rows[first : first + step])
        update(block.reshape(-1).view(np.uint8).data)


def _head(update: _Update, kind: str, what: object) -> None:
    update(json.dumps([kind, what]).encode() + b"\n")  # JSON has no bare line break: it ends here


def _typed(value: object) -> list[object]:
    """Give a value with its type, as JSON can write it."""
    if isinstance(value, np.generic):
        value = value.item()
    kind = type(value).__name__
    if value is None or isinstance(value, bool | int | float | str):
        return [kind, value]
    if isinstance(value, np.ndarray):
        return [kind, value.dtype.str, list(value.shape), *map(_typed, value.ravel().tolist())]
    if isinstance(value, list | tuple):
        return [kind, *map(_typed, value)]
    if isinstance(value, Mapping):
        return [kind, *([_typed(key), _typed(entry)] for key, entry in value.items())]
    return [kind, str(value)]
