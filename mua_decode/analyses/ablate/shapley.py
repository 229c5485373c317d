"""What each region adds, averaged over every order in which regions can be added."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from math import factorial

import numpy as np
import pandas as pd

from mua_decode.analyses.ablate.losses import by_fill
from mua_decode.analyses.ablate.scores import TRIALS, MaskScores
from mua_decode.metrics import VideoMetric
from mua_decode.scoring.averages import known_mean
from mua_decode.statistics import Units, interval_columns
from mua_decode.types import Stream

_COLUMNS = [
    "fill", "trial", "metric", "unit", "region", "value", "low", "high", "nothing", "full", "n",
    "interval_of", "units", "n_units", "units_mean", "units_low", "units_high", "note",
]  # fmt: skip


def shapley_values(scores: np.ndarray) -> np.ndarray:
    """Exact Shapley values from the scores of all subsets.

    The value of region r is the mean, over all orders of adding regions one by one, of what the
    score gains when r is added (Shapley 1953, doi 10.1515/9781400881970-018):
    sum over subsets S without r of |S|! (R - |S| - 1)! / R! (v(S + r) - v(S)).

    Parameters
    ----------
    scores
        Float (2^R, ...): score of every subset, in the order of ``subset_masks``: region i is in
        subset s if bit i of s is set. Further axes (conditions, say) are kept.

    Returns
    -------
    Float (R, ...); the sum over regions is ``scores[-1] - scores[0]``.

    Raises
    ------
    ValueError
        If the number of subsets is not a power of two.
    """
    n_subsets = len(scores)
    n_regions = n_subsets.bit_length() - 1
    if n_subsets != 2**n_regions or n_regions == 0:
        raise ValueError(f"shapley: expected the scores of 2^R subsets, found {n_subsets}")
    subset = np.arange(n_subsets)
    size = np.array([int(s).bit_count() for s in subset])
    r = n_regions
    weight = np.array([factorial(k) * factorial(r - k - 1) / factorial(r) for k in range(r)])
    values = np.empty((n_regions, *scores.shape[1:]))
    for region in range(n_regions):
        without = subset[(subset >> region & 1) == 0]
        gained = scores[without | 1 << region] - scores[without]
        values[region] = np.tensordot(weight[size[without]], gained, axes=1)
    return values


def shapley_table(
    subsets: Sequence[MaskScores],
    *,
    metrics: Sequence[VideoMetric],
    guess: Mapping[str, float],
    seed: int,
    units: Mapping[str, Units] | None = None,
) -> pd.DataFrame:
    """Exact Shapley values of the regions, with 95 % intervals over conditions and over units.

    Parameters
    ----------
    subsets
        Scores of all 2^R subsets, in the order of ``subset_masks``, by fill.
    guess
        Value of a metric where it is undefined.
    seed
        Of the bootstrap.
    units
        What is independent among the conditions, by metric; ``None``: each.

    Returns
    -------
    DataFrame: fill, trial, metric, unit, region, value, nothing, full, and the columns of
    :func:`interval_columns` (n: conditions).
    ``value`` sums over regions to ``full - nothing``; conditions in which the metric is undefined
    for every subset are left out.
    """
    rows = []
    for fill, scores in by_fill(subsets):
        rng = Stream.SHAPLEY.rng(seed)
        for metric, trial in itertools.product(metrics, TRIALS):
            found = [s.score(metric.name, trial, guess) for s in scores]
            known = [f for f in found if f is not None]
            if len(known) < len(found):
                continue
            table, lost = (np.stack(part) for part in zip(*known, strict=True))
            kept = ~((lost == 1).all(axis=0) | np.isnan(table).any(axis=0))
            table = table[:, kept]
            of = units[metric.name] if units else Units.each(len(kept))
            nothing, full = known_mean(table[0])[0], known_mean(table[-1])[0]
            regions = scores[-1].mask.regions
            for region, value in zip(regions, shapley_values(table), strict=True):
                row = {
                    "fill": fill,
                    "trial": trial,
                    "metric": metric.name,
                    "unit": metric.unit,
                    "region": region,
                    "value": known_mean(value)[0],
                    "nothing": nothing,
                    "full": full,
                }
                rows.append(row | interval_columns(value, of.where(kept), rng=rng))
    return pd.DataFrame(rows, columns=_COLUMNS)
