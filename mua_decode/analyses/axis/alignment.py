"""Do imagined responses lie along the axes? Correlations over objects that all sites share."""

from __future__ import annotations

import numpy as np
from scipy import stats

from mua_decode.analyses.axis.statistics import columns_correlation, jackknife_variance
from mua_decode.statistics import Interval, pooled_interval

_CLIP = 1 - 1e-6  # of a correlation, before Fisher's transform


def along_axis(
    imagined: np.ndarray,
    projected: np.ndarray,
    reactivated: np.ndarray,
    n_permutations: int,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, float, float]:
    """Correlation over objects of imagined and projected response, (O, N) each, site by site.

    Returns it (N,) and its one-sided p (N,), objects permuted; then the median over the
    reactivated sites, bool (N,), and its p, from the same permutations.
    """
    r = np.nan_to_num(columns_correlation(imagined, projected))
    larger, above = np.zeros(len(r)), 0
    median = float(np.median(r[reactivated])) if reactivated.any() else float("nan")
    for _ in range(n_permutations):
        permuted = imagined[rng.permutation(len(imagined))]
        null = np.nan_to_num(columns_correlation(permuted, projected))
        larger += null >= r - 1e-12
        if reactivated.any():
            above += float(np.median(null[reactivated])) >= median - 1e-12
    p_median = (1 + above) / (1 + n_permutations) if reactivated.any() else float("nan")
    return r, (1 + larger) / (1 + n_permutations), median, p_median


def correlation_interval(
    imagined: np.ndarray,
    projected: np.ndarray,
    asked: np.ndarray,
    units: np.ndarray,
    *,
    level: float = 0.95,
) -> Interval:
    """Median correlation over the asked sites, bool (N,), with its interval.

    It speaks for other units (labels (N,)) and for other objects: all sites imagine the same few
    objects, so what sites have in common about an object (one that is vivid, say) makes all their
    correlations err together, which a spread over sites or sessions does not show. On Fisher's
    scale the half width over units and that over objects (jackknife, t with O - 1 degrees of
    freedom; Efron and Tibshirani 1993, chapter 11) are added in squares, a little too wide, since
    noise of single sites and objects counts in both. No interval with one unit.

    Parameters
    ----------
    imagined, projected
        float (O, N).
    """

    def centred(keep: np.ndarray) -> np.ndarray:
        r = np.nan_to_num(columns_correlation(imagined[keep][:, asked], projected[keep][:, asked]))
        return np.asarray(np.arctanh(np.clip(r, -_CLIP, _CLIP)))

    n = len(imagined)
    z = centred(np.arange(n))
    over_units = pooled_interval(z, np.asarray(units)[asked], of="median", level=level)
    middle = float(np.median(np.tanh(z))) if len(z) else float("nan")
    if np.isnan(over_units.low):
        return Interval(middle)
    left_out = np.array([np.median(centred(np.delete(np.arange(n), o))) for o in range(n)])
    half = stats.t.ppf((1 + level) / 2, n - 1) * jackknife_variance(left_out) ** 0.5
    below, above = (abs(end - over_units.estimate) for end in over_units[1:])
    low = np.tanh(over_units.estimate - np.hypot(below, half))
    high = np.tanh(over_units.estimate + np.hypot(above, half))
    return Interval(middle, float(low), float(high))
