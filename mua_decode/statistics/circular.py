"""Angles: do they point where they should, did a change worsen them?"""

from __future__ import annotations

from typing import Unpack

import numpy as np
from scipy import stats

from mua_decode.statistics.means import unit_interval
from mua_decode.statistics.permutation import out_of_reach, permutation_null, rank_p, smallest_p
from mua_decode.statistics.pooled import pooled_interval
from mua_decode.statistics.units import Units
from mua_decode.types import HypothesisTable, InputError, Question

_BATCH = 1_000_000  # numbers of a batch of resamples


def v_test(
    angle_deg: np.ndarray,
    expected_deg: float | np.ndarray,
    *,
    n_unit: str | Units,
    rng: np.random.Generator,
    n_resamples: int = 9999,
    **asked: Unpack[Question],
) -> HypothesisTable:
    """Test angles against a direction known beforehand (V-test, Greenwood and Durand 1955).

    Against one direction the statistic is V = √(2n) · mean cos(angle − expected) (Zar 2010, section
    27.1), its null that of uniform angles, the same turn for all of a unit. Against a direction for
    each it is the mean cosine, and expected directions change places among units with an angle:
    errors of a decoder that always says the same are not uniform, and where what has no angle
    depends on the direction, their V-test against 0 finds that they point right (FPR .15).

    Parameters
    ----------
    angle_deg
        float (n,), degrees, NaN where there is none, which the note counts. Against one direction
        it is left out; against a direction for each its cosine is 0, that of a guess.
    expected_deg
        The direction, chosen without looking at the angles; float (n,) where they differ.
    n_unit
        What one angle is, or units of the angles.
    rng, n_resamples
        Of the null distribution; p is never below 1 / (1 + n_resamples).

    Returns
    -------
    One row. ``effect`` is the mean cosine in [-1, 1] with its 95 % interval over units
    (:func:`pooled_interval`).
    """
    angles, expected = np.asarray(angle_deg, float), np.asarray(expected_deg, float)
    if angles.ndim != 1 or expected.shape not in ((), angles.shape):
        shapes = f"{angles.shape} and {expected.shape}"
        raise InputError(f"circular test: expected angles (n,) and one direction or n: {shapes}")
    known, units = np.isfinite(angles), Units.of(n_unit, len(angles))
    away, lost = np.deg2rad(angles - expected), int((~known).sum())
    if expected.ndim:
        found = _against_each(away, np.deg2rad(expected), units, rng, n_resamples)
        said = "undefined directions count as 90 degrees off"
    else:
        away, units = away[known], units.where(known)
        found = _against_one(away, units, rng, n_resamples)
        found["test"] = f"V-test against {expected:g} degrees, {found['test']}"
        said = "angles with NaN left out"
    cosine = np.nan_to_num(np.cos(away))
    notes = [f"{lost} {said}"] if lost else []
    row: dict[str, object] = {
        **asked, "n_unit": units.name, "n": units.count(cosine), "test": found.pop("test"),
        "effect_name": "mean cosine to the expected",
    }  # fmt: skip
    if known.sum() < 2 or units.lacking(cosine):
        return HypothesisTable.of_test(row, [*notes, units.lacking(cosine), "fewer than 2 angles"])
    low, high = np.clip(pooled_interval(cosine, units, rng=rng)[1:], -1, 1)
    row |= {"effect": float(cosine.mean()), "low": float(low), "high": float(high)}
    return HypothesisTable.of_test(row | found, [*notes, str(found.pop("note"))])


def _against_each(
    away: np.ndarray, expected: np.ndarray, units: Units, rng: np.random.Generator, n: int
) -> dict[str, object]:
    """Permute the expected directions among units with an angle; both (n,) in radians."""
    known = np.isfinite(away)
    angle = (away + expected)[known]

    def agreement(to: np.ndarray) -> float:
        return float(np.cos(angle - to).sum() / len(away))

    found = permutation_null(
        agreement, expected[known], rng=rng, n=n, units=units.where(known) if units.shared else None
    )
    test = f"permutation of expected directions over {units.name}, one-sided ({n})"
    return {
        "test": test,
        "statistic": float(found.observed),
        "p": float(found.p),
        "note": found.note,
    }


def _against_one(
    away: np.ndarray, units: Units, rng: np.random.Generator, n: int
) -> dict[str, object]:
    null = _uniform(away, units.code, rng, n)
    mean = float(np.cos(away).mean()) if len(away) else float("nan")
    p, test = float(rank_p(null, mean)), f"Monte Carlo ({n} uniform samples)"
    return {"test": test, "statistic": np.sqrt(2 * len(away)) * mean, "p": p, "note": ""}


def _uniform(angles: np.ndarray, unit: np.ndarray, rng: np.random.Generator, n: int) -> np.ndarray:
    """Mean cosines (n,) where every unit is turned by an angle that may be any."""
    if not len(angles):
        return np.full(n, np.nan)
    length = np.abs(np.bincount(unit, np.cos(angles)) + 1j * np.bincount(unit, np.sin(angles)))
    step = max(1, _BATCH // len(length))
    sizes = [min(step, n - first) for first in range(0, n, step)]
    drawn = [np.cos(rng.uniform(-np.pi, np.pi, (m, len(length)))) @ length for m in sizes]
    return np.concatenate(drawn) / len(angles)


def paired_circular(
    a_error_deg: np.ndarray,
    b_error_deg: np.ndarray,
    *,
    n_unit: str | Units,
    rng: np.random.Generator,
    n_resamples: int = 9999,
    **asked: Unpack[Question],
) -> HypothesisTable:
    """Sign-flip permutation test of paired absolute angular errors, |a| − |b|, two-sided.

    Raises InputError if the lengths differ, or units are crossed.

    Parameters
    ----------
    a_error_deg, b_error_deg
        float (n,): angular errors in degrees, signed or not, folded into [0, 180]; value i of
        both belongs to one condition. A pair with a NaN is dropped and counted in the note.
    n_unit
        What one pair is; or units of the pairs, whose mean differences are flipped.
    rng, n_resamples
        Of the permutations; all 2ⁿ are used when they are no more than that.

    Returns
    -------
    One row. ``effect`` is the mean difference of the absolute errors in degrees with its 95 %
    interval over units (:func:`unit_interval`). The note says where units are too few to reach .05.
    """
    a, b = np.asarray(a_error_deg, float), np.asarray(b_error_deg, float)
    if a.shape != b.shape or a.ndim != 1:
        raise InputError(f"paired angles: expected two equal lengths, found {a.shape}, {b.shape}")
    both = np.isfinite(a) & np.isfinite(b)
    units = Units.of(n_unit, len(a)).where(both)
    if units.levels.shape[1] > 1:
        raise InputError(f"paired angles: units '{units.name}' are crossed: take unit_t")
    notes = [f"{(~both).sum()} pairs with NaN left out" if not both.all() else ""]
    difference = folded_error(a[both]) - folded_error(b[both])
    if units.shared:
        difference = units.means(difference)[0]
    row: dict[str, object] = {
        **asked, "n_unit": units.name, "n": (n := len(difference)),
        "effect_name": "mean difference, degrees",
        "test": f"sign-flip permutation of paired |error|, two-sided ({n_resamples} at most)",
    }  # fmt: skip
    if n < 2:
        notes.append(units.lacking(np.zeros(len(units.levels))))
        return HypothesisTable.of_test(row, [*notes, "fewer than 2 pairs"])
    effect = float(difference.mean())
    if not difference.any():
        row |= {"statistic": 0.0, "p": 1.0, "effect": 0.0, "low": 0.0, "high": 0.0}
        return HypothesisTable.of_test(row, [*notes, "no pair differs"])
    found = stats.permutation_test(
        (difference,), lambda x, axis: x.mean(axis=axis), permutation_type="samples",
        vectorized=True, n_resamples=n_resamples, batch=max(1, _BATCH // n), rng=rng,
    )  # fmt: skip
    _, low, high = unit_interval(difference, Units.each(n, units.name), rng=rng)
    row |= {"statistic": effect, "p": float(min(found.pvalue, 1.0))}
    row |= {"effect": effect, "low": low, "high": high}
    notes.append(out_of_reach(smallest_p("sign flip", n), n, units.name))
    return HypothesisTable.of_test(row, notes)


def folded_error(error_deg: np.ndarray) -> np.ndarray:
    """Absolute angle of a difference of angles, folded into [0, 180] degrees."""
    return np.abs((np.asarray(error_deg, float) + 180) % 360 - 180)
