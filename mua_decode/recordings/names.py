"""Names of sessions and columns as files can hold them, and table columns as they are kept."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

PERCENT = "percent"  # how a file says that its names are escaped


def escaped(name: str) -> str:
    """Return a name without what HDF5 and NWB cannot have in one; see :func:`unescaped`."""
    dots = name.strip(".") == ""  # "." is the group itself
    return re.sub(r"[%/:\0.]" if dots else r"[%/:\0]", _percent, name) or "%"


def unescaped(name: str) -> str:
    """Return the name that was given to :func:`escaped`."""
    return (
        re.sub(r"%([0-9A-F]{2})", lambda found: chr(int(found[1], 16)), name) if name != "%" else ""
    )


def kept_values(column: pd.Series) -> np.ndarray:
    """Return a column as files keep it: numbers and truth values as they are, all else as text."""
    values = column.to_numpy()
    return values if values.dtype.kind in "biuf" else np.array([str(v) for v in values], object)


def _percent(found: re.Match[str]) -> str:
    return f"%{ord(found[0]):02X}"
