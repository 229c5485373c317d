"""Standard error of a mean over units, over several kinds of them where they are crossed."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import stats

from mua_decode.statistics.units import Units

# Chance that noise alone moves the means of one of F factors beyond what is pooled with it, times
# F^1.3. Any factors of any strength over 4 × 4 × 4, 4 × 16, 4 × 64, 3 × 64, 5 × 64 or 10 × 64
# values: size .030 to .070; over 4 × 4 .028 to .059.
_MOVED = 0.685
_TELLING = 3  # degrees of freedom


class UnitMean(NamedTuple):
    """Mean over units with its standard error and degrees of freedom; NaN where there is none."""

    mean: float
    error: float = float("nan")
    df: float = float("nan")


def mean_of_units(values: np.ndarray, units: Units) -> UnitMean:
    """Mean over the units of values (M,); see :func:`mua_decode.statistics.unit_t`."""
    means = units.means(values)
    if not means or not len(means[0]):
        return UnitMean(float("nan"))
    mean = float(np.mean([m.mean() for m in means]))
    if units.lacking(values):
        return UnitMean(mean)
    df = np.array([len(m) - 1 for m in means])
    variance = np.array([m.var(ddof=1) / len(m) for m in means])
    if len(means) == 1:
        return UnitMean(mean, float(variance[0] ** 0.5), float(df[0]))
    noise, df_noise = _residual(values, units)
    quiet = _quiet(variance, df, noise=noise, df_noise=df_noise)
    squares = df_noise * noise + float((df * variance)[quiet].sum())
    df_noise += float(df[quiet].sum())
    noise = squares / df_noise
    return UnitMean(mean, *summed(variance[~quiet], df[~quiet], noise=noise, df_noise=df_noise))


def summed(
    variance: np.ndarray, df: np.ndarray, *, noise: float, df_noise: float
) -> tuple[float, float]:
    """Error of a mean whose factors' means vary by ``variance`` (F,), noise included in each.

    The noise is counted once. Degrees of freedom after Satterthwaite; he trusts a small variance
    of two degrees of freedom as if it were known to be small (3 × 64 values: size .080), so that
    with fewer than four levels they lie nearer to those of that factor (.070).
    """
    spare = (len(variance) - 1) * noise
    total = float(variance.sum()) - spare
    if not len(variance) or total <= noise:
        return float(noise**0.5), df_noise
    found = total**2 / (float((variance**2 / df).sum()) + spare**2 / df_noise)
    least = float(df.min())
    found = max(found, least)
    return float(total**0.5), 0.4 * found + 0.6 * least if least < _TELLING else found


def quiet_factors(values: np.ndarray, units: Units) -> np.ndarray:
    """Crossed factors, bool (F,), that move the means of values (M,) no more than noise may."""
    means = units.means(values)
    df = np.array([len(m) - 1 for m in means])
    variance = np.array([m.var(ddof=1) / len(m) for m in means])
    noise, df_noise = _residual(values, units)
    return _quiet(variance, df, noise=noise, df_noise=df_noise)


def _quiet(variance: np.ndarray, df: np.ndarray, *, noise: float, df_noise: float) -> np.ndarray:
    """Factors (F,) that move their means no more than noise may, which are counted as noise.

    A preliminary test (Bancroft 1944, Annals of Mathematical Statistics 15:190); few levels (below
    four) cannot tell.
    """
    if noise == 0:
        return np.zeros(len(df), bool)
    within = stats.f.isf(_MOVED / len(df) ** 1.3, df, df_noise)
    return np.asarray((variance <= noise * within) & (df >= _TELLING))


def _residual(values: np.ndarray, units: Units) -> tuple[float, float]:
    """Variance of the mean that no factor explains, 0 where nothing is left, and its df."""
    known = ~np.isnan(values)
    y = values[known] - values[known].mean()
    coded = [np.unique(c, return_inverse=True)[1] for c in units.levels[known].T]
    dummies = [np.eye(code.max() + 1)[code][:, 1:] for code in coded]
    design = np.hstack([np.ones((len(y), 1)), *dummies])
    # Normal equations of counts: small, whatever the number of values.
    fitted, _, rank, _ = np.linalg.lstsq(design.T @ design, design.T @ y, rcond=None)
    df = int(len(y) - rank)
    if df < 1:
        return 0.0, 1.0
    left = float(np.square(y - design @ fitted).sum()) / df / len(y)
    return (left if left > 1e-28 * float(np.square(values[known]).mean()) else 0.0), float(df)
