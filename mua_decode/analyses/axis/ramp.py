"""The ramp along the preferred axis and the flatness along the principal orthogonal axis."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy import stats

_SITES = 256  # decomposed together


@dataclass(frozen=True, eq=False)
class Ramps:
    """Responses to held-out images as a function of two projections, per site.

    Slopes are in spikes per second per standard deviation of the projection, from one regression
    on both, so that neither stands in for the other where features are correlated.
    """

    # float64 (N,), as are the p-values.
    slope_preferred: np.ndarray
    slope_orthogonal: np.ndarray
    p_preferred: np.ndarray  # one-sided t test, slope along the preferred axis above 0
    p_orthogonal: np.ndarray  # two-sided t test, slope along the orthogonal axis not 0
    # Equivalence (two one-sided t tests): the orthogonal slope is smaller in size than
    # ``flat_fraction`` of the preferred slope.
    p_flat: np.ndarray
    # float64 (Q,): mean projection of Q bins of equally many images, in standard deviations.
    position: np.ndarray
    # float64 (N, Q): mean response per bin; along the orthogonal axis after the part explained by
    # the preferred projection is taken away.
    curve_preferred: np.ndarray
    curve_orthogonal: np.ndarray
    n_images: int


def principal_orthogonal_axes(preferred: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """Direction of most variance among those orthogonal to each preferred axis, (N, P).

    Chang and Tsao 2017, doi 10.1016/j.cell.2017.05.011. ``preferred`` are unit axes (N, P), or rows
    of zeros; ``covariance`` (P, P) is that of the training features.
    """
    c = torch.from_numpy(covariance)
    out = np.empty_like(preferred)
    for start in range(0, len(preferred), _SITES):
        a = torch.from_numpy(preferred[start : start + _SITES])
        away = torch.eye(len(c), dtype=c.dtype) - a[:, :, None] * a[:, None]
        vector = torch.linalg.eigh(away @ c @ away)[1][:, :, -1]
        out[start : start + _SITES] = vector.numpy()
    return out


def measure_ramps(
    weight: np.ndarray,
    *,
    x_train: np.ndarray,
    x_test: np.ndarray,
    y_test: np.ndarray,
    flat_fraction: float,
    n_bins: int = 8,
) -> Ramps:
    """Measure ramp and flatness on held-out images.

    Axes (P, N) are ``weight`` as fitted, of any length. Of the features (M, P), the training ones
    give the covariance and the unit of projections. Below ``flat_fraction`` of the preferred slope
    an orthogonal slope counts as flat.
    """
    length = np.linalg.norm(weight, axis=0)
    preferred = (weight / np.where(length > 0, length, 1)).T
    covariance = np.atleast_2d(np.cov(x_train, rowvar=False))
    orthogonal = principal_orthogonal_axes(preferred, covariance)
    away = x_test - x_train.mean(axis=0)
    z1, z2 = (_scaled(away @ axes.T, axes, covariance) for axes in (preferred, orthogonal))
    y = y_test - y_test.mean(axis=0)
    a, b = z1 - z1.mean(axis=0), z2 - z2.mean(axis=0)
    saa, sbb, sab = (a * a).sum(0), (b * b).sum(0), (a * b).sum(0)
    determinant = saa * sbb - sab**2
    ok = determinant > 1e-9 * np.maximum(saa * sbb, 1e-300)
    determinant = np.where(ok, determinant, np.nan)
    say, sby = (a * y).sum(0), (b * y).sum(0)
    slope1 = (sbb * say - sab * sby) / determinant
    slope2 = (saa * sby - sab * say) / determinant
    df = len(y) - 3
    noise = ((y - slope1 * a - slope2 * b) ** 2).sum(0) / df
    v1, v2, v12 = (noise * s / determinant for s in (sbb, saa, -sab))
    f = flat_fraction
    spread = f * f * v1 + v2
    upper = _above(f * slope1 - slope2, spread - 2 * f * v12, df)
    lower = _above(f * slope1 + slope2, spread + 2 * f * v12, df)
    mean = y_test.mean(axis=0)
    position, curve1 = _curve(z1, y + mean, n_bins)
    curve2 = _curve(z2, y - np.nan_to_num(slope1) * a + mean, n_bins)[1]
    return Ramps(
        slope_preferred=slope1,
        slope_orthogonal=slope2,
        p_preferred=_above(slope1, v1, df),
        p_orthogonal=2 * _above(np.abs(slope2), v2, df),
        p_flat=np.maximum(upper, lower),
        position=position,
        curve_preferred=curve1,
        curve_orthogonal=curve2,
        n_images=len(y),
    )


def _above(value: np.ndarray, variance: np.ndarray, df: int) -> np.ndarray:
    """One-sided p-value of a t test that a value of this variance is above 0."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(stats.t.sf(value / np.sqrt(variance), df))


def _scaled(projection: np.ndarray, axes: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """Projections (M, N) in standard deviations of the training images."""
    sd = np.sqrt(np.einsum("np,pq,nq->n", axes, covariance, axes))
    return np.asarray(projection / np.where(sd > 0, sd, 1))


def _curve(z: np.ndarray, y: np.ndarray, n_bins: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean position (Q,) and mean response (N, Q) in bins of equally many images."""
    order = np.argsort(z, axis=0)
    bins = np.array_split(np.arange(len(z)), min(n_bins, len(z)))
    sorted_z, sorted_y = (np.take_along_axis(v, order, axis=0) for v in (z, y))
    position = np.array([sorted_z[b].mean() for b in bins])
    return position, np.stack([sorted_y[b].mean(axis=0) for b in bins], axis=1)
