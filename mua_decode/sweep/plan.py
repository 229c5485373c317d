"""Options of a sweep."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler

from mua_decode.sweep.space import Space
from mua_decode.types import InputError


@dataclass(frozen=True, kw_only=True)
class SweepPlan:
    """What is searched, by how many trials, and how workers look after them.

    Parameters
    ----------
    name
        Of the study and, with a number, of every trial.
    storage
        URL of the study's database; ``None``: a file in the folder of the sweep.
    grid
        Whether every combination of the points of the space is tried, whatever the sampler.
    heartbeat_s, grace_s
        How often a running trial says that it is alive, and how long it may be silent.
    retries
        How often a trial whose worker died is run again.
    sampler
        Makes the sampler of one trial from its seed.
    pruner
        Stops bad trials early.

    Raises
    ------
    InputError
        If a number is wrong, or the sampler refuses its options.
    """

    name: str
    storage: str | None
    workers: int
    seed: int
    n_trials: int
    grid: bool
    heartbeat_s: int
    grace_s: int
    retries: int
    space: Space
    sampler: Callable[..., BaseSampler]
    pruner: BasePruner

    def __post_init__(self) -> None:
        for name, found, least in (
            ("workers", self.workers, 1),
            ("sweep.n_trials", self.n_trials, 1),
            ("sweep.retries", self.retries, 0),
        ):
            if found < least:
                raise InputError(f"{name}: expected a number >= {least}, found {found}")
        if not 1 <= self.heartbeat_s < self.grace_s:
            raise InputError(
                "sweep: expected 1 <= heartbeat_s < grace_s, found "
                f"{self.heartbeat_s} and {self.grace_s}"
            )
        if not self.grid:
            self.sampler(seed=0)
        elif self.n_trials > (number := len(self.space.combinations())):
            raise InputError(
                f"sweep.n_trials: the grid has {number} combinations, found {self.n_trials}"
            )
