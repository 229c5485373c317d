"""Correlations of pairs of trials, added up by condition and by value."""

from __future__ import annotations

import numpy as np

from mua_decode.data.recorded import SessionTrials

SAME, CROSS = 0, 1
"""Pairs of training trials, and pairs of a training with a test trial."""
BINS = 400
"""Bins of the distribution of r, equal in [-1, 1]."""


class Tally:
    """Correlations of pairs of trials of ``n_conditions`` conditions.

    ``sums``, float (2, 2, K, K): for training pairs and for train-test pairs, the sum of r and the
    number of pairs by the conditions of the two trials; of training pairs each stands twice.
    ``bins``, int (2, 2, BINS): for the same two, how many pairs of one condition and of two have
    an r in each of ``BINS`` equal parts of [-1, 1], each pair once.
    """

    def __init__(self, n_conditions: int) -> None:
        self.sums = np.zeros((2, 2, n_conditions, n_conditions))
        self.bins = np.zeros((2, 2, BINS), np.int64)

    def add(self, kind: int, a: SessionTrials, b: SessionTrials) -> None:
        """Compare every trial of ``a`` with every one of ``b``, which is ``a`` for ``SAME``.

        Trials of one presentation share recorded data and are not compared.
        """
        r = correlations(a, b)
        valid = np.isfinite(r) & (a.presentation[:, None] != b.presentation[None, :])
        left, right = (
            (x.condition[None, :] == np.arange(self.sums.shape[2])[:, None]).astype(np.float32)
            for x in (a, b)
        )
        self.sums[kind, 0] += left @ np.where(valid, r, 0) @ right.T
        self.sums[kind, 1] += np.rint(left @ valid.astype(np.float32) @ right.T)
        once = np.triu(valid, 1) if kind == SAME else valid
        alike = a.condition[:, None] == b.condition[None, :]
        for other, pairs in enumerate((once & alike, once & ~alike)):
            place = ((r[pairs] + 1) * (BINS / 2)).astype(np.int64).clip(0, BINS - 1)
            self.bins[kind, other] += np.bincount(place, minlength=BINS)


def correlations(a: SessionTrials, b: SessionTrials) -> np.ndarray:
    """Pearson correlations (A, B) over the bins of the sites observed in both trials, float32.

    Unobserved values are 0, so that sums over common sites are products with the other trial's
    mask; the only large product is that of the activities.
    """
    x, y = a.values * a.observed[:, None, :], b.values * b.observed[:, None, :]
    seen_a, seen_b = a.observed.astype(np.float32), b.observed.astype(np.float32)
    n = a.values.shape[1] * (seen_a @ seen_b.T)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean_x, mean_y = x.sum(axis=1) @ seen_b.T / n, seen_a @ y.sum(axis=1).T / n
        var_x = (x * x).sum(axis=1) @ seen_b.T / n - mean_x**2
        var_y = seen_a @ (y * y).sum(axis=1).T / n - mean_y**2
        cross = x.reshape(len(x), -1) @ y.reshape(len(y), -1).T / n
        size = np.sqrt(var_x * var_y)
        # Rounding leaves a constant trial a tiny variance.
        flat = (var_x < 1e-6) | (var_y < 1e-6)
        return np.asarray(np.where(flat, np.nan, (cross - mean_x * mean_y) / size))
