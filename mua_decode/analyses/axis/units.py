"""Intervals over what is independent: sites of a session share its noise, sessions do not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

from mua_decode.statistics import Interval, share
from mua_decode.types import SiteTable

_FEW = 20  # units below which a bootstrap over them is too narrow
_DRAWS = 1000


@dataclass(frozen=True, eq=False)
class Units:
    """The independent unit that every site belongs to."""

    label: np.ndarray  # (N,), one per site
    name: str  # what a unit is, in plural: "subjects", "sessions"

    @classmethod
    def of_sites(cls, sites: SiteTable) -> Units:
        """Subjects where at least two are known, else sessions."""
        known = ~np.isin(np.char.lower(sites.subject), ["", "nan", "none", "unknown"])
        if known.all() and len(np.unique(sites.subject)) > 1:
            return cls(sites.subject, "subjects")
        return cls(sites.session, "sessions")

    @property
    def said(self) -> str:
        """What intervals over these units speak for, or why there are none."""
        n = len(np.unique(self.label))
        if n < 2:
            return f"one of the {self.name}: no interval over {self.name}"
        how = "cluster bootstrap" if n >= _FEW else "t from the spread of their means"
        return f"95 % intervals over {n} {self.name} ({how})"

    def by_unit(self, values: np.ndarray, asked: np.ndarray) -> dict[str, float]:
        """Mean of the asked values of every unit, NaN where it has none."""
        return {str(u): _mean(values[asked & (self.label == u)]) for u in np.unique(self.label)}


def unit_interval(
    values: np.ndarray,
    units: np.ndarray,
    *,
    of: Literal["mean", "median"] = "mean",
    level: float = 0.95,
) -> Interval:
    """Mean or median over sites with its interval over the units they belong to.

    From twenty units on, whole units are resampled (percentile bootstrap, its percentiles moved
    out for few units; Hesterberg 2015, doi 10.1080/00031305.2015.1089789). Below, a t interval
    about the pooled value: the residual of unit u is its own value less the pooled one, times its
    number of sites over the mean number (the ratio estimator; Cochran 1977, section 6.3). With
    one unit there is no interval.

    Parameters
    ----------
    values
        float (N,); NaN is left out.
    units
        Labels (N,).
    level
        Confidence of the interval, 0 to 1.
    """
    values = np.asarray(values, float)
    known = np.isfinite(values)
    values, labels = values[known], np.asarray(units)[known]
    if not len(values):
        return Interval(float("nan"))
    centre = np.mean if of == "mean" else np.median
    estimate = float(centre(values))
    parts = [values[labels == u] for u in np.unique(labels)]
    if len(parts) < 2:
        return Interval(estimate)
    u, size = len(parts), np.array([len(v) for v in parts])
    t = stats.t.ppf((1 + level) / 2, u - 1)
    if u >= _FEW:
        picks = np.random.default_rng(0).integers(0, u, (_DRAWS, u))  # the same for every table
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


def unit_correlation(values: np.ndarray, units: np.ndarray, *, level: float = 0.95) -> Interval:
    """Median of correlations over sites with its interval over units, inside [-1, 1]."""
    return Interval(*np.clip(unit_interval(values, units, of="median", level=level), -1, 1))


def unit_share(hits: np.ndarray, units: np.ndarray) -> Interval:
    """Share of True over sites with its 95 % interval over units, inside [0, 1].

    Never narrower than the exact interval of independent sites (Clopper and Pearson 1934): few
    units that happen to agree, or a share of 0 or 1, would make it so.
    """
    found = unit_interval(np.asarray(hits, float), units)
    if np.isnan(found.low):
        return found
    exact = share(np.asarray(hits, bool))
    low, high = min(found.low, exact.low), max(found.high, exact.high)
    return Interval(found.estimate, max(0.0, low), min(1.0, high))


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")
