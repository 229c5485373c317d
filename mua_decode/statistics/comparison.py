"""Two groups of scores compared: unpaired as published, and paired over conditions."""

from __future__ import annotations

import warnings
from typing import Unpack

import numpy as np
from scipy import special, stats

from mua_decode.statistics.means import unit_t
from mua_decode.statistics.units import Units
from mua_decode.types import HypothesisTable, InputError, Question

_ROUNDING = 8 * np.finfo(float).eps


def unpaired_t(
    a: np.ndarray, b: np.ndarray, *, n_unit: str | Units, **asked: Unpack[Question]
) -> HypothesisTable:
    """Two-sided two-sample t-test of equal variances, as published (64 + 64 values, df 126).

    It ignores that the same conditions stand in both groups; :func:`paired_t` does not.

    Parameters
    ----------
    a, b
        float (A,) and (B,); NaN is dropped and counted in the note.
    n_unit
        What one value is: ``"conditions"``, ``"recorded trials"``; or units of the A + B values,
        over whose means the test then is. A unit in both groups raises InputError.

    Returns
    -------
    One row. ``effect`` is Cohen's d, (mean a − mean b) over the pooled standard deviation, with
    the exact 95 % interval that inverts the noncentral t distribution (Cumming and Finch 2001,
    doi 10.1177/0013164401614002). ``n`` is A + B.
    """
    left, right = _vector(a, "a"), _vector(b, "b")
    notes = _dropped(int(np.isnan(left).sum() + np.isnan(right).sum()), "value")
    units = Units.of(n_unit, len(left) + len(right))
    left, right = _of_units(left, right, units)
    row: dict[str, object] = {
        **asked, "n_unit": units.name, "test": "two-sample t, two-sided, equal variances",
        "n": len(left) + len(right), "effect_name": "Cohen's d",
    }  # fmt: skip
    notes.append(f"{len(left)} against {len(right)}")
    if min(len(left), len(right)) < 2:
        return HypothesisTable.of_test(row, [*notes, "fewer than 2 values in a group"])
    difference = float(left.mean() - right.mean())
    df = len(left) + len(right) - 2
    row["df"] = df
    notes.append(f"mean difference {difference:.4g}")
    if _constant(left) and _constant(right):
        largest = max(float(np.abs(left).max()), float(np.abs(right).max()))
        row |= {"p": 1.0, "statistic": 0.0} if abs(difference) <= _ROUNDING * largest else {}
        return HypothesisTable.of_test(row, [*notes, "no value varies within its group"])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", RuntimeWarning)
        found = stats.ttest_ind(left, right)
    if caught:
        notes.append("values are nearly the same: p is imprecise")
    # t = d · scale, and t of the true effect is the noncentrality of the distribution of t
    scale = np.sqrt(len(left) * len(right) / (len(left) + len(right)))
    t = float(found.statistic)
    low, high = (float(special.nctdtrinc(df, q, t) / scale) for q in (0.975, 0.025))
    row |= {"statistic": t, "p": float(found.pvalue), "effect": t / scale, "low": low, "high": high}
    return HypothesisTable.of_test(row, notes)


def paired_t(
    a: np.ndarray, b: np.ndarray, *, n_unit: str | Units, **asked: Unpack[Question]
) -> HypothesisTable:
    """Two-sided paired t-test of a − b.

    Parameters
    ----------
    a, b
        float (n,), value i of both belongs to one condition; a pair with a NaN is dropped and
        counted in the note.
    n_unit
        What one pair is; or units of the pairs, over whose means the test then is (crossed factors:
        :func:`unit_t` of the differences).

    Returns
    -------
    One row. ``effect`` is the mean difference with its 95 % t interval; Cohen's dz (mean over
    standard deviation of the differences) stands in the note. Without any difference p is 1; with
    fewer than two pairs, or differences that are all the same, it is NaN.
    """
    left, right = _vector(a, "a"), _vector(b, "b")
    if left.shape != right.shape:
        sizes = f"{len(left)}, {len(right)}"
        raise InputError(f"paired test: expected two equal lengths, found {sizes}")
    both = ~(np.isnan(left) | np.isnan(right))
    notes = _dropped(int((~both).sum()), "pair")
    units = Units.of(n_unit, len(left)).where(both)
    left, right = left[both], right[both]
    if units.shared:
        if units.levels.shape[1] > 1:
            return unit_t(left - right, units, **asked)
        left, right = units.means(left)[0], units.means(right)[0]
    difference = left - right
    n = len(difference)
    row: dict[str, object] = {
        **asked, "n_unit": units.name, "test": "paired t, two-sided", "n": n,
        "effect_name": "mean difference",
    }  # fmt: skip
    row |= {"effect": float(difference.mean())} if n else {}
    if n < 2:
        why = units.lacking(np.zeros(len(units.levels)))
        return HypothesisTable.of_test(row, [*notes, why, "fewer than 2 pairs"])
    row["df"] = n - 1
    if not difference.any():
        row |= {"statistic": 0.0, "p": 1.0, "low": 0.0, "high": 0.0}
        return HypothesisTable.of_test(row, [*notes, "no pair differs"])
    if _constant(difference, scale=float(np.abs([left, right]).max())):
        row |= {"low": row["effect"], "high": row["effect"]}
        return HypothesisTable.of_test(row, [*notes, "all pairs differ by the same amount"])
    sd = float(difference.std(ddof=1))
    low, high = stats.t.interval(0.95, n - 1, difference.mean(), sd / np.sqrt(n))
    notes.insert(0, f"Cohen's dz {difference.mean() / sd:.3g}")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", RuntimeWarning)
        found = stats.ttest_rel(left, right)
    if caught:
        notes.append("differences are nearly the same: p is imprecise")
    row |= {"low": float(low), "high": float(high)}
    row |= {"statistic": float(found.statistic), "p": float(found.pvalue)}
    return HypothesisTable.of_test(row, notes)


def _of_units(left: np.ndarray, right: np.ndarray, units: Units) -> tuple[np.ndarray, ...]:
    """Known values of both groups, averaged within units that have several."""
    sides = np.arange(len(left)), len(left) + np.arange(len(right))
    parts = [units.where(rows[~np.isnan(v)]) for rows, v in zip(sides, (left, right), strict=True)]
    left, right = left[~np.isnan(left)], right[~np.isnan(right)]
    if not units.shared:
        return left, right
    if units.levels.shape[1] > 1 or np.isin(parts[0].levels, parts[1].levels).any():
        raise InputError(f"unpaired test: {units.name} stand in both groups, compare with paired_t")
    return parts[0].means(left)[0], parts[1].means(right)[0]


def _vector(values: np.ndarray, name: str) -> np.ndarray:
    out = np.asarray(values, dtype=float)
    if out.ndim != 1:
        raise InputError(f"test: {name} must hold one value per unit (n,), found {out.shape}")
    if np.isinf(out).any():
        raise InputError(f"test: {name} holds an infinite value")
    return out


def _constant(values: np.ndarray, *, scale: float = 0.0) -> bool:
    """Whether values vary by no more than rounding of numbers as large as they or ``scale``."""
    size = max(scale, float(np.abs(values).max()))
    return bool(np.ptp(values) <= _ROUNDING * size)


def _dropped(number: int, what: str) -> list[str]:
    return [f"{number} {what}{'' if number == 1 else 's'} with NaN left out"] if number else []
