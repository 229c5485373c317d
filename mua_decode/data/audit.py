"""Counts the recorded data that training and test share."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mua_decode.data.blocks import Neighbours, Stretches
from mua_decode.data.split_plan import SplitPlan
from mua_decode.types import LeakState, PseudoTrials, StimulusSet


class LeakError(RuntimeError):
    """A split that claims to be free of leaks shares recorded data between train and test."""


@dataclass(frozen=True)
class LeakAudit:
    """Result of :func:`audit_leakage`.

    ``shared`` counts the (site, presentation) pairs that feed both parts, ``None`` where they
    cannot be counted; ``test`` those that feed the test part, and ``state`` is what the split says
    of itself. Where blocks of a film are held apart, ``shared`` counts the (site, presentation,
    stretch) of the test part that training has, or has within ``guard_s`` in any presentation.
    ``neighbours`` counts the frames of the test part of a film that training has, or has close by.
    """

    shared: int | None
    test: int
    state: LeakState
    guard_s: float | None = None
    neighbours: Neighbours | None = None

    @property
    def line(self) -> str:
        """One sentence for tables and logs."""
        if self.shared is None:
            return (
                f"{self.state.value}; which recorded trials feed both training and the "
                f"{self.test} site-trials of the test part cannot be counted"
            )
        frames = "" if self.neighbours is None else f"; {self.neighbours.line}"
        near = "" if self.guard_s is None else f" or lie within {self.guard_s:g} s of it"
        share = self.shared / self.test if self.test else 0.0
        return (
            f"{self.state.value}: {self.shared} of {self.test} recorded site-trials of the test "
            f"part ({share:.1%}) also feed training{near}{frames}"
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
        tested, trained = map(_conditions, (test, train))
        close = np.isin(test.pool.condition, tested[films.near(tested, trained, guard_s or 0.0)])
        audit = LeakAudit(int((used_test & close).sum()), n_test, state, guard_s)
    if audit.shared and state is LeakState.FREE:
        raise LeakError(
            f"the split claims to be free of leaks, but {audit.shared} of {audit.test} recorded "
            "site-trials feed both train and test"
            + ("" if films is None else f", or lie within {guard_s or 0:g} s of each other")
        )
    return audit


def audit_parts(
    train: PseudoTrials,
    test: PseudoTrials,
    *,
    state: LeakState,
    stimuli: StimulusSet,
    plan: SplitPlan,
) -> LeakAudit:
    """Audit as :func:`audit_leakage` does, and the frames of a film whatever its split."""
    if not Stretches.are(stimuli):
        return audit_leakage(train, test, state=state, guard_s=plan.guard_s)
    films, guard_s = Stretches.of(stimuli), plan.guard_s or 0.0
    held = films if plan.unit == "block" else None
    found = audit_leakage(train, test, state=state, films=held, guard_s=guard_s)
    tested, trained = map(_conditions, (test, train))
    near = films.neighbours(
        tested, trained, bin_s=test.pool.bin_s, n_bins=test.pool.n_bins, guard_s=guard_s
    )
    return replace(found, neighbours=near)


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
