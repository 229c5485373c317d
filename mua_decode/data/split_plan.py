"""How recorded trials are to be split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mua_decode.types import InputError, Stream

STREAMS = ("own", "shared")
APART = ("condition", "block")  # units that give every part conditions of its own


@dataclass(frozen=True, kw_only=True)
class SplitPlan:
    """How to split.

    Parameters
    ----------
    unit
        ``recorded_trial`` (sound), ``condition`` (every part has conditions of its own), ``block``
        (every part has blocks of time of a film of its own; see ``deal_blocks``),
        ``pseudo_trial`` (the published order; leaks) or ``published`` (the parts in which trials
        were stored).
    train, val, test
        Shares of the trials, or of the conditions where they are the unit; they sum to 1. Stored
        parts have shares of their own.
    n_folds, fold
        With ``n_folds``, the test part is fold number ``fold`` (0-based) of ``n_folds`` and
        ``val`` is the share of the remaining trials or conditions.
    held_out
        For unit ``condition``: names or wildcard patterns (``*-90``) of the test part's conditions;
        none: they are drawn, or a fold.
    train_trials
        Keep so many recorded training trials per condition and session (trials that share a
        presentation count as one); ``None`` keeps all. Val and test stay as they are, and a
        smaller number is a subset of a larger one.
    block_s, guard_s
        For unit ``block``: length of a block, and the least time between stretches of two parts,
        in seconds; ``guard_s`` of ``None`` is the counting window plus the lag.
    stream
        Random stream of the split: ``own``, or ``shared`` with the choice of sites and the order
        of pooled trials, as in runs that name none.
    """

    unit: str = "recorded_trial"
    train: float = 0.7
    val: float = 0.1
    test: float = 0.2
    n_folds: int | None = None
    fold: int = 0
    held_out: Sequence[str] = ()
    train_trials: int | None = None
    block_s: float | None = None
    guard_s: float | None = None
    stream: str = "own"

    def __post_init__(self) -> None:
        total = self.train + self.val + self.test
        shares = (self.train, self.val, self.test)
        if min(shares) < 0 or self.train == 0 or not abs(total - 1) <= 1e-6:
            raise InputError(
                f"split: train, val and test must be shares that sum to 1, train above 0, found "
                f"{self.train:g} + {self.val:g} + {self.test:g} = {total:g}"
            )
        if self.n_folds is not None and not (self.n_folds >= 2 and 0 <= self.fold < self.n_folds):
            raise InputError(
                f"split: need n_folds >= 2 and 0 <= fold < n_folds, found n_folds={self.n_folds}, "
                f"fold={self.fold}"
            )
        if self.held_out and (self.unit != "condition" or self.n_folds is not None):
            raise InputError(
                "split: held_out conditions go with unit=condition and without n_folds, found "
                f"unit={self.unit}, n_folds={self.n_folds}, held_out={list(self.held_out)}"
            )
        if self.unit in APART and not self.held_out and self.shares["test"] == 0:
            instead = ", or held_out" if self.unit == "condition" else ""
            raise InputError(f"split: unit={self.unit} needs a test share above 0{instead}")
        self._check_blocks()
        if self.train_trials is not None and self.train_trials < 1:
            raise InputError(f"split: train_trials must be at least 1, found {self.train_trials}")
        if self.train_trials is not None and self.unit in ("pseudo_trial", "published"):
            raise InputError("split: train_trials needs a split of recorded trials or conditions")
        if self.n_folds is not None and self.unit == "published":
            raise InputError(
                "split: unit=published has the parts that were stored and no folds; for folds "
                "set data.split.unit=recorded_trial"
            )
        if self.stream not in STREAMS:
            raise InputError(f"split: stream must be own or shared, found {self.stream}")

    def _check_blocks(self) -> None:
        if self.unit == "block" and self.block_s is None:
            raise InputError("split: unit=block needs data.split.block_s, the seconds of a block")
        if self.block_s is not None and not 0 < self.block_s < np.inf:
            raise InputError(f"split: block_s must be above 0 seconds, found {self.block_s}")
        if self.guard_s is not None and not 0 <= self.guard_s < np.inf:
            raise InputError(f"split: guard_s must be at least 0 seconds, found {self.guard_s}")

    def guarded(self, least_s: float) -> SplitPlan:
        """The plan with a guard of at least ``least_s``: the counting window plus the lag.

        Raises InputError if it has a shorter one.
        """
        if self.guard_s is not None and self.guard_s < least_s - 1e-6:
            raise InputError(
                f"split: guard_s={self.guard_s:g} is shorter than the counting window plus the "
                f"lag ({least_s:g} s); neighbouring frames would lie on both sides"
            )
        return replace(self, guard_s=least_s if self.guard_s is None else self.guard_s)

    def rng(self, seed: int, session: int) -> np.random.Generator:
        """Generator of the split of a session, by its number."""
        if self.stream == "shared":
            return np.random.default_rng([seed, session])
        return Stream.SPLIT.rng(seed, session)

    @property
    def shares(self) -> dict[str, float]:
        """Share of the trials in train, val and test; with folds test is one fold."""
        if self.n_folds is None:
            return {"train": self.train, "val": self.val, "test": self.test}
        test = 1 / self.n_folds
        val = (1 - test) * self.val / (self.train + self.val)
        return {"train": 1 - test - val, "val": val, "test": test}
