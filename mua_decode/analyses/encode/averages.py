"""What was recorded in one part of the split, averaged over the trials of each condition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True, eq=False, kw_only=True)
class Averages:
    """Recorded activity of Q conditions and N sites.

    Parameters
    ----------
    values
        float (Q, T, N).
    groups
        int (Q,): conditions that share recorded trials have one label; intervals are over them,
        tests average or permute them together.
    regions
        Name -> bool (N,).
    sessions
        Session of every site (N,). Intervals of means over sites are over sessions, whose sites
        share trials; a region or population of one session has none.
    """

    split: str
    values: np.ndarray
    conditions: Sequence[str]
    groups: np.ndarray
    regions: Mapping[str, np.ndarray]
    sessions: np.ndarray

    @cached_property
    def weight(self) -> np.ndarray:
        """float (N, G): what every site adds to the mean of each region."""
        return np.stack([m / m.sum() for m in self.regions.values()], axis=1)

    @cached_property
    def by_region(self) -> np.ndarray:
        """float (Q, T, G): means over the sites of each region."""
        return np.asarray(self.values @ self.weight)
