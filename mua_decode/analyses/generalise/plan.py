"""Options of generalisation: which conditions are held out, and how much data is left."""

from __future__ import annotations

from dataclasses import dataclass, field

from mua_decode.types import InputError


@dataclass(frozen=True, kw_only=True)
class HeldOutPlan:
    """Which conditions are held out; see :func:`mua_decode.analyses.generalise.sets.held_out_sets`.

    Parameters
    ----------
    combinations
        Colour × direction combinations, each held out on its own.
    pairs
        Share of the conditions held out as pairs of cue and stimulus; 0: no such set.
    others
        Sets of movies, or of conditions where there is neither.
    sets
        Sets of your own instead: names or patterns of the conditions of each.
    """

    combinations: int
    pairs: float
    others: int
    sets: tuple[tuple[str, ...], ...] | None = field(
        default=None, metadata={"expected": "lists of condition names"}
    )


@dataclass(frozen=True, kw_only=True)
class CurvePlan:
    """Which points of the learning curves are trained, beside the run itself.

    Raises InputError if a share is not in (0, 1) or a number is below 1.

    Parameters
    ----------
    sites
        Shares of the sites of every region, at least one site of each.
    train_trials
        Recorded training trials per condition and session.
    sessions
        Numbers of sessions.
    draws
        Random subsets of sites and of sessions; within one draw smaller subsets lie inside larger
        ones. The trials are thinned in one way.
    """

    sites: tuple[float, ...]
    train_trials: tuple[int, ...]
    sessions: tuple[int, ...]
    draws: int

    def __post_init__(self) -> None:
        if not all(0 < share < 1 for share in self.sites):
            raise InputError(f"curves.sites: expected shares in (0, 1), found {list(self.sites)}")
        if min([*self.train_trials, *self.sessions, self.draws]) < 1:
            raise InputError("curves: train_trials, sessions and draws must be at least 1")


@dataclass(frozen=True, kw_only=True)
class GeneralisePlan:
    """What is left out of training."""

    held_out: HeldOutPlan
    curves: CurvePlan
