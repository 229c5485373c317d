"""How well recorded trials predict each other: the noise ceiling of an encoding model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from mua_decode.analyses.encode.plan import EncodePlan
from mua_decode.data.independence import UNIT, group_means, unit_of
from mua_decode.data.recorded import SessionTrials, condition_means
from mua_decode.statistics import correct
from mua_decode.types import HypothesisTable


@dataclass(frozen=True, eq=False)
class Reliability:
    """Split-half reliability of M sites or averages of sites.

    Parameters
    ----------
    half_r
        float (M,): Pearson correlation, over time × conditions, of the means of two halves of the
        recorded trials, averaged over random splits.
    average
        float (M,): reliability of the mean over all trials of a condition.
    single
        float (M,): reliability of a single trial.
    p
        float (M,): one-sided one-sample t-test over groups of conditions that share recorded
        trials (mostly single conditions) that the two halves covary.
    n_groups
        int (M,): groups with a trial in both halves, the n of the test.
    unit
        What a group is, in words.

    Notes
    -----
    With r the correlation of halves of h trials each, the reliability of a mean over n trials is
    ``m r / (1 + (m - 1) r)``, m = n / h (Spearman 1910, doi 10.1111/j.2044-8295.1910.tb00206.x;
    Brown 1910, doi 10.1111/j.2044-8295.1910.tb00207.x). A prediction that knew the signal
    perfectly would correlate with that mean at the square root of its reliability. Where conditions
    have unequally many trials, n and h are harmonic means: noise falls with 1 / n.
    """

    half_r: np.ndarray
    average: np.ndarray
    single: np.ndarray
    p: np.ndarray
    n_groups: np.ndarray
    unit: str = UNIT

    def tests(self, names: Sequence[str], metric: str) -> HypothesisTable:
        """One row per site or region: do halves of its recorded trials covary?"""
        asked = {
            "question": "do two halves of the recorded trials covary?",
            "metric": metric,
            "test": f"one-sample t over {self.unit} of the halves' covariance, one-sided",
            "n_unit": self.unit,
            "effect_name": "split-half correlation",
        }
        found = zip(names, self.n_groups, self.p, self.half_r, strict=True)
        return HypothesisTable.from_rows(
            [asked | {"group": g, "n": n, "df": n - 1, "p": p, "effect": r} for g, n, p, r in found]
        )


class Ceiling:
    """Reliability of M sites or regions, known where it is above 0 after correction.

    ``tests`` has M rows, p corrected as the plan says; ``trusted``, bool (M,), says where it is
    above 0; ``average`` and ``single``, float (M,), are the reliabilities there, NaN elsewhere.
    """

    def __init__(
        self, reliable: Reliability, names: Sequence[str], metric: str, plan: EncodePlan
    ) -> None:
        self.reliable = reliable
        self.tests = correct(reliable.tests(names, metric), method=plan.correction)
        self.trusted = self.tests.frame["p_corrected"].to_numpy() < plan.alpha
        self.average, self.single = (
            np.where(self.trusted, value, np.nan) for value in (reliable.average, reliable.single)
        )


def spearman_brown(r: np.ndarray, m: np.ndarray | float) -> np.ndarray:
    """Reliability of a mean of m times as many trials, ``m r / (1 + (m - 1) r)``; any shape.

    NaN where r is so negative that no reliability gives it.
    """
    r = np.asarray(r, float)
    below = 1 + (np.asarray(m, float) - 1) * r
    return np.where(below > 0, m * r / np.where(below > 0, below, 1), np.nan)


def split_half(
    sessions: Sequence[SessionTrials],
    *,
    n_conditions: int,
    n_bins: int,
    n_sites: int,
    averages: np.ndarray,
    splits: int,
    rng: np.random.Generator,
    groups: np.ndarray | None = None,
) -> tuple[Reliability, Reliability]:
    """Reliability of every site and of averages of sites, from recorded trials.

    Every split deals the presentations of each session to two halves of equal size per condition
    (an odd one is left out), the same for all sites of a session: halves never share a recorded
    trial, and noise that sites share within a trial stays within a half. ``groups``, int (K,),
    labels conditions that share recorded trials alike; ``None``: none does.

    Returns
    -------
    Reliability of the N sites and of the G averages over the sites in ``averages``, bool (G, N).
    NaN where no condition has two trials.

    Notes
    -----
    Trials of different conditions are independent, bins of one trial are not; the test therefore
    takes one value per condition, the covariance over time of its two half means (centred by the
    grand mean, averaged over splits), which has mean zero if trials share nothing. Where one
    presentation feeds several conditions it takes their mean.
    """
    weight = averages.T / np.maximum(1, averages.sum(axis=1))
    n_units = n_sites + len(averages)
    r_sum, covariance = np.zeros(n_units), np.zeros((n_conditions, n_units))
    half_sizes = np.zeros((n_conditions, n_sites))
    valid = np.ones((n_conditions, n_units), bool)
    for _ in range(splits):
        mean, number = _halves(sessions, (n_conditions, n_bins, n_sites), rng)
        both = (number > 0).all(axis=0)
        half_sizes += number.mean(axis=0) / splits
        # A condition enters an average only if all its sites have it, so that units compare.
        ok = np.concatenate([both, (both.astype(float) @ weight) > 1 - 1e-9], axis=1)
        valid &= ok
        r, shared = _agreement(np.concatenate([mean, mean @ weight], axis=3), ok)
        r_sum += r
        covariance += shared / splits
    total = condition_means(sessions, n_conditions=n_conditions, n_bins=n_bins, n_sites=n_sites)[1]
    half_r, use = r_sum / splits, valid[:, :n_sites]
    with np.errstate(invalid="ignore", divide="ignore"):
        each = np.where(valid, covariance, np.nan)
        each = each if groups is None else group_means(each, groups)
        p = _above_zero(each)
        h, n = (use.sum(axis=0) / np.where(use, 1 / x, 0).sum(axis=0) for x in (half_sizes, total))
        h, n = (np.concatenate([x, np.nan_to_num(x) @ weight]) for x in (h, n))
        average, single = spearman_brown(half_r, n / h), spearman_brown(half_r, 1 / h)
    number, unit = (~np.isnan(each)).sum(axis=0), UNIT if groups is None else unit_of(groups)
    parts = slice(None, n_sites), slice(n_sites, None)
    first, second = (
        Reliability(half_r[i], average[i], single[i], p[i], number[i], unit) for i in parts
    )
    return first, second


def _agreement(halves: np.ndarray, ok: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Correlation (M,) of two halves (2, K, T, M), and their covariance (K, M).

    Over the conditions that are ``ok`` (K, M), centred by the grand mean.
    """
    n_ok = np.maximum(1, ok.sum(axis=0)) * halves.shape[2]
    centre = (halves * ok[None, :, None, :]).sum(axis=(1, 2)) / n_ok
    first, second = (halves - centre[:, None, None, :]) * ok[None, :, None, :]
    shared = (first * second).sum(axis=1)
    size = (first**2).sum(axis=(0, 1)) * (second**2).sum(axis=(0, 1))
    with np.errstate(invalid="ignore", divide="ignore"):
        return shared.sum(axis=0) / np.sqrt(size), shared


def _halves(
    sessions: Sequence[SessionTrials], shape: tuple[int, int, int], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Means (2, K, T, N) of two halves, 0 without a trial, and trials in each (2, K, N)."""
    n_conditions, n_bins, n_sites = shape
    mean, number = np.zeros((2, *shape)), np.zeros((2, n_conditions, n_sites))
    for s in sessions:
        half = deal_halves(s.condition, s.presentation, rng)
        label = np.where(half < 0, -1, half * n_conditions + s.condition)
        total, trials = s.sums(label, 2 * n_conditions)
        divided = total / np.maximum(1, trials)[:, None, :]
        mean[:, :, :, s.columns] = divided.reshape(2, n_conditions, n_bins, -1)
        number[:, :, s.columns] = trials.reshape(2, n_conditions, -1)
    return mean, number


def deal_halves(
    condition: np.ndarray, presentation: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Deal trials (R,) to halves 0 and 1 of equal size in every condition; -1 is left out.

    Trials of one presentation and condition go to one half.
    """
    label = np.unique(presentation, return_inverse=True)[1]
    rank = rng.permutation(label.max(initial=-1) + 1)[label]
    half = np.full(len(condition), -1)
    for k in np.unique(condition):
        rows = np.flatnonzero(condition == k)
        order = np.unique(rank[rows])
        middle = len(order) // 2
        half[rows[np.isin(rank[rows], order[:middle])]] = 0
        half[rows[np.isin(rank[rows], order[middle : 2 * middle])]] = 1
    return half


def _above_zero(covariance: np.ndarray) -> np.ndarray:
    """One-sided p of the mean over the rows of (G, M); NaN with fewer than two."""
    p = np.full(covariance.shape[1], np.nan)
    for unit, column in enumerate(covariance.T):
        known = column[~np.isnan(column)]
        if len(known) > 1 and np.ptp(known) > 0:
            p[unit] = stats.ttest_1samp(known, 0, alternative="greater").pvalue
    return p
