"""Counts the recorded data that training and test share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mua_decode.types import LeakState, PseudoTrials


class LeakError(RuntimeError):
    """A split that claims to be free of leaks shares recorded data between train and test."""


@dataclass(frozen=True)
class LeakAudit:
    """Result of :func:`audit_leakage`.

    ``shared`` counts the (site, presentation) pairs that feed both parts, ``None`` where they
    cannot be counted; ``test`` those that feed the test part, and ``state`` is what the split says
    of itself.
    """

    shared: int | None
    test: int
    state: LeakState

    @property
    def line(self) -> str:
        """One sentence for tables and logs."""
        if self.shared is None:
            return (
                f"{self.state.value}; which recorded trials feed both training and the "
                f"{self.test} site-trials of the test part cannot be counted"
            )
        share = self.shared / self.test if self.test else 0.0
        return (
            f"{self.state.value}: {self.shared} of {self.test} recorded site-trials of the test "
            f"part ({share:.1%}) also feed training"
        )


def audit_leakage(train: PseudoTrials, test: PseudoTrials, *, state: LeakState) -> LeakAudit:
    """Compare the provenance of two sets of pseudo-trials.

    What was pooled before it was stored hides what it was made of: nothing is counted then.

    Raises LeakError if ``state`` is "free of leaks" and any recorded site-trial feeds both.
    """
    used_test = _used(test)
    n_test = int(used_test.sum())
    if state is LeakState.UNKNOWN:
        return LeakAudit(None, n_test, state)
    audit = LeakAudit(int((_used(train) & used_test).sum()), n_test, state)
    if audit.shared and state is LeakState.FREE:
        raise LeakError(
            f"the split claims to be free of leaks, but {audit.shared} of {audit.test} recorded "
            "site-trials feed both train and test"
        )
    return audit


def _used(pseudo: PseudoTrials) -> np.ndarray:
    """Boolean (presentations, N): this site's data from this presentation are used."""
    pool = pseudo.pool
    used = np.zeros((pool.presentation.max() + 1, len(pool.sites)), bool)
    columns = pseudo.sites()
    used[pool.presentation[pseudo.source_trial, columns], columns] = True
    return used
