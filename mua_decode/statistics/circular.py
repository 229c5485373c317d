"""Angles: do they point where they should, did a change worsen them?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Unpack

import numpy as np
from scipy import stats

from mua_decode.types import HypothesisTable, InputError, Question

_BATCH = 1_000_000  # numbers of a batch of resamples


def v_test(
    angle_deg: np.ndarray,
    expected_deg: float,
    *,
    n_unit: str,
    rng: np.random.Generator,
    n_resamples: int = 9999,
    **asked: Unpack[Question],
) -> HypothesisTable:
    """Test of uniformity against a direction known beforehand (V-test, Greenwood and Durand 1955).

    Angular errors are tested against 0. The statistic is V = √(2n) · mean cos(angle − expected)
    (Zar 2010, section 27.1); its null distribution comes from uniform angles.

    Parameters
    ----------
    angle_deg
        float (n,), degrees; NaN is dropped and counted in the note.
    expected_deg
        The direction, chosen without looking at the angles.
    rng, n_resamples
        Of the null distribution; p is never below 1 / (1 + n_resamples).

    Returns
    -------
    One row. ``effect`` is the mean cosine in [-1, 1] with its percentile bootstrap 95 % interval.
    """
    angles = np.asarray(angle_deg, float) - expected_deg
    if angles.ndim != 1:
        raise InputError(f"circular test: expected angles (n,), found {angles.shape}")
    known = np.isfinite(angles)
    notes = [] if known.all() else [f"{(~known).sum()} angles with NaN left out"]
    angles = np.deg2rad(angles[known])
    test = f"V-test against {expected_deg:g} degrees, Monte Carlo ({n_resamples} uniform samples)"
    row: dict[str, object] = {
        **asked, "n_unit": n_unit, "test": test, "n": len(angles),
        "effect_name": "mean cosine to the expected",
    }  # fmt: skip
    if len(angles) < 2:
        return HypothesisTable.of_test(row, [*notes, "fewer than 2 angles"])

    def strength(x: np.ndarray, axis: int = -1) -> np.ndarray:
        return np.asarray(np.sqrt(2 * x.shape[axis]) * np.cos(x).mean(axis=axis))

    found = stats.monte_carlo_test(
        angles, lambda size: rng.uniform(-np.pi, np.pi, size), strength, vectorized=True,
        n_resamples=n_resamples, batch=max(1, _BATCH // len(angles)), alternative="greater",
    )  # fmt: skip
    low, high = _interval(angles, lambda x, axis: np.cos(x).mean(axis=axis), rng)
    row |= {"statistic": float(found.statistic), "p": float(found.pvalue)}
    row |= {"effect": float(np.cos(angles).mean()), "low": low, "high": high}
    return HypothesisTable.of_test(row, notes)


def paired_circular(
    a_error_deg: np.ndarray,
    b_error_deg: np.ndarray,
    *,
    n_unit: str,
    rng: np.random.Generator,
    n_resamples: int = 9999,
    **asked: Unpack[Question],
) -> HypothesisTable:
    """Sign-flip permutation test of paired absolute angular errors, |a| − |b|, two-sided.

    Raises InputError if the lengths differ.

    Parameters
    ----------
    a_error_deg, b_error_deg
        float (n,): angular errors in degrees, signed or not, folded into [0, 180]; value i of
        both belongs to one condition. A pair with a NaN is dropped and counted in the note.
    rng, n_resamples
        Of the permutations; all 2ⁿ are used when they are no more than that.

    Returns
    -------
    One row. ``effect`` is the mean difference of the absolute errors in degrees with its
    percentile bootstrap 95 % interval over pairs.
    """
    a, b = np.asarray(a_error_deg, float), np.asarray(b_error_deg, float)
    if a.shape != b.shape or a.ndim != 1:
        raise InputError(f"paired angles: expected two equal lengths, found {a.shape}, {b.shape}")
    both = np.isfinite(a) & np.isfinite(b)
    notes = [f"{(~both).sum()} pairs with NaN left out"] if not both.all() else []
    difference = folded_error(a[both]) - folded_error(b[both])
    row: dict[str, object] = {
        **asked, "n_unit": n_unit, "n": len(difference), "effect_name": "mean difference, degrees",
        "test": f"sign-flip permutation of paired |error|, two-sided ({n_resamples} at most)",
    }  # fmt: skip
    if len(difference) < 2:
        return HypothesisTable.of_test(row, [*notes, "fewer than 2 pairs"])
    effect = float(difference.mean())
    if not difference.any():
        row |= {"statistic": 0.0, "p": 1.0, "effect": 0.0, "low": 0.0, "high": 0.0}
        return HypothesisTable.of_test(row, [*notes, "no pair differs"])
    found = stats.permutation_test(
        (difference,), lambda x, axis: x.mean(axis=axis), permutation_type="samples",
        vectorized=True, n_resamples=n_resamples, batch=max(1, _BATCH // len(difference)), rng=rng,
    )  # fmt: skip
    low, high = _interval(difference, lambda x, axis: x.mean(axis=axis), rng)
    row |= {"statistic": effect, "p": float(min(found.pvalue, 1.0))}
    return HypothesisTable.of_test(row | {"effect": effect, "low": low, "high": high}, notes)


def folded_error(error_deg: np.ndarray) -> np.ndarray:
    """Absolute angle of a difference of angles, folded into [0, 180] degrees."""
    return np.abs((np.asarray(error_deg, float) + 180) % 360 - 180)


def _interval(
    values: np.ndarray, statistic: Callable[..., np.ndarray], rng: np.random.Generator
) -> tuple[float, float]:
    found = stats.bootstrap(
        (values,), statistic, vectorized=True, n_resamples=2000,
        batch=max(1, _BATCH // len(values)), method="percentile", rng=rng,
    ).confidence_interval  # fmt: skip
    return float(found.low), float(found.high)
