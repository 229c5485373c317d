"""Tables as the page shows them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Integral, Number, Real

import pandas as pd

_MOST_ROWS = 1000
_LONG = 32  # characters of a cell from which it may break


def shown(value: object) -> str:
    """Return a value as the reader sees it: four digits, ``unknown`` for a missing number."""
    if value is None or value is pd.NA or value is pd.NaT:
        return "unknown"
    if isinstance(value, Real) and not isinstance(value, Integral | bool):
        number = float(value)
        return "unknown" if number != number else f"{number:.4g}"
    return str(value)


@dataclass(frozen=True)
class Column:
    """Heading of a column, and the class of its cells: words stand left, long ones may break."""

    name: str
    kind: str


@dataclass(frozen=True, eq=False)
class ShownTable:
    """A table's columns, its rows as pairs of value and column, and what its caption adds."""

    columns: list[Column]
    rows: Iterable[Iterable[tuple[object, Column]]]
    cut: str


def shown_table(frame: pd.DataFrame) -> ShownTable:
    """Return the first rows of a table; the index is not shown."""
    columns = [
        Column(str(name).replace("_", " "), _kind(frame.iloc[:, i]))
        for i, name in enumerate(frame.columns)
    ]
    head = frame.head(_MOST_ROWS).itertuples(index=False, name=None)
    rows = (zip(row, columns, strict=True) for row in head)
    cut = f" (first {_MOST_ROWS} of {len(frame)} rows)" if len(frame) > _MOST_ROWS else ""
    return ShownTable(columns, rows, cut)


def _kind(column: pd.Series) -> str:
    if any(isinstance(v, Number) for v in column):
        return ""
    return "text long" if any(len(str(v)) > _LONG for v in column) else "text"
