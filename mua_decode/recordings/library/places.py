"""In which region a unit or channel lies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mua_decode.recordings.files import load_csv
from mua_decode.types import InputError, nearest_name


@dataclass(frozen=True, kw_only=True)
class UnitPlaces:
    """How the region of every unit is known; the first that is given counts.

    Parameters
    ----------
    everywhere
        One region for all.
    table
        CSV file with a column ``region`` and one that the units have too (``id``, ``channel``).
    depths
        [region, from, to] of each stretch of the probe, in the units of column ``depth``.
    depth
        Column of the units with the place along the probe; of raw voltage ``y`` in micrometres.
    column
        Column of the units with the region.
    """

    everywhere: str | None = None
    table: str | None = None
    depths: Sequence[Sequence[Any]] | None = None
    depth: str = "y"
    column: str | None = None

    def regions(self, units: pd.DataFrame, where: str) -> np.ndarray:
        """Region of every unit, text (N,).

        Raises InputError if nothing is given, or a unit lies nowhere.
        """
        if self.everywhere is not None:
            return np.full(len(units), self.everywhere)
        if self.table is not None:
            return self._from_table(units, Path(self.table).expanduser(), where)
        if self.depths is not None:
            return self._by_depth(units, where)
        if self.column is None:
            raise InputError(
                f"{where}: nothing says where the units lie; set recording.places.everywhere, "
                f".table, .depths or .column, which may be: {', '.join(map(str, units.columns))}"
            )
        return _column(units, self.column, where).astype(str).to_numpy()

    def _from_table(self, units: pd.DataFrame, path: Path, where: str) -> np.ndarray:
        if not path.is_file():
            raise InputError(f"recording.places.table: no such file: {path}")
        table = load_csv(path)
        keys = [c for c in table.columns if c in units.columns and c != "region"]
        if "region" not in table.columns or len(keys) != 1:
            raise InputError(
                f"{path}: expected the column region and one of "
                f"{', '.join(map(str, units.columns))}, found {', '.join(map(str, table.columns))}"
            )
        known = dict(zip(table[keys[0]].map(_key), table["region"].astype(str), strict=True))
        wanted = units[keys[0]].map(_key)
        lost = [str(k) for k in wanted if k not in known]
        if lost:
            raise InputError(
                f"{where}: {path} has no region of {len(lost)} of {len(units)} units "
                f"({keys[0]} {', '.join(lost[:3])})"
            )
        return np.array([known[k] for k in wanted])

    def _by_depth(self, units: pd.DataFrame, where: str) -> np.ndarray:
        depth = pd.to_numeric(_column(units, self.depth, where), errors="coerce").to_numpy(float)
        found = np.full(len(units), "", dtype=object)
        for given in self.depths or ():
            try:
                name, low, high = str(given[0]), float(given[1]), float(given[2])
            except (TypeError, ValueError, IndexError) as error:
                raise InputError(
                    f"recording.places.depths: expected [region, from, to], found {given}"
                ) from error
            found[(depth >= low) & (depth < high) & (found == "")] = name
        lost = found == ""
        if lost.any():
            raise InputError(
                f"{where}: {int(lost.sum())} of {len(units)} units lie in none of "
                f"recording.places.depths ({self.depth}={depth[lost][0]:g})"
            )
        return found.astype(str)


def _column(units: pd.DataFrame, name: str, where: str) -> pd.Series:
    if name not in units.columns:
        raise InputError(
            f"{where}: units have no column '{name}'{nearest_name(name, map(str, units.columns))}; "
            f"found: {', '.join(map(str, units.columns))}"
        )
    return units[name]


def _key(value: object) -> str:
    """A number as text is that number."""
    try:
        return f"{float(value):g}"  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return str(value)
