"""What is independent among values, and intervals and tests that count it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple, Unpack

import numpy as np
from scipy import stats

from mua_decode.statistics.bootstrap import Interval, cluster_bootstrap
from mua_decode.types import HypothesisTable, InputError, Question

FEW = 20  # units; a bootstrap over fewer is too narrow (K = 4: covers .81, K = 8: .87)
_CROSSED = " × "


@dataclass(frozen=True, eq=False)
class Units:
    """What is independent among M values: one kind of unit, or factors of a crossed design.

    64 conditions that share 4 cues are 4 independent values of whatever depends on the cue. Raises
    InputError if the levels do not fit the name.

    Parameters
    ----------
    name
        What one unit is, plural: ``cues``; of crossed factors ``cues × colours``.
    levels
        str (M, F): level of every value in each of the F factors.
    """

    name: str
    levels: np.ndarray

    def __post_init__(self) -> None:
        n = len(self.name.split(_CROSSED))
        if self.levels.ndim != 2 or self.levels.shape[1] != n:
            raise InputError(
                f"units '{self.name}': expected levels (M, {n}), found {self.levels.shape}"
            )

    @classmethod
    def each(cls, n: int, name: str = "conditions") -> Units:
        """Every one of n values a unit of its own."""
        return cls(name, np.arange(n).astype(str)[:, None])

    @classmethod
    def crossed(cls, factors: Iterable[tuple[str, np.ndarray]]) -> Units:
        """Name and labels (M,) of every factor."""
        named = list(factors)
        levels = np.stack([np.asarray(labels).astype(str) for _, labels in named], axis=1)
        return cls(_CROSSED.join(name for name, _ in named), levels)

    @classmethod
    def of_columns(cls, name: str, labels: Iterable[str]) -> Units:
        """Read back what :attr:`labels` wrote."""
        return cls(name, np.array([str(label).split(_CROSSED) for label in labels], str))

    @property
    def labels(self) -> list[str]:
        """Levels of every value as one text, those of crossed factors joined."""
        return [_CROSSED.join(row) for row in self.levels]

    @property
    def shared(self) -> bool:
        """Whether values share units, so that they are fewer than the values."""
        return any(len(np.unique(column)) < len(column) for column in self.levels.T)

    def count(self, values: np.ndarray) -> int:
        """Levels that have a value, of the factor with the fewest: what limits a conclusion."""
        known = self.levels[~np.isnan(np.asarray(values, float))]
        return min((len(np.unique(column)) for column in known.T), default=0) if len(known) else 0

    def where(self, chosen: np.ndarray) -> Units:
        """Units of some of the values, by mask or index."""
        return Units(self.name, self.levels[chosen])

    def means(self, values: np.ndarray) -> list[np.ndarray]:
        """Mean of the values (M,) of every level, one array per factor; NaN is left out."""
        values = np.asarray(values, float)
        if values.shape != (len(self.levels),):
            raise InputError(
                f"units '{self.name}': expected values ({len(self.levels)},), found {values.shape}"
            )
        known = ~np.isnan(values)
        out = []
        for column in self.levels[known].T:
            code = np.unique(column, return_inverse=True)[1]
            out.append(np.bincount(code, values[known]) / np.bincount(code))
        return out


class _Mean(NamedTuple):
    """Mean over units with its standard error and degrees of freedom; NaN where there is none."""

    mean: float
    error: float = float("nan")
    df: float = float("nan")


def unit_interval(values: np.ndarray, units: Units, *, rng: np.random.Generator) -> Interval:
    """95 % interval of a mean over units, round that mean: for other cues like these, say.

    Up to 20 units, and over crossed factors, it is the t interval of the means of the units (see
    :func:`unit_t`); above, a bootstrap that draws whole units.

    Parameters
    ----------
    values
        float (M,); NaN is left out.

    Returns
    -------
    Interval; its ends are NaN where fewer than two units have a value.
    """
    values = np.asarray(values, float)
    if units.levels.shape[1] == 1 and units.count(values) >= FEW:
        return cluster_bootstrap(values, units.levels[:, 0], n=2000, rng=rng)
    found = _mean(values, units)
    reach = found.error * stats.t.ppf(0.975, found.df)
    return Interval(found.mean, float(found.mean - reach), float(found.mean + reach))


def unit_t(values: np.ndarray, units: Units, **asked: Unpack[Question]) -> HypothesisTable:
    """Two-sided t-test of a mean over units against zero.

    Values are averaged within units first: what two values of one cue share speaks once. Of
    crossed factors the variances of their level means add up, less the noise that each but one
    counts again, and never below that noise; degrees of freedom after Satterthwaite (1946, doi
    10.2307/3002019). Coverage by simulation: ``tests/statistics/test_units.py``.

    Parameters
    ----------
    values
        float (M,), differences or signed effects; NaN is dropped and counted in the note.

    Returns
    -------
    One row. ``n`` is the number of units, of the factor with the fewest; ``effect`` is the mean
    with its 95 % interval. Values that are all zero have p = 1; fewer than two units have none.
    """
    values = np.asarray(values, float)
    lost = int(np.isnan(values).sum())
    notes = [f"{lost} values with NaN left out"] if lost else []
    row: dict[str, object] = {
        **asked, "n": units.count(values), "n_unit": units.name, "effect_name": "mean",
        "test": f"unit means, t over {units.name}, two-sided",
    }  # fmt: skip
    found = _mean(values, units)
    row["effect"] = found.mean
    if np.isnan(found.error):
        return HypothesisTable.of_test(row, [*notes, "fewer than 2 units"])
    row["df"] = found.df
    if found.error <= 8 * np.finfo(float).eps * float(np.nanmax(np.abs(values))):
        row |= {"low": found.mean, "high": found.mean}
        row |= {"statistic": 0.0, "p": 1.0} if found.mean == 0 else {}
        return HypothesisTable.of_test(row, [*notes, "the means of all units are the same"])
    t = found.mean / found.error
    reach = found.error * stats.t.ppf(0.975, found.df)
    row |= {"statistic": t, "p": float(2 * stats.t.sf(abs(t), found.df))}
    row |= {"low": float(found.mean - reach), "high": float(found.mean + reach)}
    return HypothesisTable.of_test(row, notes)


def _mean(values: np.ndarray, units: Units) -> _Mean:
    means = units.means(values)
    if not means or not len(means[0]):
        return _Mean(float("nan"))
    mean = float(np.mean([m.mean() for m in means]))
    if min(map(len, means)) < 2:
        return _Mean(mean)
    df = np.array([len(m) - 1 for m in means])
    variance = np.array([m.var(ddof=1) / len(m) for m in means])
    if len(means) == 1:
        return _Mean(mean, float(variance[0] ** 0.5), float(df[0]))
    noise, df_noise = _residual(values, units)
    spare = (len(means) - 1) * noise
    total = float(variance.sum()) - spare
    if total <= noise:
        return _Mean(mean, noise**0.5, df_noise)
    parts = float((variance**2 / df).sum()) + spare**2 / df_noise
    within = total**2 / parts if parts else float(df.sum())
    return _Mean(mean, max(total, 0.0) ** 0.5, max(within, float(df.min())))


def _residual(values: np.ndarray, units: Units) -> tuple[float, float]:
    """Variance of the mean that no factor explains, 0 where nothing is left, and its df."""
    known = ~np.isnan(values)
    coded = [np.unique(c, return_inverse=True)[1] for c in units.levels[known].T]
    dummies = [np.eye(code.max() + 1)[code][:, 1:] for code in coded]
    design = np.hstack([np.ones((known.sum(), 1)), *dummies])
    fitted, _, rank, _ = np.linalg.lstsq(design, values[known], rcond=None)
    df = int(known.sum() - rank)
    if df < 1:
        return 0.0, 1.0
    left = values[known] - design @ fitted
    return float((left**2).sum() / df / known.sum()), float(df)


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
    }  # fmt: skip
