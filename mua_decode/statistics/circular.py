"""Angles: are they concentrated, do they point where they should, did a change worsen them?"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import stats

from mua_decode.types import HypothesisTable, InputError

_BATCH = 1_000_000  # numbers of a batch of resamples


def rayleigh(
    angle_deg: np.ndarray,
    *,
    question: str,
    group: str,
    metric: str,
    n_unit: str,
    rng: np.random.Generator,
    n_resamples: int = 9999,
) -> HypothesisTable:
    """Test of uniformity on the circle against one preferred direction (Rayleigh 1919).

    The statistic is n R², R the mean resultant length (Mardia and Jupp 2000, section 6.3.1); its
    null distribution comes from uniform angles (``scipy.stats.monte_carlo_test``).

    Parameters
    ----------
    angle_deg
        float (n,), degrees; NaN is dropped and counted in the note.
    question, group, metric, n_unit
        Copied into the row.
    rng, n_resamples
        Of the null distribution; p is never below 1 / (1 + n_resamples).

    Returns
    -------
    One row. ``effect`` is R in [0, 1] with its percentile bootstrap 95 % interval over angles;
    the mean direction stands in the note.
    """
    angles, notes = _angles(angle_deg)
    row = _row(question, group, metric, n_unit, len(angles), "mean resultant length")
    row["test"] = f"Rayleigh, Monte Carlo ({n_resamples} uniform samples)"
    if len(angles) < 2:
        return _finish(row, [*notes, "fewer than 2 angles"])

    def strength(x: np.ndarray, axis: int = -1) -> np.ndarray:
        return np.asarray(x.shape[axis] * np.abs(np.exp(1j * x).mean(axis=axis)) ** 2)

    found = _monte_carlo(angles, strength, n_resamples, rng)
    low, high = _interval(angles, lambda x, axis: np.abs(np.exp(1j * x).mean(axis=axis)), rng)
    centre = np.exp(1j * angles).mean()
    notes.append(f"mean direction {np.rad2deg(np.angle(centre)):.1f} degrees")
    row |= {"statistic": found[0], "p": found[1], "effect": abs(centre), "low": low, "high": high}
    return _finish(row, notes)


def v_test(
    angle_deg: np.ndarray,
    expected_deg: float,
    *,
    question: str,
    group: str,
    metric: str,
    n_unit: str,
    rng: np.random.Generator,
    n_resamples: int = 9999,
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
    question, group, metric, n_unit, rng, n_resamples
        As in :func:`rayleigh`.

    Returns
    -------
    One row. ``effect`` is the mean cosine in [-1, 1] with its percentile bootstrap 95 % interval.
    """
    angles, notes = _angles(np.asarray(angle_deg, float) - expected_deg)
    row = _row(question, group, metric, n_unit, len(angles), "mean cosine to the expected")
    row["test"] = (
        f"V-test against {expected_deg:g} degrees, Monte Carlo ({n_resamples} uniform samples)"
    )
    if len(angles) < 2:
        return _finish(row, [*notes, "fewer than 2 angles"])

    def strength(x: np.ndarray, axis: int = -1) -> np.ndarray:
        return np.asarray(np.sqrt(2 * x.shape[axis]) * np.cos(x).mean(axis=axis))

    found = _monte_carlo(angles, strength, n_resamples, rng)
    low, high = _interval(angles, lambda x, axis: np.cos(x).mean(axis=axis), rng)
    effect = float(np.cos(angles).mean())
    row |= {"statistic": found[0], "p": found[1], "effect": effect, "low": low, "high": high}
    return _finish(row, notes)


def paired_circular(
    a_error_deg: np.ndarray,
    b_error_deg: np.ndarray,
    *,
    question: str,
    group: str,
    metric: str,
    n_unit: str,
    rng: np.random.Generator,
    n_resamples: int = 9999,
) -> HypothesisTable:
    """Sign-flip permutation test of paired absolute angular errors, |a| − |b|, two-sided.

    Parameters
    ----------
    a_error_deg, b_error_deg
        float (n,): angular errors in degrees, signed or not, folded into [0, 180]; value i of
        both belongs to one condition. A pair with a NaN is dropped and counted in the note.
    question, group, metric, n_unit
        Copied into the row.
    rng, n_resamples
        Of the permutations; all 2ⁿ are used when they are no more than that.

    Returns
    -------
    One row. ``effect`` is the mean difference of the absolute errors in degrees with its
    percentile bootstrap 95 % interval over pairs.

    Raises
    ------
    InputError
        If the lengths differ.
    """
    a, b = np.asarray(a_error_deg, float), np.asarray(b_error_deg, float)
    if a.shape != b.shape or a.ndim != 1:
        raise InputError(f"paired angles: expected two equal lengths, found {a.shape}, {b.shape}")
    both = np.isfinite(a) & np.isfinite(b)
    notes = [f"{(~both).sum()} pairs with NaN left out"] if not both.all() else []
    difference = folded_error(a[both]) - folded_error(b[both])
    row = _row(question, group, metric, n_unit, len(difference), "mean difference, degrees")
    row["test"] = f"sign-flip permutation of paired |error|, two-sided ({n_resamples} at most)"
    if len(difference) < 2:
        return _finish(row, [*notes, "fewer than 2 pairs"])
    effect = float(difference.mean())
    if not difference.any():
        row |= {"statistic": 0.0, "p": 1.0, "effect": 0.0, "low": 0.0, "high": 0.0}
        return _finish(row, [*notes, "no pair differs"])
    found = stats.permutation_test(
        (difference,), lambda x, axis: x.mean(axis=axis), permutation_type="samples",
        vectorized=True, n_resamples=n_resamples, batch=max(1, _BATCH // len(difference)), rng=rng,
    )  # fmt: skip
    low, high = _interval(difference, lambda x, axis: x.mean(axis=axis), rng)
    row |= {"statistic": effect, "p": float(min(found.pvalue, 1.0))}
    return _finish(row | {"effect": effect, "low": low, "high": high}, notes)


def folded_error(error_deg: np.ndarray) -> np.ndarray:
    """Absolute angle of a difference of angles, folded into [0, 180] degrees."""
    return np.abs((np.asarray(error_deg, float) + 180) % 360 - 180)


def _angles(angle_deg: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Finite angles in radians, and what was dropped."""
    angles = np.asarray(angle_deg, float)
    if angles.ndim != 1:
        raise InputError(f"circular test: expected angles (n,), found {angles.shape}")
    known = np.isfinite(angles)
    notes = [] if known.all() else [f"{(~known).sum()} angles with NaN left out"]
    return np.deg2rad(angles[known]), notes


def _monte_carlo(
    angles: np.ndarray,
    statistic: Callable[..., np.ndarray],
    n_resamples: int,
    rng: np.random.Generator,
) -> tuple[float, float]:
    def uniform(size: tuple[int, ...]) -> np.ndarray:
        return rng.uniform(-np.pi, np.pi, size)

    found = stats.monte_carlo_test(
        angles, uniform, statistic, vectorized=True, n_resamples=n_resamples,
        batch=max(1, _BATCH // len(angles)), alternative="greater",
    )  # fmt: skip
    return float(found.statistic), float(found.pvalue)


def _interval(
    values: np.ndarray, statistic: Callable[..., np.ndarray], rng: np.random.Generator
) -> tuple[float, float]:
    found = stats.bootstrap(
        (values,), statistic, vectorized=True, n_resamples=2000,
        batch=max(1, _BATCH // len(values)), method="percentile", rng=rng,
    ).confidence_interval  # fmt: skip
    return float(found.low), float(found.high)


def _row(
    question: str, group: str, metric: str, n_unit: str, n: int, effect_name: str
) -> dict[str, object]:
    return {
        "question": question, "group": group, "metric": metric, "n_unit": n_unit, "n": n,
        "effect_name": effect_name,
    }  # fmt: skip


def _finish(row: dict[str, object], notes: list[str]) -> HypothesisTable:
    return HypothesisTable.from_rows([row | {"note": "; ".join(notes)}])
