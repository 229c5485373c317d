"""Which recorded trials may be used for fitting, for choosing and for testing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mua_decode.types.errors import InputError
from mua_decode.types.leaks import LeakState

PARTS = ("train", "val", "test")
_UNITS = ("recorded_trial", "condition", "block", "pseudo_trial", "published")


@dataclass(frozen=True, eq=False)
class Split:
    """Recorded trials of every session in train, val and test; made before pooling.

    Raises InputError if two parts share a recorded trial while the split claims to be free of
    leaks.

    Parameters
    ----------
    trials
        ``trials[part][session]`` is an int array of rows of that session's trials table.
    unit
        ``"recorded_trial"``: recorded trials are split and then pooled. ``"pseudo_trial"``: the
        published order, pooled and then split; every part draws from all trials and test data
        leak into training. ``"condition"``: whole conditions are held out for testing.
        ``"block"``: blocks of time of a film are, with a guard between them and the others.
        ``"published"``: the parts in which the trials were stored.
    held_out
        Conditions that training never sees (units ``"condition"`` and ``"block"``).
    stored
        The trials were pooled before they were stored, so that no split of them is known to be
        free of leaks.
    """

    trials: Mapping[str, Mapping[str, np.ndarray]]
    unit: str
    seed: int
    held_out: tuple[int, ...] = ()
    stored: bool = False

    def __post_init__(self) -> None:
        if self.unit not in _UNITS:
            raise InputError(
                f"split unit '{self.unit}' is unknown; use recorded_trial, condition, block, "
                "pseudo_trial (the published order, which leaks) or published (the stored parts)"
            )
        if set(self.trials) != set(PARTS):
            raise InputError(f"split: parts must be {PARTS}, found {tuple(self.trials)}")
        if self.pooled_first:
            return
        for session in self.trials["train"]:
            parts = [self.trials[p][session] for p in PARTS]
            joined = np.concatenate(parts)
            if len(np.unique(joined)) != len(joined):
                raise InputError(f"split: session '{session}' has a trial in two parts")

    def select_sessions(self, names: Sequence[str]) -> Split:
        """Return the split restricted to the named sessions."""
        trials = {part: {n: rows[n] for n in names} for part, rows in self.trials.items()}
        return replace(self, trials=trials)

    @property
    def pooled_first(self) -> bool:
        """Whether trials are pooled before they are split (the published order)."""
        return self.unit == "pseudo_trial"

    @property
    def leaks(self) -> LeakState:
        """Whether test data can reach training."""
        return LeakState.of(self.unit, stored=self.stored)
