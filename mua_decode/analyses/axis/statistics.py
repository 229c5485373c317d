"""Correlations of many sites, and the record of what every column of p-values means."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


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


def columns_correlation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Pearson correlation of matching columns of two (M, N) arrays; NaN for a constant one."""
    x, y = a - a.mean(axis=0), b - b.mean(axis=0)
    size = np.sqrt((x * x).sum(axis=0) * (y * y).sum(axis=0))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(size > 0, (x * y).sum(axis=0) / size, np.nan)
