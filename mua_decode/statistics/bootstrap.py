"""Intervals of an estimate: whole clusters resampled, shares, medians."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import stats

from mua_decode.types import InputError


class Interval(NamedTuple):
    """An estimate with the ends of its confidence interval."""

    estimate: float
    low: float
    high: float


def cluster_bootstrap(
    values: np.ndarray,
    clusters: np.ndarray,
    *,
    rng: np.random.Generator,
    statistic: Callable[[np.ndarray], float] = np.mean,
    n: int = 10000,
    level: float = 0.95,
) -> Interval:
    """Percentile bootstrap interval that resamples whole clusters.

    Values of one cluster (the trials of a session, the sessions of a seed) are not independent;
    drawing clusters instead of values keeps that dependence in the interval.

    Parameters
    ----------
    values
        float (M,); NaN is left out.
    clusters
        Labels (M,), or (M, 2) for two levels: first labels of column 0 are drawn, then within
        each drawn one its labels of column 1.
    statistic
        Of a vector of values; ``numpy.mean`` takes a fast way.
    n
        Number of resamples.
    level
        Coverage aimed at. With fewer than about ten clusters the interval is too narrow.

    Returns
    -------
    Interval; its ends are NaN where fewer than two (top-level) clusters have a value.

    Raises
    ------
    InputError
        If labels do not fit the values.
    """
    values, labels = np.asarray(values, float), np.asarray(clusters)
    if values.ndim != 1 or labels.shape not in (values.shape, (len(values), 2)):
        raise InputError(
            f"cluster bootstrap: expected values (M,) and clusters (M,) or (M, 2), "
            f"found {values.shape} and {labels.shape}"
        )
    known = ~np.isnan(values)
    values, labels = values[known], labels[known]
    if not len(values):
        return Interval(float("nan"), float("nan"), float("nan"))
    estimate = float(statistic(values))
    columns = labels.reshape(len(values), -1)
    top = np.unique(columns[:, 0], return_inverse=True)[1]
    if top.max() == 0:
        return Interval(estimate, float("nan"), float("nan"))
    if columns.shape[1] == 2:
        drawn = _two_levels(values, top, columns[:, 1], statistic, n, rng)
        low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
        return Interval(estimate, float(low), float(high))
    low, high = _one_level(values, top, statistic, n, rng, level)
    return Interval(estimate, low, high)


def crossed_bootstrap(
    values: np.ndarray, *, rng: np.random.Generator, n: int = 10000, level: float = 0.95
) -> Interval:
    """Percentile bootstrap interval of a mean over two crossed factors, e.g. seeds × conditions.

    Rows and columns are drawn with replacement independently of each other, once per resample
    (the pigeonhole bootstrap; Owen 2007, doi 10.1214/07-AOAS122), since a condition that is easy is
    easy for every seed. Slightly conservative; with fewer than about ten rows or columns the
    interval is too narrow in that factor's share.

    Parameters
    ----------
    values
        float (A, B); NaN is left out.
    n
        Number of resamples.
    level
        Coverage aimed at.

    Returns
    -------
    Interval; its ends are NaN where fewer than two rows or columns have a value.

    Raises
    ------
    InputError
        If the values are no matrix.
    """
    values = np.asarray(values, float)
    if values.ndim != 2:
        raise InputError(f"crossed bootstrap: expected values (A, B), found {values.shape}")
    known = ~np.isnan(values)
    if not known.any():
        return Interval(float("nan"), float("nan"), float("nan"))
    values, known = (m[known.any(axis=1)][:, known.any(axis=0)] for m in (values, known))
    filled = np.where(known, values, 0.0)
    estimate = float(filled.sum() / known.sum())
    if min(values.shape) < 2:
        return Interval(estimate, float("nan"), float("nan"))
    rows, columns = (
        rng.multinomial(size, np.full(size, 1 / size), n).astype(float) for size in values.shape
    )
    total, number = (((rows @ m) * columns).sum(axis=1) for m in (filled, known.astype(float)))
    drawn = total[number > 0] / number[number > 0]
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Interval(estimate, float(low), float(high))


def _one_level(
    values: np.ndarray,
    cluster: np.ndarray,
    statistic: Callable[[np.ndarray], float],
    n: int,
    rng: np.random.Generator,
    level: float,
) -> tuple[float, float]:
    if statistic is np.mean:
        sums, sizes = np.bincount(cluster, values), np.bincount(cluster).astype(float)
        found = stats.bootstrap(
            (sums, sizes),
            lambda s, m, axis: s.sum(axis=axis) / m.sum(axis=axis),
            paired=True, vectorized=True, n_resamples=n, batch=max(1, 2_000_000 // len(sums)),
            confidence_level=level, method="percentile", rng=rng,
        )  # fmt: skip
    else:
        members = [values[cluster == k] for k in range(cluster.max() + 1)]
        found = stats.bootstrap(
            (np.arange(len(members)),),
            lambda picks: statistic(np.concatenate([members[k] for k in picks])),
            vectorized=False, n_resamples=n, confidence_level=level, method="percentile", rng=rng,
        )  # fmt: skip
    return float(found.confidence_interval.low), float(found.confidence_interval.high)


def _two_levels(
    values: np.ndarray,
    top: np.ndarray,
    inner: np.ndarray,
    statistic: Callable[[np.ndarray], float],
    n: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Resampled statistics (n,): top clusters with replacement, then clusters within each."""
    pair = np.unique(inner, return_inverse=True)[1] + top * (len(values) + 1)
    leaves, leaf = np.unique(pair, return_inverse=True)
    order = np.argsort(leaf, kind="stable")
    members = np.split(values[order], np.cumsum(np.bincount(leaf))[:-1])
    owner = leaves // (len(values) + 1)
    n_inner = np.bincount(owner)
    first = np.cumsum(n_inner) - n_inner
    tops = rng.integers(0, len(n_inner), (n, len(n_inner)))
    slots = int(n_inner.max())
    if statistic is np.mean:
        sums, sizes = np.array([m.sum() for m in members]), np.array([len(m) for m in members])
        total, size = np.zeros(n), np.zeros(n)
        for column in tops.T:
            picks = (rng.random((n, slots)) * n_inner[column][:, None]).astype(np.int64)
            picks += first[column][:, None]
            used = np.arange(slots) < n_inner[column][:, None]
            total += np.where(used, sums[picks.clip(max=len(sums) - 1)], 0).sum(axis=1)
            size += np.where(used, sizes[picks.clip(max=len(sizes) - 1)], 0).sum(axis=1)
        return np.asarray(total / size)
    out = np.empty(n)
    for i, chosen in enumerate(tops):
        leaves_drawn = np.concatenate(
            [first[k] + rng.integers(0, n_inner[k], n_inner[k]) for k in chosen]
        )
        out[i] = statistic(np.concatenate([members[j] for j in leaves_drawn]))
    return out


def share(hits: np.ndarray, *, level: float = 0.95) -> Interval:
    """Share of True with its exact (Clopper and Pearson 1934) confidence interval."""
    n = len(hits)
    if n == 0:
        return Interval(float("nan"), float("nan"), float("nan"))
    interval = stats.binomtest(int(hits.sum()), n).proportion_ci(level, method="exact")
    return Interval(float(hits.mean()), float(interval.low), float(interval.high))


def median_interval(
    values: np.ndarray, *, rng: np.random.Generator, level: float = 0.95, draws: int = 2000
) -> Interval:
    """Median of the finite values with its percentile bootstrap interval over them."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return Interval(float("nan"), float("nan"), float("nan"))
    drawn = np.median(finite[rng.integers(0, len(finite), (draws, len(finite)))], axis=1)
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(np.median(finite)), float(low), float(high))
