"""Counts the recorded data that training and test share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mua_decode.data.blocks import Stretches
from mua_decode.types import LeakState, PseudoTrials


class LeakError(RuntimeError):
    """A split that claims to be free of leaks shares recorded data between train and test."""


@dataclass(frozen=True)
class LeakAudit:
    """Result of :func:`audit_leakage`.

    ``shared`` counts the (site, presentation) pairs that feed both parts, ``None`` where they
    cannot be counted; ``test`` those that feed the test part, and ``state`` is what the split says
    of itself. Where blocks of a film are held apart, ``shared`` counts the (site, presentation,
    stretch) of the test part that training has, or has within ``guard_s`` in any presentation.
    """

    shared: int | None
    test: int
    state: LeakState
    guard_s: float | None = None

    @property
    def line(self) -> str:
        """One sentence for tables and logs."""
        if self.shared is None:
            return (
                f"{self.state.value}; which recorded trials feed both training and the "
                f"{self.test} site-trials of the test part cannot be counted"
            )
        near = "" if self.guard_s is None else f" or lie within {self.guard_s:g} s of it"
        share = self.shared / self.test if self.test else 0.0
        return (
            f"{self.state.value}: {self.shared} of {self.test} recorded site-trials of the test "
            f"part ({share:.1%}) also feed training{near}"
        )


def audit_leakage(
    train: PseudoTrials,
    test: PseudoTrials,
    *,
    state: LeakState,
    films: Stretches | None = None,
    guard_s: float | None = None,
) -> LeakAudit:
    """Compare the provenance of two sets of pseudo-trials.

    Parameters
    ----------
    films
        Where in which film every condition lies, if blocks of time were held apart: then a
        presentation may serve both parts, at times at least ``guard_s`` apart.
    guard_s
        Seconds; the counting window plus the lag at least.

    What was pooled before it was stored hides what it was made of: nothing is counted then.

    Raises LeakError if ``state`` is "free of leaks" and any recorded site-trial feeds both.
    """
    used_test = _used(test) if films is None else _used_rows(test)
    n_test = int(used_test.sum())
    if state is LeakState.UNKNOWN:
        return LeakAudit(None, n_test, state)
    if films is None:
        audit = LeakAudit(int((_used(train) & used_test).sum()), n_test, state)
    else:
        near = films.near(*map(_conditions, (test, train)), guard_s or 0.0)
        close = np.isin(test.pool.condition, _conditions(test)[near])
        audit = LeakAudit(int((used_test & close).sum()), n_test, state, guard_s)
    if audit.shared and state is LeakState.FREE:
        raise LeakError(
            f"the split claims to be free of leaks, but {audit.shared} of {audit.test} recorded "
            "site-trials feed both train and test"
            + ("" if films is None else f", or lie within {guard_s or 0:g} s of each other")
        )
    return audit


def _used(pseudo: PseudoTrials) -> np.ndarray:
    """Boolean (presentations, N): this site's data from this presentation are used."""
    pool = pseudo.pool
    used = np.zeros((pool.presentation.max() + 1, len(pool.sites)), bool)
    columns = pseudo.sites()
    used[pool.presentation[pseudo.source_trial, columns], columns] = True
    return used


def _used_rows(pseudo: PseudoTrials) -> np.ndarray:
    """Boolean (R, N): this row of the site's session, one stretch of a presentation, is used."""
    used = np.zeros(pseudo.pool.condition.shape, bool)
    used[pseudo.source_trial, pseudo.sites()] = True
    return used


def _conditions(pseudo: PseudoTrials) -> np.ndarray:
    """Conditions that any site's data are from, int, sorted; what was recorded counts."""
    return np.unique(pseudo.pool.condition[_used_rows(pseudo)])
