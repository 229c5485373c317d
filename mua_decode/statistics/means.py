"""Means over units: their intervals, their tests."""

from __future__ import annotations

from typing import Unpack

import numpy as np
from scipy import stats

from mua_decode.statistics.crossed import UnitMean, mean_of_units
from mua_decode.statistics.intervals import Interval, NoInterval
from mua_decode.statistics.permutation import out_of_reach, smallest_p
from mua_decode.statistics.pooled import pooled_interval
from mua_decode.statistics.units import FEW, Units
from mua_decode.types import HypothesisTable, Question

_ALIKE = "the means of all units are the same"


def unit_interval(values: np.ndarray, units: Units, *, rng: np.random.Generator) -> Interval:
    """95 % interval of a mean over units, round that mean: for other cues like these, say.

    Every unit counts once, however many values it has. Below 20 units, and over crossed factors, it
    is the t interval of the means of the units (see :func:`unit_t`); above, a bootstrap that draws
    whole units.

    Parameters
    ----------
    values
        float (M,); NaN is left out.

    Returns
    -------
    Interval; :class:`NoInterval` with the reason where fewer than two units have a value, or a
    crossed factor has fewer than three levels, or the means of all units are the same, which do not
    show how much they vary.
    """
    values = np.asarray(values, float)
    found = mean_of_units(values, units)
    if np.isnan(found.error):
        return NoInterval(found.mean, units.lacking(values))
    if _alike(found, values):
        return NoInterval(found.mean, f"{_ALIKE}: no interval")
    if units.levels.shape[1] == 1 and units.count(values) >= FEW:
        means = units.means(values)[0]
        return pooled_interval(means, Units.each(len(means), units.name), rng=rng, draws=2000)
    reach = found.error * stats.t.ppf(0.975, found.df)
    return Interval(found.mean, float(found.mean - reach), float(found.mean + reach))


def unit_t(values: np.ndarray, units: Units, **asked: Unpack[Question]) -> HypothesisTable:
    """Two-sided t-test of a mean over units against zero.

    Values are averaged within units first: what two values of one cue share speaks once. Of
    crossed factors the variances of their level means add up, less the noise that each but one
    counts again, and never below that noise; a factor that does not stand out of the noise is
    pooled with it (Bancroft 1944, Annals of Mathematical Statistics 15:190). Degrees of freedom
    after Satterthwaite (1946, doi 10.2307/3002019). Size and coverage by simulation:
    ``docs/statistics.md``.

    Parameters
    ----------
    values
        float (M,), differences or signed effects; NaN is dropped and counted in the note.

    Returns
    -------
    One row. ``n`` is the number of units, of the factor with the fewest; ``effect`` is the mean
    with its 95 % interval. Fewer than two units, or than three levels of a crossed factor, have no
    p. Where the means of all units are the same there is no t and no interval: p is 1 if they are
    zero, else that of an exact sign flip.
    """
    values = np.asarray(values, float)
    lost = int(np.isnan(values).sum())
    notes = [f"{lost} values with NaN left out"] if lost else []
    row: dict[str, object] = {
        **asked, "n": units.count(values), "n_unit": units.name, "effect_name": "mean",
        "test": f"unit means, t over {units.name}, two-sided",
    }  # fmt: skip
    found = mean_of_units(values, units)
    row["effect"] = found.mean
    if np.isnan(found.error):
        least = 2 if units.levels.shape[1] == 1 else 3
        notes += [units.lacking(values), f"fewer than {least} units"]
        return HypothesisTable.of_test(row, notes)
    if _alike(found, values):
        n = units.count(values)
        smallest = smallest_p("sign flip", n)
        row["test"] = f"exact sign flip over {units.name}, two-sided"
        row["p"] = smallest if found.mean else 1.0
        notes += [f"{_ALIKE}: no t, no interval", out_of_reach(smallest, n, units.name)]
        return HypothesisTable.of_test(row, notes)
    t = found.mean / found.error
    reach = found.error * stats.t.ppf(0.975, found.df)
    row |= {"statistic": t, "df": found.df, "p": float(2 * stats.t.sf(abs(t), found.df))}
    row |= {"low": float(found.mean - reach), "high": float(found.mean + reach)}
    return HypothesisTable.of_test(row, notes)


def _alike(found: UnitMean, values: np.ndarray) -> bool:
    """Whether units differ by no more than the rounding of sums."""
    return bool(found.error <= 8 * np.finfo(float).eps * float(np.nanmax(np.abs(values))))


def interval_columns(
    values: np.ndarray, units: Units, *, rng: np.random.Generator, what: str = "conditions"
) -> dict[str, object]:
    """Both intervals of a mean as columns of a table, each saying what it speaks for.

    Returns
    -------
    dict
        ``low`` and ``high`` with every value a unit of its own, which speaks for ``interval_of``
        alone ("these 64 conditions"), n (values that are defined); ``units_mean``,
        ``units_low`` and ``units_high`` of :func:`unit_interval`, for other ``units``, and
        ``n_units``. Where units have unequally many values, their mean is not that of the values.
        ``note`` says why one of them is missing.
    """
    values = np.asarray(values, float)
    n = int((~np.isnan(values)).sum())
    each = Units.each(len(values), what)
    these = unit_interval(values, each, rng=rng)
    others = unit_interval(values, units, rng=rng) if units.shared else these
    return {
        "low": these.low, "high": these.high, "n": n, "interval_of": f"these {n} {what}",
        "units": units.name, "n_units": units.count(values),
        "units_mean": others.estimate, "units_low": others.low, "units_high": others.high,
        "note": these.reason or others.reason,
    }  # fmt: skip
