"""What is independent among values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from mua_decode.types import InputError

FEW = 20  # units; a bootstrap over fewer is too narrow (K = 4: covers .81, K = 8: .87)
_CROSSED = " × "


@dataclass(frozen=True, eq=False)
class Units:
    """What is independent among M values: one kind of unit, or factors of a crossed design.

    64 conditions that share 4 cues are 4 independent values of whatever depends on the cue. Raises
    InputError if the levels do not fit the name.

    Parameters
    ----------
    name
        What one unit is, plural: ``cues``; of crossed factors ``cues × colours``.
    levels
        str (M, F): level of every value in each of the F factors.
    """

    name: str
    levels: np.ndarray

    def __post_init__(self) -> None:
        n = len(self.name.split(_CROSSED))
        if self.levels.ndim != 2 or self.levels.shape[1] != n:
            raise InputError(
                f"units '{self.name}': expected levels (M, {n}), found {self.levels.shape}"
            )

    @classmethod
    def each(cls, n: int, name: str = "conditions") -> Units:
        """Every one of n values a unit of its own."""
        return cls(name, np.arange(n).astype(str)[:, None])

    @classmethod
    def crossed(cls, factors: Iterable[tuple[str, np.ndarray]]) -> Units:
        """Name and labels (M,) of every factor."""
        named = list(factors)
        levels = np.stack([np.asarray(labels).astype(str) for _, labels in named], axis=1)
        return cls(_CROSSED.join(name for name, _ in named), levels)

    @classmethod
    def of_columns(cls, name: str, labels: Iterable[str]) -> Units:
        """Read back what :attr:`labels` wrote."""
        return cls(name, np.array([str(label).split(_CROSSED) for label in labels], str))

    @classmethod
    def of(cls, unit: str | Units, n: int) -> Units:
        """Units of n values: those given, or every value one of its own, called as the text says.

        Raises InputError if units are given for another number of values.
        """
        if isinstance(unit, str):
            return cls.each(n, unit)
        if len(unit.levels) != n:
            raise InputError(f"units '{unit.name}': expected {len(unit.levels)} values, found {n}")
        return unit

    @property
    def labels(self) -> list[str]:
        """Levels of every value as one text, those of crossed factors joined."""
        return [_CROSSED.join(row) for row in self.levels]

    @property
    def shared(self) -> bool:
        """Whether values share units, so that they are fewer than the values."""
        return any(len(np.unique(column)) < len(column) for column in self.levels.T)

    def count(self, values: np.ndarray) -> int:
        """Levels that have a value, of the factor with the fewest: what limits a conclusion."""
        known = self.levels[~np.isnan(np.asarray(values, float))]
        return min((len(np.unique(column)) for column in known.T), default=0) if len(known) else 0

    def lacking(self, values: np.ndarray) -> str:
        """Why values (M,) give neither interval nor p; empty where units suffice for both.

        Two do, but not two levels of a factor that is crossed with others (2 × 64 values: size
        .13): how much they differ by chance cannot be told from the noise of what they meet.
        """
        n = self.count(values)
        if n > 2 or (n == 2 and self.levels.shape[1] == 1):
            return ""
        if not n:
            return "no value"
        name, among = self._fewest(values), " of a crossed design" if n == 2 else ""
        return f"{'one' if n == 1 else 'two'} of the {name}{among}, no interval over {name}"

    def _fewest(self, values: np.ndarray) -> str:
        """Name of the factor with the fewest levels that have a value."""
        known = self.levels[~np.isnan(np.asarray(values, float))]
        number = [len(np.unique(column)) for column in known.T]
        return self.name.split(_CROSSED)[int(np.argmin(number))]

    @property
    def code(self) -> np.ndarray:
        """Number of the unit of every value, int (M,); of crossed factors, of their combination."""
        return np.unique(self.levels, axis=0, return_inverse=True)[1].reshape(-1)

    def where(self, chosen: np.ndarray) -> Units:
        """Units of some of the values, by mask or index."""
        return Units(self.name, self.levels[chosen])

    def means(self, values: np.ndarray) -> list[np.ndarray]:
        """Mean of the values (M,) of every level, one array per factor; NaN is left out."""
        values = np.asarray(values, float)
        if values.shape != (len(self.levels),):
            raise InputError(
                f"units '{self.name}': expected values ({len(self.levels)},), found {values.shape}"
            )
        known = ~np.isnan(values)
        out = []
        for column in self.levels[known].T:
            code = np.unique(column, return_inverse=True)[1]
            out.append(np.bincount(code, values[known]) / np.bincount(code))
        return out
