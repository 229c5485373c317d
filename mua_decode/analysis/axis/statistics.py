"""Corrections, confidence intervals, and the record of what every p-value means."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from mua_decode.types import InputError

CORRECTIONS = ("fdr_bh", "holm", "none")


@dataclass(frozen=True)
class TestNote:
    """What stands behind a column of p-values; a row of ``tests.csv``.

    Parameters
    ----------
    quantity
        Name of the result.
    test
        The test, in words, with its alternative.
    n
        What was counted, and how many.
    n_tests
        Number of tests corrected together.
    correction
        One of ``fdr_bh``, ``holm``, ``none``.
    """

    quantity: str
    test: str
    n: str
    n_tests: int
    correction: str


def correct(p: np.ndarray, correction: str) -> np.ndarray:
    """Adjust p-values for their number; NaN stays NaN and is not counted.

    Parameters
    ----------
    p
        Any shape.
    correction
        ``"fdr_bh"``: Benjamini and Hochberg 1995, false discovery rate. ``"holm"``: Holm 1979,
        family-wise error. ``"none"``.
    """
    if correction not in CORRECTIONS:
        raise InputError(f"correction must be one of {', '.join(CORRECTIONS)}; found {correction}")
    out = np.array(p, np.float64)
    known = ~np.isnan(out)
    values = out[known]
    if not len(values) or correction == "none":
        return out
    if correction == "fdr_bh":
        out[known] = stats.false_discovery_control(values)
        return out
    order = np.argsort(values)
    raised = values[order] * np.arange(len(values), 0, -1)
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(np.maximum.accumulate(raised), 1)
    out[known] = adjusted
    return out


def share(hits: np.ndarray, *, level: float = 0.95) -> tuple[float, float, float]:
    """Share of True with its exact (Clopper and Pearson 1934) confidence interval."""
    n = len(hits)
    if n == 0:
        return float("nan"), float("nan"), float("nan")
    interval = stats.binomtest(int(hits.sum()), n).proportion_ci(level, method="exact")
    return float(hits.mean()), float(interval.low), float(interval.high)


def median_interval(
    values: np.ndarray, *, rng: np.random.Generator, level: float = 0.95, draws: int = 2000
) -> tuple[float, float, float]:
    """Median of the finite values with its percentile bootstrap interval over them."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return float("nan"), float("nan"), float("nan")
    drawn = np.median(finite[rng.integers(0, len(finite), (draws, len(finite)))], axis=1)
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return float(np.median(finite)), float(low), float(high)


def columns_correlation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Pearson correlation of matching columns of two (M, N) arrays; NaN for a constant one."""
    x, y = a - a.mean(axis=0), b - b.mean(axis=0)
    size = np.sqrt((x * x).sum(axis=0) * (y * y).sum(axis=0))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(size > 0, (x * y).sum(axis=0) / size, np.nan)
