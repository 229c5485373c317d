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
    errors: str  # how the tests' standard errors are had, where not from single responses


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
    per_image: int = 1,
    n_bins: int = 8,
) -> Ramps:
    """Measure ramp and flatness on held-out images.

    Axes (P, N) are ``weight`` as fitted, of any length. Of the features (M, P), the training ones
    give the covariance and the unit of projections. Below ``flat_fraction`` of the preferred slope
    an orthogonal slope counts as flat.

    The bins of an image are not independent and share a time course with those of other images.
    With ``per_image`` above 1 rows come image by image, each bin is taken about its mean over
    images, and variances are those of a jackknife over images (t with images - 3 degrees of
    freedom; Bell and McCaffrey 2002, Survey Methodology 28).
    """
    length = np.linalg.norm(weight, axis=0)
    preferred = (weight / np.where(length > 0, length, 1)).T
    covariance = np.atleast_2d(np.cov(x_train, rowvar=False))
    orthogonal = principal_orthogonal_axes(preferred, covariance)
    away = x_test - x_train.mean(axis=0)
    z1, z2 = (_scaled(away @ axes.T, axes, covariance) for axes in (preferred, orthogonal))
    slopes, variances, df = _regress(
        *(_within_bins(v, per_image) for v in (z1, z2, y_test)), per_image=per_image
    )
    (slope1, slope2), (v1, v2, v12) = slopes, variances
    f = flat_fraction
    spread = f * f * v1 + v2
    upper = _above(f * slope1 - slope2, spread - 2 * f * v12, df)
    lower = _above(f * slope1 + slope2, spread + 2 * f * v12, df)
    position, curve1 = _curve(z1, y_test, n_bins)
    away_from_first = y_test - np.nan_to_num(slope1) * (z1 - z1.mean(axis=0))
    curve2 = _curve(z2, away_from_first, n_bins)[1]
    return Ramps(
        slope_preferred=slope1,
        slope_orthogonal=slope2,
        p_preferred=_above(slope1, v1, df),
        p_orthogonal=2 * _above(np.abs(slope2), v2, df),
        p_flat=np.maximum(upper, lower),
        position=position,
        curve_preferred=curve1,
        curve_orthogonal=curve2,
        n_images=len(y_test) // per_image,
        errors="" if per_image == 1 else ", jackknife over images",
    )


def _within_bins(v: np.ndarray, per_image: int) -> np.ndarray:
    """Every bin less its mean over images, (images, bins, N)."""
    binned = v.reshape(-1, per_image, v.shape[1])
    return np.asarray(binned - binned.mean(axis=0))


def _regress(
    a: np.ndarray, b: np.ndarray, y: np.ndarray, *, per_image: int
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray], int]:
    """Slopes of y on a and b, all (images, bins, N) and centred; their (co)variances, and df."""
    pairs = ((a, a), (b, b), (a, b), (a, y), (b, y))
    products = np.stack([(u * v).sum(axis=1) for u, v in pairs])  # (5, images, N)
    total = products.sum(axis=1)
    slope1, slope2, determinant = _solve(total)
    m = len(y)
    df = m - 3
    if per_image == 1:
        noise = ((y - slope1 * a - slope2 * b) ** 2).sum(axis=(0, 1)) / df
        variances = (noise * total[1], noise * total[0], -noise * total[2])
        v1, v2, v12 = (v / determinant for v in variances)
    else:
        # Sums of products without image i, about the means without image i.
        without = total[:, None] - m / (m - 1) * products
        left1, left2, _ = _solve(without)
        d1, d2 = left1 - slope1, left2 - slope2
        v1, v2, v12 = ((m - 1) / m * (u * v).sum(axis=0) for u, v in ((d1, d1), (d2, d2), (d1, d2)))
    return (slope1, slope2), (v1, v2, v12), df


def _solve(sums: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Both slopes from sums of aa, bb, ab, ay, by (5, ...), and the determinant."""
    saa, sbb, sab, say, sby = sums
    determinant = saa * sbb - sab**2
    ok = determinant > 1e-9 * np.maximum(saa * sbb, 1e-300)
    determinant = np.where(ok, determinant, np.nan)
    return (
        (sbb * say - sab * sby) / determinant,
        (saa * sby - sab * say) / determinant,
        determinant,
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
