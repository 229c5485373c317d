"""Stretches of a film dealt out by blocks of time, with a gap between the parts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mua_decode.types import InputError, StimulusSet

_COLUMNS = ("film", "start_s", "stop_s")
_TOLERANCE = 1e-6


@dataclass(frozen=True)
class Neighbours:
    """Frames of the test part, and how many of them training has, or has close by.

    Parameters
    ----------
    frames
        Moments of the film that the test part has.
    seen
        Those of them that training has, in whichever repeat.
    before, behind
        Those with a moment of training less than the guard before, or behind them: between the
        windows of the two.
    guard_s
        Seconds.
    """

    frames: int
    seen: int
    before: int
    behind: int
    guard_s: float

    @property
    def line(self) -> str:
        """Half a sentence for tables and logs."""
        return (
            f"of {self.frames} frames of the test part training has {self.seen}, and within "
            f"{self.guard_s:g} s before {self.before} and behind {self.behind} of them another"
        )


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

    @staticmethod
    def are(stimuli: StimulusSet) -> bool:
        """Whether the conditions are stretches of a film."""
        return all(c in stimuli.conditions.columns for c in _COLUMNS)

    @classmethod
    def of(cls, stimuli: StimulusSet) -> Stretches:
        """Read the columns ``film``, ``start_s`` and ``stop_s`` of the conditions.

        Raises InputError if they are missing.
        """
        table = stimuli.conditions
        if not cls.are(stimuli):
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

    def neighbours(
        self, tested: np.ndarray, trained: np.ndarray, *, bin_s: float, n_bins: int, guard_s: float
    ) -> Neighbours:
        """Count frames of tested stretches that lie among, before and behind those of training.

        Parameters
        ----------
        tested, trained
            int (A,), (B,): conditions.
        bin_s, n_bins
            Step of the bins, seconds, and bins of a stretch, each with a frame of its own.
        """
        window_s = float((self.stop_s - self.start_s).max()) - (n_bins - 1) * bin_s
        reach_s = guard_s + window_s - _TOLERANCE
        found = np.zeros(4, int)
        for film in np.unique(self.film[tested]):
            one, other = (
                self._frames(part[self.film[part] == film], bin_s, n_bins)
                for part in (tested, trained)
            )
            padded = np.concatenate([[-np.inf], other, [np.inf]])
            before = one - padded[np.searchsorted(other, one, side="left")]
            behind = padded[np.searchsorted(other, one, side="right") + 1] - one
            seen = np.isin(one, other)
            close = [gap * bin_s < reach_s for gap in (before, behind)]
            found += [len(one), seen.sum(), close[0].sum(), close[1].sum()]
        frames, own, early, late = map(int, found)
        return Neighbours(frames, own, early, late, guard_s)

    def _frames(self, conditions: np.ndarray, bin_s: float, n_bins: int) -> np.ndarray:
        """Bins of the film that some stretches have, int, sorted."""
        first = np.rint(self.start_s[conditions] / bin_s).astype(int)
        return np.unique(first[:, None] + np.arange(n_bins))

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
