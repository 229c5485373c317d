"""Correlations of many sites, and the record of what every column of p-values means."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class TestNote:
    """What stands behind a whole column of p-values; a row of ``tests.csv``."""

    quantity: str  # what was measured
    test: str  # in words, with its alternative
    n: str  # what was counted, and how many: "48 held-out images"
    n_tests: int  # corrected together
    correction: str  # "fdr_bh", "holm" or "none"


def columns_correlation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Pearson correlation of matching columns of two (M, N) arrays; NaN for a constant one."""
    x, y = a - a.mean(axis=0), b - b.mean(axis=0)
    size = np.sqrt((x * x).sum(axis=0) * (y * y).sum(axis=0))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(size > 0, (x * y).sum(axis=0) / size, np.nan)


def rows_correlation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Pearson correlation of every row of ``a`` with every row of ``b``; 0 for a constant one."""
    x, y = (unit_rows(v - v.mean(axis=1, keepdims=True)) for v in (a, b))
    return np.asarray(x @ y.T)


def unit_rows(v: np.ndarray) -> np.ndarray:
    """Rows of (M, P) over their length; rows of zeros stay."""
    length = np.linalg.norm(v, axis=1, keepdims=True)
    return np.asarray(v / np.where(length > 0, length, 1))
