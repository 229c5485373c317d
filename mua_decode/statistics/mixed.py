"""The mixed-effects view of a mean: what values share is a random effect of every factor."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any, NamedTuple, Unpack

import numpy as np
import pandas as pd
from scipy import stats

from mua_decode.statistics.correction import correct
from mua_decode.statistics.crossed import quiet_factors, summed
from mua_decode.statistics.means import unit_t
from mua_decode.statistics.units import Units
from mua_decode.types import HypothesisTable, Question

_ALPHA = 0.05


class MixedQuestion(NamedTuple):
    """Values (M,) and what is random in them; ``beside``: units of the test over unit means."""

    values: np.ndarray
    random: Units
    beside: Units
    asked: Question


class _Fit(NamedTuple):
    mean: float
    error: float
    variances: np.ndarray  # (F + 1,): of the factors' effects, and the residual

    @classmethod
    def of_values(cls, values: np.ndarray) -> _Fit:
        """Nothing is shared: one variance, that of the values."""
        variance = float(values.var(ddof=1))
        error = (variance / len(values)) ** 0.5
        return cls(float(values.mean()), error, np.array([variance]))


def mixed_mean(values: np.ndarray, units: Units, **asked: Unpack[Question]) -> HypothesisTable:
    """Test a mean against zero in a linear mixed model with an intercept per level of every factor.

    Restricted maximum likelihood (statsmodels' MixedLM), crossed factors as variance components.
    Its normal approximation is too sure with few levels (4 cues: size .12 for .05), so the
    statistic is referred to t, degrees of freedom after Satterthwaite (1946, doi 10.2307/3002019)
    from the variances that were estimated. Crossed factors that move their means no more than
    noise may are left out, as :func:`unit_t` leaves them out: variances that cannot be negative
    add up to too much where nothing is shared (size .018). It stands beside :func:`unit_t`,
    whose variances are those of the level means; over balanced factors both agree.

    Parameters
    ----------
    values
        float (M,), differences or signed effects; NaN is dropped and counted in the note.
    units
        One kind of unit (sessions of sites), or crossed factors (cues × colours × directions).

    Returns
    -------
    One row. ``n`` is the number of levels of the factor with the fewest; ``effect`` is the
    intercept with its 95 % interval; the note says which share of the variance is whose. Values
    that are all zero have p = 1; none with fewer than two levels, or where the fit fails.
    """
    values = np.asarray(values, float)
    known = ~np.isnan(values)
    notes = [f"{(~known).sum()} values with NaN left out"] if not known.all() else []
    row: dict[str, object] = {
        **asked, "n": units.count(values), "n_unit": units.name, "effect_name": "mean",
        "test": f"linear mixed model, random {units.name}, t (Satterthwaite), two-sided",
    }  # fmt: skip
    units, values = units.where(known), values[known]
    lacking = units.lacking(values)
    if lacking or not units.shared:
        return HypothesisTable.of_test(row, [*notes, lacking or f"no {units.name} are shared"])
    if np.ptp(values) <= 8 * np.finfo(float).eps * float(np.abs(values).max()):
        row |= {"effect": float(values.mean())}
        row |= {"statistic": 0.0, "p": 1.0} if not values.any() else {}
        return HypothesisTable.of_test(row, [*notes, "every value is the same"])
    random = _at_work(values, units)
    found = _fit(values, random) if random is not None else _Fit.of_values(values)
    if found is None:
        return HypothesisTable.of_test(row, [*notes, "the model could not be fitted"])
    df = _freedom(found, random, len(values))
    t, reach = found.mean / found.error, float(stats.t.ppf(0.975, df)) * found.error
    row |= {"effect": found.mean, "low": found.mean - reach, "high": found.mean + reach}
    row |= {"statistic": t, "df": df, "p": 2 * float(stats.t.sf(abs(t), df))}
    left = [] if random is None else random.name.split(" × ")
    shares = found.variances / found.variances.sum()
    of = dict.fromkeys([*units.name.split(" × "), "residual"], 0.0)
    of |= dict(zip([*left, "residual"], shares.tolist(), strict=True))
    said = ", ".join(f"{name} {share:.2f}" for name, share in of.items())
    return HypothesisTable.of_test(row, [*notes, f"share of the variance: {said}"])


def mixed_view(questions: Iterable[MixedQuestion], *, correction: str = "holm") -> pd.DataFrame:
    """Ask every question of a mixed model and of the means of units, and say whether both agree.

    Parameters
    ----------
    correction
        Over the groups within metric: holm, fdr_bh or none.

    Returns
    -------
    The columns of a hypothesis table (:func:`mixed_mean`), with ``p_unit_means`` (:func:`unit_t`
    of the same values) and ``agrees``: both p on one side of .05, neither corrected. Empty without
    questions.
    """
    asked = list(questions)
    if not asked:
        return pd.DataFrame()
    mixed = [mixed_mean(q.values, q.random, **q.asked) for q in asked]
    plain = [unit_t(q.values, q.beside, **q.asked).frame["p"].iloc[0] for q in asked]
    table = correct(HypothesisTable.concat(mixed), method=correction, within=["metric"]).frame
    p, beside = table["p"], pd.Series(plain, dtype=float)
    same = (p <= _ALPHA) == (beside <= _ALPHA)
    said = same.map({True: "yes", False: "no"}).where(p.notna() & beside.notna(), "")
    return table.assign(p_unit_means=beside, agrees=said)


def _fit(values: np.ndarray, units: Units) -> _Fit | None:
    # It takes half a second to import, and most runs ask for none.
    from statsmodels.regression.mixed_linear_model import MixedLM, VCSpec

    scale = float(values.std())
    model: dict[str, Any] = {"groups": np.zeros(len(values))}
    coded = [np.unique(column, return_inverse=True)[1] for column in units.levels.T]
    names = [f"factor {i}" for i in range(len(coded))]
    columns = [
        [[f"{n} {level}" for level in range(c.max() + 1)]]
        for n, c in zip(names, coded, strict=True)
    ]
    model["exog_vc"] = VCSpec(names, columns, [[np.eye(c.max() + 1)[c]] for c in coded])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a variance at 0 is no mistake
        try:
            fitted = MixedLM(values / scale, np.ones((len(values), 1)), **model).fit(reml=True)
            mean, error = float(fitted.fe_params[0]), float(fitted.bse_fe[0])
        except (np.linalg.LinAlgError, ValueError):
            return None
    if not np.isfinite([mean, error]).all() or error <= 0:
        return None
    variances = np.append(np.asarray(fitted.vcomp, float), float(fitted.scale))
    return _Fit(mean * scale, error * scale, np.maximum(variances, 0) * scale**2)


def _at_work(values: np.ndarray, units: Units) -> Units | None:
    """Units without the crossed factors that count as noise (:func:`unit_t`); None if all do."""
    if units.levels.shape[1] == 1:
        return units
    kept = np.flatnonzero(~quiet_factors(values, units))
    names = units.name.split(" × ")
    return Units.crossed([(names[i], units.levels[:, i]) for i in kept]) if len(kept) else None


def _freedom(found: _Fit, units: Units | None, m: int) -> float:
    """Degrees of freedom of the mean of m values.

    One kind of unit has one less than there are: that few of them seem to differ by nothing is
    no reason to count values. Crossed factors: see :func:`summed`.
    """
    if units is None:
        return m - 1.0
    if units.levels.shape[1] == 1:
        return float(len(np.unique(units.levels)) - 1)
    share = [np.unique(c, return_counts=True)[1] / m for c in units.levels.T]
    part = np.array([float(np.square(s).sum()) for s in share]) * found.variances[:-1]
    df = np.array([len(s) - 1.0 for s in share])
    felt = part > 0
    noise, rest = float(found.variances[-1]) / m, max(m - 1 - float(df[felt].sum()), 1.0)
    return summed(part[felt] + noise, df[felt], noise=noise, df_noise=rest)[1]
