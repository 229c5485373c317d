"""What a calibration case is, and how it is judged."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from mua_decode.statistics import Interval
from mua_decode.types import HypothesisTable

Kind = Literal["size", "power", "coverage", "says"]
BOUNDS = {"size": (0.03, 0.07), "power": (0.2, 1.0), "coverage": (0.92, 0.97), "says": (1.0, 1.0)}
ASKED = {"question": "q", "group": "g", "metric": "m"}
_ALPHA = 0.05


@dataclass(frozen=True)
class Case:
    """One number of the table.

    Parameters
    ----------
    function
        Exported name.
    structure, n
        What depends on what, and how much of it there is, in words.
    kind
        ``size``: share of p ≤ .05 where nothing is; ``power``: where something is; ``coverage`` of
        the truth; ``says``: share of results absent, or inconclusive, with the reason in words.
    draw
        Takes a generator and draws one data set; whether it rejects, covers or says.
    draws
        Data sets in a whole campaign.
    target, theory
        Rate that theory fixes where it is neither .05 nor .95, and why; bounds are scaled to it.
    """

    function: str
    structure: str
    n: str
    kind: Kind
    draw: Callable[[np.random.Generator], bool]
    draws: int = 2000
    target: float = 0.0
    theory: str = ""

    @property
    def title(self) -> str:
        return f"{self.function}: {self.structure}, {self.n}, {self.kind}"

    @property
    def bounds(self) -> tuple[float, float]:
        low, high = BOUNDS[self.kind]
        if not self.target:
            return low, high
        if self.kind == "coverage":
            part = (1 - self.target) / _ALPHA
            return 1 - (1 - low) * part, 1 - (1 - high) * part
        return low * self.target / _ALPHA, high * self.target / _ALPHA


@dataclass(frozen=True)
class Rate:
    """A case as it was found in some draws."""

    case: Case
    rate: float
    draws: int

    @property
    def error(self) -> float:
        """Monte Carlo standard error; that of the nearest bound where every draw says the same."""
        low, high = self.case.bounds
        p = self.rate if 0 < self.rate < 1 else min(max(self.rate, low), high)
        return float((p * (1 - p) / self.draws) ** 0.5)

    @property
    def sound(self) -> bool:
        """Whether it lies within its bounds or no more than two Monte Carlo errors beside."""
        low, high = self.case.bounds
        return low - 2 * self.error <= self.rate <= high + 2 * self.error


def run(case: Case, *, seed: int, scale: float = 1.0) -> Rate:
    """Draw a case; its numbers depend on the seed and its title alone."""
    rng = np.random.default_rng([seed, zlib.crc32(case.title.encode())])
    n = 5 if case.kind == "says" else max(10, round(case.draws * scale))
    return Rate(case, float(np.mean([case.draw(rng) for _ in range(n)])), n)


def rejects(table: HypothesisTable | float | np.ndarray) -> bool:
    """p ≤ .05; a test without p does not reject."""
    p = table.frame["p"].iloc[0] if isinstance(table, HypothesisTable) else table
    return bool(p <= _ALPHA + 1e-12)


def covers(found: Interval | HypothesisTable, truth: float = 0.0) -> bool:
    """Whether an interval, or that of the effect in the first row, holds the truth."""
    if isinstance(found, HypothesisTable):
        row = found.frame.iloc[0]
        return bool(row["low"] <= truth <= row["high"])
    return found.low <= truth <= found.high


def absent(found: Interval | HypothesisTable, why: str) -> bool:
    """Whether there is no interval, or no p, and the reason is given in these words."""
    if isinstance(found, HypothesisTable):
        row = found.frame.iloc[0]
        return bool(np.isnan(row["p"]) and np.isnan(row["low"]) and why in row["note"])
    return bool(np.isnan(found.low) and np.isnan(found.high) and why in found.reason)


def unsure(found: HypothesisTable, why: str) -> bool:
    """Whether a p that cannot fall below .05 says so."""
    row = found.frame.iloc[0]
    return bool(row["p"] > _ALPHA and why in row["note"])
