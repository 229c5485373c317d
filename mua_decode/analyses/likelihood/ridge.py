"""Ridge regression of many targets, penalty per target by folds that keep groups whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# Relative to the mean eigenvalue of X'X of the training rows.
PENALTIES = 10.0 ** np.arange(-4, 3.01, 0.5)


@dataclass(frozen=True, eq=False)
class Ridge:
    """A fit, ``y = (x - mean) @ weight + intercept``, and what it missed on its inner folds."""

    mean: np.ndarray  # (D,)
    weight: np.ndarray  # (D, N)
    intercept: np.ndarray  # (N,)
    penalty: np.ndarray  # (N,): chosen, relative to the mean eigenvalue
    residual: np.ndarray  # (M, N): training targets less their prediction out of fold

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Predict (M, N) from (M, D)."""
        return np.asarray((x - self.mean) @ self.weight + self.intercept)


def fit_ridge(x: np.ndarray, y: np.ndarray, folds: Sequence[np.ndarray]) -> Ridge:
    """Fit targets (M, N) to features (M, D); ``folds`` are rows that are held out in turn."""
    guess = np.zeros((len(PENALTIES), *y.shape))
    for fold in folds:
        rest = np.setdiff1d(np.arange(len(x)), fold)
        solved = _Solved(x[rest], y[rest])
        for i, penalty in enumerate(PENALTIES):
            guess[i, fold] = solved.predict(x[fold], np.full(y.shape[1], penalty))
    best = np.square(guess - y).sum(axis=1).argmin(axis=0)
    whole, penalty = _Solved(x, y), PENALTIES[best]
    return Ridge(
        mean=whole.mean,
        weight=whole.weight(penalty),
        intercept=whole.intercept,
        penalty=penalty,
        residual=y - guess[best, :, np.arange(y.shape[1])].T,
    )


class _Solved:
    """Training rows decomposed on their smaller side."""

    def __init__(self, x: np.ndarray, y: np.ndarray) -> None:
        self.mean, self.intercept = x.mean(axis=0), y.mean(axis=0)
        centred = x - self.mean
        wide = x.shape[1] > len(x)
        value, vector = np.linalg.eigh(centred @ centred.T if wide else centred.T @ centred)
        kept = value > max(value[-1], 1e-300) * max(x.shape) * np.finfo(np.float64).eps
        value, vector = value[kept], vector[:, kept]
        self.value = value
        self.axes = centred.T @ vector / np.sqrt(value) if wide else vector
        self.cross = self.axes.T @ (centred.T @ (y - self.intercept))
        self.scale = value.mean() if len(value) else 1.0

    def shrunk(self, penalty: np.ndarray) -> np.ndarray:
        return np.asarray(self.cross / (self.value[:, None] + penalty * self.scale))

    def predict(self, x: np.ndarray, penalty: np.ndarray) -> np.ndarray:
        return np.asarray((x - self.mean) @ self.axes @ self.shrunk(penalty) + self.intercept)

    def weight(self, penalty: np.ndarray) -> np.ndarray:
        return np.asarray(self.axes @ self.shrunk(penalty))
