"""Identification among N candidates."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.special import gammaln

from mua_decode.statistics import Units, unit_interval


def beaten(likeness: np.ndarray) -> np.ndarray:
    """Share of the other candidates less like the trial than its own, (M, R).

    Takes likenesses (M, R, M), row m of condition m; a tie is no win.
    """
    m = len(likeness)
    own = np.take_along_axis(likeness, np.arange(m)[:, None, None], axis=2)
    return np.asarray((likeness < own).sum(axis=2) / max(1, m - 1))


def accuracy(beaten_share: np.ndarray, size: int, candidates: int) -> np.ndarray:
    """Chance that ``candidates`` - 1 others, drawn from ``size`` - 1, are all beaten."""
    others, asked = size - 1, candidates - 1
    won = np.round(np.asarray(beaten_share) * others)
    possible = won >= asked
    safe = np.where(possible, won, asked)
    log = gammaln(safe + 1) - gammaln(safe - asked + 1)
    log -= gammaln(others + 1) - gammaln(others - asked + 1)
    return np.asarray(np.where(possible, np.exp(log), 0.0))


def curve(
    trials: pd.DataFrame, candidates: Sequence[int], *, groups: str, rng: np.random.Generator
) -> pd.DataFrame:
    """Accuracy of single trials by method and number of candidates, 95 % interval over groups.

    ``trials`` has the columns method, group, beaten and size: one row per method and held-out
    trial. Numbers above a fold's size are left out; its whole size is always asked.
    """
    size = int(trials["size"].min())
    rows = []
    for method, part in trials.groupby("method", sort=False):
        units = Units(groups, part["group"].to_numpy().astype(str)[:, None])
        for n in sorted({c for c in candidates if c < size} | {size}):
            own = accuracy(part["beaten"].to_numpy(), size, n)
            found = unit_interval(own, units, rng=rng)
            rows.append(
                {"method": method, "candidates": n, "accuracy": own.mean(), "low": found.low,
                 "high": found.high, "chance": 1 / n, "n": units.count(own), "n_unit": groups}
            )  # fmt: skip
    return pd.DataFrame(rows)
