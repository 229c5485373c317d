"""What the decoded video loses when sites are taken away, as tables and tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mua_decode.analyses.ablate.scorer import MaskScores
from mua_decode.analyses.ablate.shapley import shapley_values
from mua_decode.metrics import VideoMetric
from mua_decode.statistics import (
    Interval,
    cluster_bootstrap,
    correct,
    paired_circular,
    paired_t,
    unpaired_t,
)
from mua_decode.types import HypothesisTable, ResultTable

TRIALS = ("single_trial", "trial_average")
_KEYS = ["fill", "trial", "metric"]
_NUMBERS = ["unmasked", "masked", "loss", "undefined", "undefined_unmasked"]


def filled(
    scores: MaskScores, metric: str, trial: str, guess: Mapping[str, float]
) -> np.ndarray | None:
    """Score of every condition (K,), undefined trials counted as guesses where one is named.

    A direction that cannot be measured, say, is off by 90 degrees on average if guessed: leaving
    such trials out would make a mask that destroys all motion look harmless. ``None`` if the
    metric was not computed.
    """
    if trial == "trial_average":
        value = scores.average[metric]
        return np.where(np.isnan(value), guess.get(metric, np.nan), value)
    if metric not in scores.single:
        return None
    value, undefined = scores.single[metric], scores.undefined[metric]
    if metric not in guess:
        return value
    return np.where(undefined == 1, 0, value) * (1 - undefined) + guess[metric] * undefined


def _undefined(scores: MaskScores, metric: str, trial: str) -> np.ndarray:
    """Share of the trials of every condition in which a metric is undefined, float (K,)."""
    if trial == "trial_average":
        return np.isnan(scores.average[metric]).astype(float)
    return scores.undefined[metric]


def loss_table(
    masked: Sequence[MaskScores],
    unmasked: MaskScores,
    *,
    metrics: Sequence[VideoMetric],
    names: Sequence[str],
    fill: str,
    guess: Mapping[str, float],
) -> pd.DataFrame:
    """What every mask costs in every condition.

    Parameters
    ----------
    masked, unmasked
        Scores on the same trials.
    metrics
        To be listed; positive losses are worse whichever way the metric points.
    names
        Names of the K conditions.
    fill
        How masked sites were filled, a label.
    guess
        Value of a metric where it is undefined; see :func:`filled`.

    Returns
    -------
    DataFrame with one row per mask, metric, averaging and condition: fill, mask, removed (regions
    or sites taken away), trial, metric, unit, condition, unmasked, masked, loss, undefined and
    undefined_unmasked (share of the trials in which the metric is undefined).
    """
    rows: list[pd.DataFrame] = []
    for scores in masked:
        for metric in metrics:
            for trial in TRIALS:
                before = filled(unmasked, metric.name, trial, guess)
                after = filled(scores, metric.name, trial, guess)
                if before is None or after is None:
                    continue
                sign = -1.0 if metric.higher_is_better else 1.0
                rows.append(
                    pd.DataFrame(
                        {
                            "fill": fill,
                            "mask": scores.mask,
                            "removed": scores.mask.removeprefix("without "),
                            "trial": trial,
                            "metric": metric.name,
                            "unit": metric.unit,
                            "higher_is_better": metric.higher_is_better,
                            "condition": list(names),
                            "unmasked": before,
                            "masked": after,
                            "loss": sign * (after - before),
                            "undefined": _undefined(scores, metric.name, trial),
                            "undefined_unmasked": _undefined(unmasked, metric.name, trial),
                        }
                    )
                )
    return pd.concat(rows, ignore_index=True)


def mean_over_rings(rings: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Losses averaged over several rings of donor conditions, tables of :func:`loss_table`.

    One ring may happen to swap a region's trials with those of like conditions. Averages over
    trials are scored within a ring, so that they stay as noisy as unmasked ones. A score that is
    unknown in one ring is unknown: the rings that have it would be chosen by their noise.
    """
    if len(rings) == 1:
        return rings[0]
    keys = [c for c in rings[0].columns if c not in _NUMBERS]
    grouped = pd.concat(rings).groupby(keys, sort=False, dropna=False)[_NUMBERS]
    mean = grouped.mean().where(grouped.count() == len(rings))
    return mean.reset_index()[list(rings[0].columns)]


def without_undefined(losses: pd.DataFrame) -> pd.DataFrame:
    """Leave out conditions in which nothing could be measured, the same ones for every mask.

    Where a metric is undefined in every trial, unmasked and under each mask of the table, there
    is no loss to speak of: counted as guesses, all of them lose exactly nothing, so that leaving
    these conditions out moves no loss to either side of zero. A choice per mask, or of conditions
    defined without a mask, would.

    Parameters
    ----------
    losses
        Of :func:`loss_table`, for masks to be compared with each other.

    Returns
    -------
    The table, unmasked, masked and loss NaN in those conditions and wherever one of them is.
    """
    out = losses.copy()
    dead = (out["undefined"] == 1) & (out["undefined_unmasked"] == 1)
    blank = dead.groupby([out[k] for k in (*_KEYS, "condition")]).transform("all")
    values = ["unmasked", "masked", "loss"]
    out.loc[blank | out["loss"].isna(), values] = np.nan
    return out


def condition_interval(values: np.ndarray, *, rng: np.random.Generator | None = None) -> Interval:
    """Mean over conditions with its 95 % bootstrap interval; NaN ends below two conditions."""
    if len(values) < 2:
        mean = float(values.mean()) if len(values) else float("nan")
        return Interval(mean, float("nan"), float("nan"))
    rng = np.random.default_rng(0) if rng is None else rng
    return cluster_bootstrap(values, np.arange(len(values)), n=2000, rng=rng)


def change_table(
    masked: Mapping[str, np.ndarray],
    unmasked: np.ndarray,
    *,
    score: Callable[[VideoMetric, np.ndarray, np.ndarray], np.ndarray],
    metrics: Sequence[VideoMetric],
    names: Sequence[str],
    fill: str,
) -> pd.DataFrame:
    """How far masking moves the reconstruction, whether nearer to the truth or away from it.

    The published measure of masking. It is never below zero, not even for a region that knows
    nothing: read it beside such regions, and the loss against the truth beside it.

    Parameters
    ----------
    masked
        Name of the regions taken away to the mean decoded videos, uint8 (K, C, T, H, W).
    unmasked
        Those of the whole population, which take the place of the truth.
    score
        Applies a metric to (videos, what counts as true), both uint8 (K, C, T, H, W).
    metrics, names, fill
        As for :func:`loss_table`.

    Returns
    -------
    DataFrame: fill, removed, metric, unit, change (mean over conditions), sd, n.
    """
    rows = []
    for removed, videos in masked.items():
        for metric in metrics:
            value = score(metric, videos, unmasked)
            value = value[~np.isnan(value)]
            rows.append(
                {
                    "fill": fill,
                    "removed": removed,
                    "metric": metric.name,
                    "unit": metric.unit,
                    "change": value.mean() if len(value) else np.nan,
                    "sd": value.std(ddof=1) if len(value) > 1 else np.nan,
                    "n": len(value),
                    "n_conditions": len(names),
                }
            )
    return pd.DataFrame(rows)


def mean_losses(losses: pd.DataFrame, *, rng: np.random.Generator) -> pd.DataFrame:
    """Mean loss of every mask over conditions with a 95 % bootstrap interval, and its rank.

    Returns
    -------
    DataFrame: fill, trial, metric, unit, removed, loss, sd (over conditions), low, high, n
    (conditions in which the loss is defined), rank (1 loses most within fill, trial and metric).
    """
    rows: list[dict[str, object]] = []
    for key, group in losses.groupby([*_KEYS, "unit", "removed"], sort=False):
        value = group["loss"].to_numpy()
        value = value[~np.isnan(value)]
        interval = condition_interval(value, rng=rng)
        rows.append(
            dict(zip([*_KEYS, "unit", "removed"], key, strict=True))
            | {
                "loss": value.mean() if len(value) else np.nan,
                "sd": value.std(ddof=1) if len(value) > 1 else np.nan,
                "low": interval.low,
                "high": interval.high,
                "n": len(value),
            }
        )
    table = pd.DataFrame(rows)
    table["rank"] = table.groupby(_KEYS)["loss"].rank(ascending=False, method="min")
    return table


def loss_tests(
    losses: pd.DataFrame, *, rng: np.random.Generator, correction: str = "holm"
) -> HypothesisTable:
    """Test every mask twice: as published, and paired over conditions.

    The published test compares masked and unmasked scores of the K conditions as two independent
    samples. The paired one asks whether the loss of a condition is above zero on average; it means
    what it says only with the fill ``shuffle``, under which a region without information loses
    nothing in expectation. Angular errors are tested a third time by flipping signs, which
    assumes no normal distribution. Conditions are the independent units, for one trained network
    and one split. Corrected over the masks within fill, averaging and metric.

    Parameters
    ----------
    losses
        Of :func:`loss_table`.
    rng
        Of the sign flips.
    correction
        holm or fdr_bh.
    """
    tables: list[HypothesisTable] = []
    for key, group in losses.groupby([*_KEYS, "removed"], sort=False):
        fill, trial, metric, removed = map(str, key)
        question = f"does masking {removed} change {metric}?"
        label = f"{metric}, {trial}, {fill}"
        # Errors, whichever way the metric points: a positive effect is a loss.
        sign = np.where(group["higher_is_better"], -1.0, 1.0)
        after, before = sign * group["masked"].to_numpy(), sign * group["unmasked"].to_numpy()
        shared: Any = {"question": question, "group": removed, "metric": label}
        tables.append(unpaired_t(after, before, n_unit="conditions, masked and unmasked", **shared))
        tables.append(paired_t(after, before, n_unit="conditions", **shared))
        if metric == "direction_error":
            tables.append(paired_circular(after, before, n_unit="conditions", rng=rng, **shared))
    stacked = HypothesisTable.concat(tables)
    return correct(stacked, method=correction, within=["metric", "test"])


def shapley_table(
    subsets: Sequence[MaskScores],
    *,
    regions: Sequence[str],
    metrics: Sequence[VideoMetric],
    fill: str,
    guess: Mapping[str, float],
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Exact Shapley values of the regions, with 95 % bootstrap intervals over conditions.

    Parameters
    ----------
    subsets
        Scores of all 2^R subsets, in the order of ``subset_masks``.

    Returns
    -------
    DataFrame: fill, trial, metric, unit, region, value, low, high, nothing, full, n (conditions).
    ``value`` sums over regions to ``full - nothing``; conditions in which the metric is undefined
    for every subset are left out.
    """
    rows: list[dict[str, object]] = []
    for metric in metrics:
        for trial in TRIALS:
            scores = [filled(s, metric.name, trial, guess) for s in subsets]
            if any(s is None for s in scores):
                continue
            table = np.stack([s for s in scores if s is not None])
            lost = np.stack([_undefined(s, metric.name, trial) for s in subsets])
            table = table[:, ~(lost == 1).all(axis=0)]
            table = table[:, ~np.isnan(table).any(axis=0)]
            n = table.shape[1]
            values = shapley_values(table)
            for region, value in zip(regions, values, strict=True):
                interval = condition_interval(value, rng=rng)
                rows.append(
                    {
                        "fill": fill,
                        "trial": trial,
                        "metric": metric.name,
                        "unit": metric.unit,
                        "region": region,
                        "value": value.mean() if n else np.nan,
                        "low": interval.low,
                        "high": interval.high,
                        "nothing": table[0].mean() if n else np.nan,
                        "full": table[-1].mean() if n else np.nan,
                        "n": n,
                    }
                )
    return pd.DataFrame(rows)


def mask_results(
    scores: Sequence[MaskScores],
    *,
    metrics: Sequence[VideoMetric],
    names: Sequence[str],
    fill: str,
    split: str,
) -> ResultTable:
    """Scores of masks as a result table: a row per condition and one over all."""
    rows: list[dict[str, object]] = []
    for one in scores:
        mask = one.mask if one.mask == "none" else f"{one.mask} ({fill})"
        for metric in metrics:
            for trial in TRIALS:
                value = (one.single if trial == "single_trial" else one.average).get(metric.name)
                if value is None:
                    continue
                shared = {
                    "run": "decoder",
                    "split": split,
                    "trial": trial,
                    "mask": mask,
                    "segment": metric.segment or "all",
                    "metric": metric.name,
                    "unit": metric.unit,
                }
                defined = value[~np.isnan(value)]
                mean = float(defined.mean()) if len(defined) else float("nan")
                rows.append(shared | {"condition": "all", "value": mean, "n": len(defined)})
                rows += [
                    shared | {"condition": name, "value": float(v), "n": int(not np.isnan(v))}
                    for name, v in zip(names, value, strict=True)
                ]
    return ResultTable.from_rows(rows)
