"""Intervals of an estimate: whole clusters resampled, shares, medians."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import stats

from mua_decode.types import InputError


class Interval(NamedTuple):
    """An estimate with the ends of its 95 % confidence interval, NaN where there is none."""

    estimate: float
    low: float = float("nan")
    high: float = float("nan")


_NOTHING = Interval(float("nan"))
_ENDS = ((1 - 0.95) / 2, (1 + 0.95) / 2)


def cluster_bootstrap(
    values: np.ndarray, clusters: np.ndarray, *, rng: np.random.Generator, n: int = 10000
) -> Interval:
    """Percentile bootstrap interval of a mean from n resamples of whole clusters.

    Values of one cluster (the trials of a session, the sessions of a seed) are not independent;
    drawing clusters instead of values keeps that dependence in the interval. With fewer than about
    ten clusters it is too narrow. Raises InputError if labels do not fit the values.

    Parameters
    ----------
    values
        float (M,); NaN is left out.
    clusters
        Labels (M,).

    Returns
    -------
    Interval; its ends are NaN where fewer than two clusters have a value.
    """
    values, labels = np.asarray(values, float), np.asarray(clusters)
    if values.ndim != 1 or labels.shape != values.shape:
        raise InputError(
            f"cluster bootstrap: expected values (M,) and clusters (M,), "
            f"found {values.shape} and {labels.shape}"
        )
    known = ~np.isnan(values)
    values, labels = values[known], labels[known]
    if not len(values):
        return _NOTHING
    estimate = float(values.mean())
    cluster = np.unique(labels, return_inverse=True)[1]
    if cluster.max() == 0:
        return Interval(estimate)
    sums, sizes = np.bincount(cluster, values), np.bincount(cluster).astype(float)
    found = stats.bootstrap(
        (sums, sizes),
        lambda s, m, axis: s.sum(axis=axis) / m.sum(axis=axis),
        paired=True, vectorized=True, n_resamples=n, batch=max(1, 2_000_000 // len(sums)),
        confidence_level=0.95, method="percentile", rng=rng,
    ).confidence_interval  # fmt: skip
    return Interval(estimate, float(found.low), float(found.high))


def crossed_bootstrap(values: np.ndarray, *, rng: np.random.Generator, n: int = 10000) -> Interval:
    """Percentile bootstrap interval of a mean over two crossed factors, e.g. seeds × conditions.

    Rows and columns are drawn with replacement independently of each other, once per resample (the
    pigeonhole bootstrap; Owen 2007, doi 10.1214/07-AOAS122), since a condition that is easy is easy
    for every seed. Slightly conservative; with fewer than about ten rows or columns the interval is
    too narrow in that factor's share. Raises InputError if the values are no matrix.

    Parameters
    ----------
    values
        float (A, B); NaN is left out.

    Returns
    -------
    Interval; its ends are NaN where fewer than two rows or columns have a value.
    """
    values = np.asarray(values, float)
    if values.ndim != 2:
        raise InputError(f"crossed bootstrap: expected values (A, B), found {values.shape}")
    known = ~np.isnan(values)
    if not known.any():
        return _NOTHING
    values, known = (m[known.any(axis=1)][:, known.any(axis=0)] for m in (values, known))
    filled = np.where(known, values, 0.0)
    estimate = float(filled.sum() / known.sum())
    if min(values.shape) < 2:
        return Interval(estimate)
    rows, columns = (
        rng.multinomial(size, np.full(size, 1 / size), n).astype(float) for size in values.shape
    )
    total, number = (((rows @ m) * columns).sum(axis=1) for m in (filled, known.astype(float)))
    return _percentile(estimate, total[number > 0] / number[number > 0])


def share(hits: np.ndarray) -> Interval:
    """Share of True with its exact (Clopper and Pearson 1934) confidence interval."""
    n = len(hits)
    if n == 0:
        return _NOTHING
    interval = stats.binomtest(int(hits.sum()), n).proportion_ci(0.95, method="exact")
    return Interval(float(hits.mean()), float(interval.low), float(interval.high))


def median_interval(values: np.ndarray, *, rng: np.random.Generator, draws: int = 2000) -> Interval:
    """Median of the finite values with its percentile bootstrap interval over them."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return _NOTHING
    drawn = np.median(finite[rng.integers(0, len(finite), (draws, len(finite)))], axis=1)
    return _percentile(float(np.median(finite)), drawn)


def _percentile(estimate: float, drawn: np.ndarray) -> Interval:
    low, high = np.quantile(drawn, _ENDS)
    return Interval(estimate, float(low), float(high))
