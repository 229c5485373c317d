"""Intervals of what is pooled over values that share units: a mean, a median, any smooth number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from scipy import stats

from mua_decode.statistics.intervals import Interval, NoInterval
from mua_decode.statistics.units import FEW, Units
from mua_decode.types import InputError

_DRAWS = 1000


def pooled_interval(
    values: np.ndarray,
    units: Units | np.ndarray,
    *,
    of: Literal["mean", "median"] = "mean",
    level: float = 0.95,
    rng: np.random.Generator | None = None,
    draws: int = _DRAWS,
) -> Interval:
    """Mean or median over all values with its interval over the units they belong to.

    From twenty units on, whole units are resampled (percentile bootstrap, its percentiles moved
    out for few units; Hesterberg 2015, doi 10.1080/00031305.2015.1089789). Below, a t interval
    about the pooled value: the residual of unit u is its own value less the pooled one, times its
    number of values over the mean number (the ratio estimator; Cochran 1977, section 6.3). One unit
    has a :class:`NoInterval` that says so. Raises InputError if units are crossed, or labels do not
    fit the values.

    Parameters
    ----------
    values
        float (N,); NaN is left out.
    units
        Units, or labels (N,): the session of every site, the group of every condition.
    level
        Confidence of the interval, 0 to 1.
    rng, draws
        Of the resamples; without a generator every table is resampled alike.
    """
    values, units = _with_units(values, units)
    known = np.isfinite(values)
    labels = units.code[known]
    lacking = units.lacking(np.where(known, values, np.nan))
    values = values[known]
    centre = np.mean if of == "mean" else np.median
    estimate = float(centre(values)) if len(values) else float("nan")
    if lacking:
        return NoInterval(estimate, lacking)
    order = np.argsort(labels, kind="stable")
    parts = np.split(values[order], np.flatnonzero(np.diff(labels[order])) + 1)
    u, size = len(parts), np.array([len(v) for v in parts])
    t = stats.t.ppf((1 + level) / 2, u - 1)
    if u >= FEW:
        picks = (rng or np.random.default_rng(0)).integers(0, u, (draws, u))
        if of == "mean":
            drawn = np.array([v.sum() for v in parts])[picks].sum(1) / size[picks].sum(1)
        else:
            drawn = np.array([np.median(np.concatenate([parts[i] for i in p])) for p in picks])
        end = stats.norm.cdf(np.sqrt(u / (u - 1)) * t)
        low, high = np.quantile(drawn, [1 - end, end])
        return Interval(estimate, float(low), float(high))
    away = np.array([centre(v) for v in parts]) - estimate
    residual = away * size / size.mean()
    half = t * np.sqrt((residual**2).sum() / (u * (u - 1)))
    return Interval(estimate, estimate - float(half), estimate + float(half))


def jackknife_interval(
    estimate: Callable[[np.ndarray], float], units: Units | np.ndarray, *, level: float = 0.95
) -> Interval:
    """Any smooth estimate with its interval over units, from leaving out one unit after the other.

    Half the width is t with U - 1 degrees of freedom times the jackknife's standard error (Efron
    and Tibshirani 1993, chapter 11); U is the number of units without which the estimate is known.
    One unit has a :class:`NoInterval` that says so.

    Parameters
    ----------
    estimate
        Takes bool (N,), the values to keep, and returns a number; on a scale on which it is about
        normal, Fisher's for a correlation.
    units
        Units, or labels (N,).
    """
    units = _labelled(units)
    labels = units.code
    whole = float(estimate(np.ones(len(labels), bool)))
    names = np.unique(labels)
    lacking = units.lacking(np.zeros(len(labels)))
    if lacking or not np.isfinite(whole):
        return NoInterval(whole, lacking or "the estimate is not known")
    left_out = np.array([estimate(labels != u) for u in names])
    left_out = left_out[np.isfinite(left_out)]
    n = len(left_out)
    if n < 2:
        return NoInterval(whole, f"known without one of the {units.name} at most")
    error = np.sqrt((n - 1) / n * np.square(left_out - left_out.mean()).sum())
    half = float(stats.t.ppf((1 + level) / 2, n - 1) * error)
    return Interval(whole, whole - half, whole + half)


def _labelled(units: Units | np.ndarray) -> Units:
    """Units of one kind; labels (N,) become units."""
    found = units if isinstance(units, Units) else Units.crossed([("units", np.asarray(units))])
    if found.levels.shape[1] > 1:
        raise InputError(f"units '{found.name}' are crossed: take unit_interval or unit_t")
    return found


def _with_units(values: np.ndarray, units: Units | np.ndarray) -> tuple[np.ndarray, Units]:
    values = np.asarray(values, float)
    shape = (len(units.levels),) if isinstance(units, Units) else np.shape(units)
    if values.ndim != 1 or shape != values.shape:
        raise InputError(
            f"interval over units: expected values (N,) and units (N,), found {values.shape} and "
            f"{shape}"
        )
    return values, _labelled(units)
