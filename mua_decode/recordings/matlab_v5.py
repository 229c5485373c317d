"""MATLAB files older than v7.3, parsed by SciPy in a process of its own.

A damaged file can crash SciPy's parser or have it take all memory; then that process ends, and this
one says so in one line. What comes back is JSON and plain numbers, nothing that could run code.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mua_decode.recordings.child import ask_child
from mua_decode.types import InputError

_CHILD = Path(__file__).with_name("matlab_child.py")


class Refused:
    """Stands for a function handle or an object in the file."""


def load_variables(path: Path, names: Sequence[str]) -> tuple[list[str], dict[str, Any]]:
    """Read variables by name, whatever the case of its letters.

    Returns
    -------
    The names of all variables there are; and of those read, by name as it is in the file, a number
    array, text, object array (cells), mapping of field name to object array (a struct), or
    :class:`Refused`; the same inside cells and structs.

    Raises InputError if the file cannot be parsed, or does not fit into memory.
    """
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "numbers"
        present, tree = _ask(path, str(out), *names)
        data = np.fromfile(out, np.uint8)
    return present, {name: _value(node, data) for name, node in tree.items()}


def _ask(path: Path, *arguments: str) -> Any:
    """Have the other process parse, within memory and time that its size accounts for."""
    try:
        return json.loads(ask_child(_CHILD, path, *arguments))
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: cannot be read, it is truncated or damaged") from error


def _value(node: list[Any], data: np.ndarray) -> Any:
    kind = node[0]
    if kind == "numbers":
        _, dtype, shape, offset = node
        n_bytes = np.dtype(dtype).itemsize * int(np.prod(shape, dtype=np.int64))
        return data[offset : offset + n_bytes].view(dtype).reshape(shape)
    if kind == "text":
        return node[1]
    if kind == "cells":
        return _cells(node[1], node[2], data)
    if kind == "struct":
        return {name: _cells(node[1], entries, data) for name, entries in node[2].items()}
    return Refused() if kind == "refused" else np.empty(0, node[1])


def _cells(shape: Sequence[int], nodes: Sequence[list[Any]], data: np.ndarray) -> np.ndarray:
    cells = np.empty(len(nodes), object)
    for i, node in enumerate(nodes):
        cells[i] = _value(node, data)
    return cells.reshape(tuple(shape))
