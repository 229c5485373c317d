"""Correlations of predicted with recorded activity; NaN where one of the two is constant."""

from __future__ import annotations

import numpy as np
import torch

from mua_decode.metrics.pixel_correlation import pearson


def correlate(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Pearson correlation along the first axis of (D, ...) arrays."""
    flat = [torch.from_numpy(np.array(a, float).reshape(len(a), -1).T) for a in (x, y)]
    return np.asarray(pearson(*flat).numpy().reshape(x.shape[1:]))


def pooled_r(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Correlation (M,) of (Q, T, M) over time × conditions."""
    return correlate(*(v.reshape(-1, v.shape[2]) for v in (x, y)))


def time_r(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Correlation (Q, ...) of (Q, T, ...) over time within each condition."""
    return correlate(x.swapaxes(0, 1), y.swapaxes(0, 1))


def moments_r(
    x: np.ndarray, y: np.ndarray, xx: np.ndarray, yy: np.ndarray, xy: np.ndarray
) -> np.ndarray:
    """Correlation from the means of x, y, x², y² and xy."""
    varies = (xx - x * x > 1e-12 * xx) & (yy - y * y > 1e-12 * yy)
    spread = np.where(varies, (xx - x * x) * (yy - y * y), 1)
    return np.where(varies, (xy - x * y) / np.sqrt(spread), np.nan)


def nan_mean(values: np.ndarray) -> np.ndarray:
    """Mean over the first axis of what is finite; NaN where nothing is."""
    known = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(known, values, 0).sum(axis=0) / known.sum(axis=0))


def signed_square(r: np.ndarray) -> np.ndarray:
    """Square of r with its sign: a prediction that is wrong way round explains nothing."""
    return np.asarray(r * np.abs(r))
