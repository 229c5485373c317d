"""Values and columns of tables as the page shows them."""

from __future__ import annotations

from numbers import Integral, Number, Real

import pandas as pd

_LONG = 32  # characters of a cell from which it may break


def shown(value: object) -> str:
    """Return a value as the reader sees it: four digits, ``unknown`` for a missing number."""
    if value is None or value is pd.NA or value is pd.NaT:
        return "unknown"
    if isinstance(value, Real) and not isinstance(value, Integral | bool):
        number = float(value)
        return "unknown" if number != number else f"{number:.4g}"
    return str(value)


def plain_value(value: object) -> str:
    """Return what a value is sorted by: every digit of a number, empty where it is missing."""
    if value is None or value is pd.NA or value is pd.NaT or value != value:
        return ""
    return repr(float(value)) if isinstance(value, Real) else str(value)


def kinds(frame: pd.DataFrame) -> list[str]:
    """Class of each column's cells: numbers stand right, words left, and long ones may break."""
    return [_kind(frame.iloc[:, i]) for i in range(frame.shape[1])]


def _kind(column: pd.Series) -> str:
    if any(isinstance(v, Number) for v in column):
        return ""
    return "text long" if any(len(str(v)) > _LONG for v in column) else "text"
