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

    The statistic is V = √(2n) · mean cos(angle − expected) (Zar 2010, section 27.1). Against one
    direction for all, its null distribution comes from uniform angles, the same turn for all angles
    of a unit. Against a direction for each, angles need not be uniform to say nothing: one that is
    always the same points where it should as often as the expected ones do, and more often if what
    has no angle depends on the direction (an error against 0 then is no uniform angle: FPR .15). So
    the expected directions change places among the units that have an angle.

    Parameters
    ----------
    angle_deg
        float (n,), degrees; NaN is left out and counted in the note.
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
        raise InputError(
            f"circular test: expected angles (n,), found {angles.shape}, to {expected.shape}"
        )
    known = np.isfinite(angles)
    units = Units.of(n_unit, len(angles)).where(known)
    notes = [] if known.all() else [f"{(~known).sum()} angles with NaN left out"]
    unit, angles = units.code, np.deg2rad(angles[known])
    shown = np.deg2rad(np.broadcast_to(expected, known.shape)[known])
    test = f"V, expected directions permuted over {units.name}, one-sided ({n_resamples})"
    if not expected.ndim:
        test = f"V-test against {expected:g} degrees, Monte Carlo ({n_resamples} uniform samples)"
    n = len(np.unique(unit))
    row: dict[str, object] = {
        **asked, "n_unit": units.name, "test": test, "n": n,
        "effect_name": "mean cosine to the expected",
    }  # fmt: skip
    if n < 2:
        return HypothesisTable.of_test(row, [*notes, units.lacking(angles), "fewer than 2 angles"])
    cosine = np.cos(angles - shown)
    scale = np.sqrt(2 * len(angles))
    if expected.ndim:
        found = permutation_null(
            lambda to: float(np.cos(angles - to).mean()), shown, rng=rng, n=n_resamples, units=units
        )
        p, notes = float(found.p), [*notes, *filter(None, [found.note])]
    else:
        p = float(rank_p(_uniform(angles, unit, rng, n_resamples), cosine.mean()))
    over = pooled_interval(cosine, unit, rng=rng)
    low, high = np.clip(over[1:], -1, 1)
    row |= {"statistic": float(scale * cosine.mean()), "p": p}
    row |= {"effect": float(cosine.mean()), "low": float(low), "high": float(high)}
    return HypothesisTable.of_test(row, notes)


def _uniform(angles: np.ndarray, unit: np.ndarray, rng: np.random.Generator, n: int) -> np.ndarray:
    """Mean cosines (n,) where every unit is turned by an angle that may be any."""
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
    interval over units (:func:`unit_interval`). Fewer than six units cannot reach .05, which the
    note says.
    """
    a, b = np.asarray(a_error_deg, float), np.asarray(b_error_deg, float)
    if a.shape != b.shape or a.ndim != 1:
        raise InputError(f"paired angles: expected two equal lengths, found {a.shape}, {b.shape}")
    both = np.isfinite(a) & np.isfinite(b)
    units = Units.of(n_unit, len(a)).where(both)
    if units.levels.shape[1] > 1:
        raise InputError(f"paired angles: units '{units.name}' are crossed: take unit_t")
    notes = [f"{(~both).sum()} pairs with NaN left out"] if not both.all() else []
    difference = folded_error(a[both]) - folded_error(b[both])
    if units.shared:
        difference = units.means(difference)[0]
    n = len(difference)
    row: dict[str, object] = {
        **asked, "n_unit": units.name, "n": n, "effect_name": "mean difference, degrees",
        "test": f"sign-flip permutation of paired |error|, two-sided ({n_resamples} at most)",
    }  # fmt: skip
    if n < 2:
        why = units.lacking(np.zeros(len(units.levels)))
        return HypothesisTable.of_test(row, [*notes, why, "fewer than 2 pairs"])
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
    said = out_of_reach(smallest_p("sign flip", n), n, units.name)
    return HypothesisTable.of_test(row, [*notes, said] if said else notes)


def folded_error(error_deg: np.ndarray) -> np.ndarray:
    """Absolute angle of a difference of angles, folded into [0, 180] degrees."""
    return np.abs((np.asarray(error_deg, float) + 180) % 360 - 180)
