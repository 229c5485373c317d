"""Correlations of many sites, and the rows of ``tests.csv`` that say what their p-values are."""

from __future__ import annotations

import numpy as np

from mua_decode.statistics import CORRECTIONS
from mua_decode.types import HypothesisTable


def column_of_p(
    quantity: str, test: str, *, n: int, n_unit: str, n_tests: int, correction: str, note: str = ""
) -> HypothesisTable:
    """One row without a p-value that says what a whole column of them is.

    The column is ``{quantity}_p`` of ``sites.csv``, or of the table that ``note`` names; ``n``
    counts the independent units of each test, ``n_tests`` the tests corrected together.
    """
    how = "none" if correction == "none" else f"{CORRECTIONS[correction]} over {n_tests}"
    row = {
        "question": "which sites?",
        "group": "every site",
        "metric": quantity,
        "test": test,
        "n": n,
        "n_unit": n_unit,
        "correction": how,
    }
    return HypothesisTable.of_test(row, [note or f"column {quantity}_p of sites.csv"])


def columns_correlation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Pearson correlation of matching columns of two (M, N) arrays; NaN for a constant one."""
    x, y = a - a.mean(axis=0), b - b.mean(axis=0)
    size = np.sqrt((x * x).sum(axis=0) * (y * y).sum(axis=0))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(size > 0, (x * y).sum(axis=0) / size, np.nan)


def without_each_image(a: np.ndarray, b: np.ndarray, per_image: int) -> np.ndarray:
    """Correlation of matching columns of two (M · bins, N) arrays without image i, (M, N).

    Rows come image by image, ``per_image`` bins each. Empty with fewer than three images.
    """
    m = len(a) // per_image
    if m < 3:
        return np.empty((0, a.shape[1]))
    x, y = a - a.mean(axis=0), b - b.mean(axis=0)
    sums = [v.reshape(m, per_image, -1).sum(axis=1) for v in (x, y, x * x, y * y, x * y)]
    n = (m - 1) * per_image
    mx, my, xx, yy, xy = ((v.sum(axis=0) - v) / n for v in sums)
    size = np.sqrt(np.maximum(xx - mx * mx, 0) * np.maximum(yy - my * my, 0))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(size > 1e-12, (xy - mx * my) / size, np.nan)


def jackknife_variance(left_out: np.ndarray) -> float:
    """Variance of an estimate from its values (U,) without each unit in turn."""
    n = len(left_out)
    return float((n - 1) / n * np.square(left_out - left_out.mean()).sum())


def rows_correlation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Pearson correlation of every row of ``a`` with every row of ``b``; 0 for a constant one."""
    x, y = (unit_rows(v - v.mean(axis=1, keepdims=True)) for v in (a, b))
    return np.asarray(x @ y.T)


def unit_rows(v: np.ndarray) -> np.ndarray:
    """Rows of (M, P) over their length; rows of zeros stay."""
    length = np.linalg.norm(v, axis=1, keepdims=True)
    return np.asarray(v / np.where(length > 0, length, 1))
