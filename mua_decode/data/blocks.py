"""Stretches of a film dealt out by blocks of time, with a gap between the parts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mua_decode.types import InputError, StimulusSet

_COLUMNS = ("film", "start_s", "stop_s")
_TOLERANCE = 1e-6


@dataclass(frozen=True, eq=False)
class Stretches:
    """Where in which film every condition lies.

    Parameters
    ----------
    film
        int (K,).
    start_s, stop_s
        float (K,): seconds of the trial in which its spikes are counted.
    """

    film: np.ndarray
    start_s: np.ndarray
    stop_s: np.ndarray

    @classmethod
    def of(cls, stimuli: StimulusSet) -> Stretches:
        """Read the columns ``film``, ``start_s`` and ``stop_s`` of the conditions.

        Raises InputError if they are missing.
        """
        table = stimuli.conditions
        if any(c not in table.columns for c in _COLUMNS):
            raise InputError(
                "split: unit=block needs stretches of a film, whose conditions have columns "
                "film, start_s and stop_s; cut it with data.cut.length_s"
            )
        film = np.unique(table["film"].astype(str), return_inverse=True)[1]
        return cls(film, table["start_s"].to_numpy(float), table["stop_s"].to_numpy(float))

    def gap_s(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """Seconds between conditions, (A, B): below 0 where they overlap, inf across films."""
        later = np.maximum(self.start_s[one][:, None], self.start_s[other])
        earlier = np.minimum(self.stop_s[one][:, None], self.stop_s[other])
        same = self.film[one][:, None] == self.film[other]
        return np.where(same, later - earlier, np.inf)

    def near(self, one: np.ndarray, other: np.ndarray, guard_s: float) -> np.ndarray:
        """Whether each of ``one``, bool (A,), lies less than ``guard_s`` from any of ``other``."""
        gap = self.gap_s(one, other)
        return np.asarray((gap < guard_s - _TOLERANCE).any(axis=1))

    def blocks(self, block_s: float) -> np.ndarray:
        """Number of the block of time in which every condition starts, int (K,)."""
        place = np.floor(self.start_s / block_s + _TOLERANCE).astype(int)
        per_film = place.max(initial=0) + 1
        return np.unique(self.film * per_film + place, return_inverse=True)[1]

    def guarded(
        self, dealt: dict[str, np.ndarray], blocks: np.ndarray, guard_s: float
    ) -> dict[str, np.ndarray]:
        """Conditions of every part, given the blocks dealt to each; the guards are in none.

        Test gives way to no part, val to test, and train to both.

        Raises InputError if nothing is left of a part that has blocks.
        """
        parts: dict[str, np.ndarray] = {}
        for part in ("test", "val", "train"):
            own = np.flatnonzero(np.isin(blocks, dealt[part]))
            others = np.concatenate([np.empty(0, int), *parts.values()])
            parts[part] = own[~self.near(own, others, guard_s)]
            if len(own) and not len(parts[part]):
                raise InputError(
                    f"split: a guard of {guard_s:g} s leaves the {part} part nothing of its blocks;"
                    " make data.split.block_s longer, or data.cut.length_s shorter"
                )
        return parts
