"""Does imagery change a site's rate? Object by object and by sign, and in how many sites."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, Unpack

import numpy as np
from scipy import stats

from mua_decode.analyses.axis.trials import StateTrials
from mua_decode.analyses.axis.units import Units
from mua_decode.statistics import Interval, paired_t, pooled_interval
from mua_decode.types import HypothesisTable, Question

Sign = Literal["raised", "lowered"]
_BATCH = 200  # permutations at a time
_LAMBDA = 0.25  # p-values above it are taken for those of sites where nothing happens


@dataclass(frozen=True, eq=False)
class Reactivation:
    """p-values of every site, also of every permutation of its trials.

    Row 0 of the float32 arrays (1 + permutations, N) is what was recorded. The sites of a session
    share their permutations, so that a row keeps what they share.
    """

    raised: np.ndarray  # p that some object raises the rate
    # p that some object lowers it; all 1 without a baseline, where ``raised`` asks whether the
    # rate differs between objects.
    lowered: np.ndarray
    test: str  # in words
    fewest_trials: int  # in a session

    @property
    def p(self) -> np.ndarray:
        """float64 (N,)."""
        return self.raised[0].astype(float)

    @property
    def p_lowered(self) -> np.ndarray:
        """float64 (N,), NaN without a baseline."""
        return np.where((self.lowered == 1).all(axis=0), np.nan, self.lowered[0]).astype(float)

    def of_sites(self, inside: np.ndarray) -> Reactivation:
        """The same of some sites, bool (N,)."""
        return replace(self, raised=self.raised[:, inside], lowered=self.lowered[:, inside])


def measure_reactivation(
    trials: Sequence[StateTrials], *, n_permutations: int, rng: np.random.Generator
) -> Reactivation:
    """Test every site in every session, on the imagery trials.

    With a baseline: the change of every object o from baseline, summed over trials and divided by
    the root of its sum of squares, is z_o; that of all trials is z. Two statistics ask whether a
    site is raised: the sum of z_o² over the objects with z_o > 0, and z; with the signs reversed
    they ask whether it is lowered. A site that falls for all objects does not count as raised, and
    one that rises for some and falls for others is not averaged away. The smaller p of the two is
    ranked among those of the same permutations (Westfall and Young 1993). Null: signs of single
    trials flipped. Without a baseline: the sum of squares between objects, objects permuted.
    """
    raised, lowered = [], []
    for t in trials:
        if t.change is None:
            between = _relabelled(t, n_permutations, rng)
            raised.append(_ranks(between))
            lowered.append(np.ones_like(between, dtype=np.float32))
            continue
        up, down, all_trials = _flipped(t, n_permutations, rng)
        for p, by_object, total in ((raised, up, all_trials), (lowered, down, -all_trials)):
            p.append(_ranks(-np.minimum(_ranks(by_object), _ranks(total))))
    test = (
        f"sign-flip permutation of imagery trials, {n_permutations} permutations, smaller p "
        "of two, re-ranked: mean change from baseline, and sum of squares of the objects' "
        "standardised changes of one sign"
    )
    if trials[0].change is None:
        test = (
            f"permutation of the objects of imagery trials, {n_permutations} permutations, sum of "
            "squares between objects (no baseline)"
        )
    fewest = min(len(t.condition) for t in trials)
    return Reactivation(np.concatenate(raised, 1), np.concatenate(lowered, 1), test, fewest)


def _flipped(
    trials: StateTrials, n_permutations: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sums of squares up and down, and z, of recorded (row 0) and flipped trials.

    Each (1 + permutations, N).
    """
    assert trials.change is not None
    change = np.nan_to_num(trials.change)
    groups = [np.flatnonzero(trials.condition == c) for c in np.unique(trials.condition)]
    size = [np.sqrt(np.square(change[g]).sum(axis=0)) for g in groups]
    whole = np.sqrt(np.square(change).sum(axis=0))
    up, down, total = (np.zeros((1 + n_permutations, change.shape[1])) for _ in range(3))
    for start in range(0, 1 + n_permutations, _BATCH):
        stop = min(start + _BATCH, 1 + n_permutations)
        signs = rng.integers(0, 2, (stop - start, len(change))) * 2.0 - 1
        if start == 0:
            signs[0] = 1
        for g, s in zip(groups, size, strict=True):
            summed = signs[:, g] @ change[g]
            z = summed / np.where(s > 0, s, 1)
            total[start:stop] += summed / np.where(whole > 0, whole, 1)
            up[start:stop] += np.square(np.maximum(z, 0))
            down[start:stop] += np.square(np.minimum(z, 0))
    return up, down, total


def _relabelled(trials: StateTrials, n_permutations: int, rng: np.random.Generator) -> np.ndarray:
    """Sum of squares between objects, recorded (row 0) and relabelled, (1 + permutations, N)."""
    away = np.nan_to_num(trials.rate - np.nanmean(trials.rate, axis=0))
    code = np.unique(trials.condition, return_inverse=True)[1]
    weight = np.eye(code.max() + 1)[code] / np.sqrt(np.bincount(code))  # (R, O)
    between = np.empty((1 + n_permutations, away.shape[1]))
    for i in range(1 + n_permutations):
        order = np.arange(len(code)) if i == 0 else rng.permutation(len(code))
        between[i] = np.square(weight[order].T @ away).sum(axis=0)
    return between


def _ranks(statistic: np.ndarray) -> np.ndarray:
    """p of every row among all rows: the share of them that reach it, identity included."""
    # Counts are whole numbers: many statistics tie exactly, and rounding must not break the ties.
    reached = stats.rankdata(-np.round(statistic, 8), method="max", axis=0)
    return (reached / len(statistic)).astype(np.float32)


def estimated_share(
    found: Reactivation, asked: np.ndarray, units: Units, *, sign: Sign
) -> Interval:
    """At least this share of the asked sites, bool (N,), is raised, or lowered and not raised.

    Significant or not; a lower bound: sites with p above 0.25 that do change are counted as
    unchanged, so that the smaller the change, the more are missed. A site that rises for some
    objects and falls for others counts as raised if that shows, else perhaps as lowered.

    Sites that pass a corrected test are too few where the effect is small. A site counts if its p
    is at or below 0.25; sites where neither p is are taken for those where nothing happens, and as
    many as the permutations have of the former for one of these are taken off again (Storey 2002,
    doi 10.1111/1467-9868.00346, by sign). So each site contributes a number to a mean, and the
    interval is that over units; both are cut to [0, 1].
    """
    value = np.where(asked, _counted(found, sign), np.nan)
    return Interval(*np.clip(pooled_interval(value, units.label), 0, 1))


def _counted(found: Reactivation, sign: Sign) -> np.ndarray:
    """What each site contributes to an estimated share, (N,)."""
    up, down = found.raised <= _LAMBDA, found.lowered <= _LAMBDA
    neither = ~up & ~down
    hit = up if sign == "raised" else down & ~up
    return np.asarray(hit[0] - hit[1:].mean() / neither[1:].mean() * neither[0])


def share_tests(
    found: Reactivation,
    tuned: np.ndarray,
    units: Units,
    *,
    alpha: float,
    **asked: Unpack[Question],
) -> HypothesisTable:
    """Two tests of the share of tuned sites with p ≤ alpha, uncorrected; a row each.

    Against permutations: the share in the recorded trials among those in sign-flipped ones, all
    sites of a session flipped together, one-sided. Against the sites that are not tuned: paired t
    of the estimated shares (:func:`estimated_share`), over units that have both; few sites reach
    alpha in a unit, and a t test of so few is not to be trusted.
    """
    reached = found.raised <= alpha + 1e-7
    rows = []
    if tuned.any():
        shares = reached[:, tuned].mean(axis=1)
        null = shares[1:]
        low, high = shares[0] - np.quantile(null, [0.975, 0.025])
        row = {
            **asked,
            "test": f"share of tuned sites with p ≤ {alpha:g} among {len(null)} permutations of "
            "the trials, the same for all sites of a session, one-sided (higher)",
            "p": (1 + (null >= shares[0] - 1e-9).sum()) / (1 + len(null)),
            "n": found.fewest_trials,
            "n_unit": "imagery trials of the shortest session",
            "effect_name": "difference to the mean of the permutations",
            "effect": shares[0] - null.mean(),
            "low": low,
            "high": high,
        }
        note = f"share {shares[0]:.3f}, of permutations {null.mean():.3f}"
        rows.append(HypothesisTable.of_test(row, [note]))
    value = _counted(found, "raised")
    inside, outside = units.by_unit(value, tuned), units.by_unit(value, ~tuned)
    keys = [u for u in inside if not np.isnan(inside[u] - outside[u])]
    pairs = (np.array([group[u] for u in keys], float) for group in (inside, outside))
    metric = f"estimated {asked['metric']}, tuned less untuned sites"
    against: Question = {**asked, "metric": metric}
    rows.append(paired_t(*pairs, n_unit=units.name, **against))
    return HypothesisTable.concat(rows)
