"""Options of the scores of a continuous film."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mua_decode.types import InputError

LAGS = ("run", "best")
NETWORKS = ("own", "folds")


@dataclass(frozen=True, kw_only=True)
class FilmPlan:
    """What is asked of a run on a film.

    Parameters
    ----------
    lags_s
        Lags of the curve, in seconds; spikes follow frames by them.
    lag
        ``run``: all is decoded at the lag of the run. ``best``: at the best of the curve, found
        anew on the training part of every fold; the network is trained again at it.
    alphas
        Penalties of the curve's ridge, relative to the mean eigenvalue.
    lengths_s
        Lengths of stretches to identify, in seconds, whole numbers of bins.
    folds
        Of blocks of time, in which floors are fitted; ``None``: one for every block, at most 10.
    network
        Where blocks are held out: ``own`` tests the network on those it was trained without,
        ``folds`` trains one in every fold, so that every block is tested.
    shifts
        Circular shifts of the responses that make the null.
    trials_per_condition
        Test trials of every stretch that are decoded; ``None``: all.
    film_s
        Seconds of the test part that the films of true and decoded frames show.
    """

    lags_s: tuple[float, ...]
    lag: str
    alphas: tuple[float, ...]
    lengths_s: tuple[float, ...]
    folds: int | None
    network: str
    shifts: int
    trials_per_condition: int | None
    film_s: float

    def __post_init__(self) -> None:
        if not self.lags_s or not np.isfinite(self.lags_s).all():
            raise InputError(f"lags_s: expected seconds, found {list(self.lags_s)}")
        for name, known in (("lag", LAGS), ("network", NETWORKS)):
            if getattr(self, name) not in known:
                raise InputError(
                    f"{name}: choose from {', '.join(known)}, found {getattr(self, name)}"
                )
        for name in ("alphas", "lengths_s"):
            values = getattr(self, name)
            if not values or min(values) <= 0:
                raise InputError(f"{name}: expected numbers above 0, found {list(values)}")
        if self.folds is not None and self.folds < 2:
            raise InputError(f"folds: expected at least 2, found {self.folds}")
        if not 0 < self.film_s < np.inf:
            raise InputError(f"film_s: expected seconds above 0, found {self.film_s}")
        if self.shifts < 1:
            raise InputError(f"shifts: expected at least 1, found {self.shifts}")
        if self.trials_per_condition is not None and self.trials_per_condition < 1:
            raise InputError(
                f"trials_per_condition: expected at least 1, found {self.trials_per_condition}"
            )
