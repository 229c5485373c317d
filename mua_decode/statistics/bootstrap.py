"""Intervals of an estimate: whole clusters resampled, crossed factors, shares, medians."""

from __future__ import annotations

import numpy as np
from scipy import optimize, special, stats

from mua_decode.statistics.crossed import mean_of_units
from mua_decode.statistics.intervals import Interval, NoInterval
from mua_decode.statistics.pooled import pooled_interval
from mua_decode.statistics.units import FEW, Units
from mua_decode.types import InputError

_LEAST_OF_SHARE = 8  # counts of 7 values are so coarse that mid-P covers more than .97
_LEAST_OF_MEDIAN = 6  # the whole range of 5 values holds their median 94 % of the time


def cluster_bootstrap(
    values: np.ndarray,
    clusters: np.ndarray | Units,
    *,
    rng: np.random.Generator,
    n: int = 10000,
) -> Interval:
    """Interval of a mean over values, from n resamples of whole clusters.

    Values of one cluster (the trials of a session, the sessions of a seed) are not independent;
    drawing clusters instead of values keeps that dependence in the interval. Below 20 clusters,
    where a bootstrap is too narrow, it is the t interval of :func:`pooled_interval`. Raises
    InputError if labels do not fit the values.

    Parameters
    ----------
    values
        float (M,); NaN is left out.
    clusters
        Units, or labels (M,).

    Returns
    -------
    Interval; :class:`NoInterval` with the reason where fewer than two clusters have a value.
    """
    return pooled_interval(values, clusters, rng=rng, draws=n)


def crossed_bootstrap(
    values: np.ndarray,
    *,
    rng: np.random.Generator,
    n: int = 10000,
    names: tuple[str, str] = ("rows", "columns"),
) -> Interval:
    """Interval of a mean over two crossed factors, e.g. seeds × conditions.

    Rows and columns are drawn with replacement independently of each other, once per resample (the
    pigeonhole bootstrap; Owen 2007, doi 10.1214/07-AOAS122), since a condition that is easy is easy
    for every seed. Such draws count the noise of single values three times; they are brought to the
    standard error of the mean (:func:`unit_t`). Below 20 rows or columns it is the t interval of
    that standard error. Raises InputError if the values are no matrix.

    Parameters
    ----------
    values
        float (A, B); NaN is left out.
    names
        What a row and a column are, plural.

    Returns
    -------
    Interval; :class:`NoInterval` with the reason where fewer than three rows or columns have a
    value.
    """
    values = np.asarray(values, float)
    if values.ndim != 2:
        raise InputError(f"crossed bootstrap: expected values (A, B), found {values.shape}")
    known = ~np.isnan(values)
    if not known.any():
        return NoInterval(float("nan"), "no value")
    values, known = (m[known.any(axis=1)][:, known.any(axis=0)] for m in (values, known))
    filled = np.where(known, values, 0.0)
    estimate = float(filled.sum() / known.sum())
    level = np.indices(values.shape).reshape(2, -1)
    units = Units.crossed(zip(names, level, strict=True))
    if lacking := units.lacking(values.ravel()):
        return NoInterval(estimate, lacking)
    found = mean_of_units(values.ravel(), units)
    if min(values.shape) < FEW:
        reach = float(found.error * stats.t.ppf(0.975, found.df))
        return Interval(estimate, estimate - reach, estimate + reach)
    rows, columns = (
        rng.multinomial(size, np.full(size, 1 / size), n).astype(float) for size in values.shape
    )
    total, number = (((rows @ m) * columns).sum(axis=1) for m in (filled, known.astype(float)))
    away = total[number > 0] / number[number > 0] - estimate
    spread = float(away.std())
    low, high = np.quantile(away * (found.error / spread if spread else 0.0), [0.025, 0.975])
    return Interval(estimate, estimate + float(low), estimate + float(high))


def share(hits: np.ndarray, units: Units | np.ndarray | None = None) -> Interval:
    """Share of True with its binomial confidence interval, mid-P.

    The interval of Clopper and Pearson (1934) that counts half of the probability of what was
    found (Lancaster 1961; Brown, Cai and DasGupta 2001, doi 10.1214/ss/1009213286): counts are
    whole, so that all of it covers .995 of 8 sites. Over shares drawn evenly it covers .97 with 8
    values, .95 with 200; fewer than 8, whose counts are coarser, have none. Where hits share
    ``units`` (sites a session) it is the interval over units of :func:`pooled_interval`, inside
    [0, 1] and never narrower than the binomial one: few units that happen to agree, or a share of
    0 or 1, would make it so. One unit has none.
    """
    hits = np.asarray(hits, bool)
    n = len(hits)
    if n < _LEAST_OF_SHARE:
        mean = float(hits.mean()) if n else float("nan")
        return NoInterval(mean, f"{n} values: the interval of a share needs {_LEAST_OF_SHARE}")
    low, high = _mid_p(int(hits.sum()), n)
    if units is None:
        return Interval(float(hits.mean()), low, high)
    found = pooled_interval(hits.astype(float), units)
    if found.reason:
        return found
    return Interval(found.estimate, max(0.0, min(low, found.low)), min(1.0, max(high, found.high)))


def _mid_p(hits: int, n: int) -> tuple[float, float]:
    """Shares at which as few, or as many, have a probability of .025, what was found half."""

    def above(p: float, k: int) -> float:
        """Probability of more than k, and half of that of k."""
        return float(special.bdtrc(k, n, p) + special.bdtrc(k - 1, n, p)) / 2

    low = float(optimize.brentq(lambda p: above(p, hits) - 0.025, 0, 1)) if hits else 0.0
    high = float(optimize.brentq(lambda p: above(p, hits) - 0.975, 0, 1)) if hits < n else 1.0
    return low, high


def median_interval(
    values: np.ndarray,
    *,
    rng: np.random.Generator,
    draws: int = 2000,
    units: Units | np.ndarray | None = None,
) -> Interval:
    """Median of the finite values with its interval.

    Of independent values it lies between two order statistics, interpolated to 95 % (Hettmansperger
    and Sheather 1986, doi 10.1016/0167-7152(86)90021-0), and needs six of them; where values share
    ``units`` it is that of :func:`pooled_interval`, of which ``draws`` are resampled.
    """
    if units is not None:
        return pooled_interval(values, units, of="median", rng=rng, draws=draws)
    x = np.sort(np.asarray(values, float)[np.isfinite(values)])
    n = len(x)
    if n < _LEAST_OF_MEDIAN:
        why = f"{n} values: the interval of a median needs {_LEAST_OF_MEDIAN}"
        return NoInterval(float(np.median(x)) if n else float("nan"), why)
    depth = np.arange(n // 2 + 1)
    covers = 1 - 2 * stats.binom.cdf(depth, n, 0.5)  # between order statistics d and n - 1 - d
    d = int(np.flatnonzero(covers >= 0.95)[-1])
    part = (covers[d] - 0.95) / (covers[d] - covers[d + 1])
    weight = (n - d - 1) * part / (d + 1 + (n - 2 * (d + 1)) * part)
    low = (1 - weight) * x[d] + weight * x[d + 1]
    high = (1 - weight) * x[n - 1 - d] + weight * x[n - 2 - d]
    return Interval(float(np.median(x)), float(low), float(high))
