"""What the decoded video loses when sites are taken away, as tables and tests."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch

from mua_decode.analyses.ablate.scores import TRIALS, MaskScores
from mua_decode.metrics import Shown, VideoMetric
from mua_decode.scoring.averages import known_mean
from mua_decode.scoring.evaluate import segment_scores
from mua_decode.statistics import (
    Interval,
    cluster_bootstrap,
    correct,
    paired_circular,
    paired_t,
    unpaired_t,
)
from mua_decode.types import HypothesisTable, ResultTable, StimulusSet

TESTED = ("region", "group")
_KEYS = ["fill", "trial", "metric"]
_NUMBERS = ["unmasked", "masked", "loss", "undefined", "undefined_unmasked"]


def by_fill(scored: Iterable[MaskScores]) -> Iterator[tuple[str, list[MaskScores]]]:
    """Scores of masks by fill, in their order."""
    for fill, group in itertools.groupby(scored, key=lambda s: s.fill):
        yield fill, list(group)


def loss_table(
    scored: Sequence[MaskScores],
    *,
    metrics: Sequence[VideoMetric],
    names: Sequence[str],
    guess: Mapping[str, float],
) -> pd.DataFrame:
    """What every mask costs in every condition.

    Parameters
    ----------
    scored
        By fill, unmasked first, on the same trials. Subsets are left out.
    metrics
        To be listed; positive losses are worse whichever way the metric points.
    names
        Names of the K conditions.
    guess
        Value of a metric where it is undefined; see ``with_guesses``. Leaving undefined
        trials out would make a mask that destroys all motion look harmless.

    Returns
    -------
    DataFrame with one row per mask, ring, metric, averaging and condition: fill, mask, removed
    (regions or sites taken away), trial, metric, unit, condition, unmasked, masked, loss,
    undefined and undefined_unmasked (share of the trials in which the metric is undefined), family.
    """
    rows: list[pd.DataFrame] = []
    for fill, (unmasked, *masked) in by_fill(scored):
        compared = [s for s in masked if s.mask.family != "subset"]
        for scores, metric, trial in itertools.product(compared, metrics, TRIALS):
            before = unmasked.score(metric.name, trial, guess)
            after = scores.score(metric.name, trial, guess)
            if before is None or after is None:
                continue
            sign = -1.0 if metric.higher_is_better else 1.0
            row = {
                "fill": fill,
                "mask": scores.mask.name,
                "removed": scores.mask.label,
                "trial": trial,
                "metric": metric.name,
                "unit": metric.unit,
                "higher_is_better": metric.higher_is_better,
                "condition": list(names),
                "unmasked": before[0],
                "masked": after[0],
                "loss": sign * (after[0] - before[0]),
                "undefined": after[1],
                "undefined_unmasked": before[1],
                "family": scores.mask.family,
            }
            rows.append(pd.DataFrame(row))
    return pd.concat(rows, ignore_index=True)


def mean_over_rings(losses: pd.DataFrame) -> pd.DataFrame:
    """Losses averaged over the rings of donor conditions a mask was scored with.

    One ring may happen to swap a region's trials with those of like conditions. Averages over
    trials are scored within a ring, so that they stay as noisy as unmasked ones. A score that is
    unknown in one ring is unknown: the rings that have it would be chosen by their noise.
    """
    keys = [c for c in losses.columns if c not in _NUMBERS]
    first, several = ~losses.duplicated(keys), losses.duplicated(keys, keep=False)
    out = losses[first].reset_index(drop=True)
    grouped = losses[several].groupby(keys, sort=False)[_NUMBERS]
    mean = grouped.mean().where(grouped.count().eq(grouped.size(), axis=0))
    out.loc[several[first].to_numpy(), _NUMBERS] = mean.to_numpy()
    return out


def without_undefined(losses: pd.DataFrame) -> pd.DataFrame:
    """Leave out conditions in which nothing could be measured, the same for a family of masks.

    Where a metric is undefined in every trial, unmasked and under each mask of the family, there
    is no loss to speak of: counted as guesses, all of them lose exactly nothing, so that leaving
    these conditions out moves no loss to either side of zero. A choice per mask, or of conditions
    defined without a mask, would.

    Returns
    -------
    The table, unmasked, masked and loss NaN in those conditions and wherever one of them is.
    """
    out = losses.copy()
    dead = (out["undefined"] == 1) & (out["undefined_unmasked"] == 1)
    blank = dead.groupby([out[k] for k in ("family", *_KEYS, "condition")]).transform("all")
    out.loc[blank | out["loss"].isna(), ["unmasked", "masked", "loss"]] = np.nan
    return out


def condition_interval(values: np.ndarray, *, rng: np.random.Generator | None = None) -> Interval:
    """Mean over conditions with its 95 % bootstrap interval; NaN ends below two conditions."""
    rng = np.random.default_rng(0) if rng is None else rng
    return cluster_bootstrap(values, np.arange(len(values)), n=2000, rng=rng)


def change_table(
    scored: Sequence[MaskScores], *, metrics: Sequence[VideoMetric], stimuli: StimulusSet
) -> pd.DataFrame:
    """How far masking moves the reconstruction, whether nearer to the truth or away from it.

    The published measure of masking, of regions and groups: mean videos are scored as if those of
    the whole population were the truth. It is never below zero, not even for a region that knows
    nothing: read it beside such regions, and the loss against the truth beside it.

    Returns
    -------
    DataFrame: fill, removed, metric, unit, change (mean over the n of n_conditions in which it is
    defined), sd, n, n_conditions.
    """
    rows = []
    for fill, (unmasked, *masked) in by_fill(scored):
        true = _floats(unmasked.video())
        shown = Shown(video=true, condition=torch.arange(len(true)), candidates=true)
        for scores in (s for s in masked if s.mask.family in TESTED):
            videos = _floats(scores.video())
            for metric in metrics:
                with torch.inference_mode():
                    value = segment_scores(metric, videos, shown, stimuli)
                mean, n = known_mean(value)
                named = (fill, scores.mask.label, metric.name, metric.unit)
                rows.append((*named, mean, _sd(value), n, len(true)))
    columns = ["fill", "removed", "metric", "unit", "change", "sd", "n", "n_conditions"]
    return pd.DataFrame(rows, columns=columns)


def _floats(videos: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(videos).float() / 255


def _sd(values: np.ndarray) -> float:
    """Standard deviation over conditions that have a value; NaN below two."""
    known = values[~np.isnan(values)]
    return float(known.std(ddof=1)) if len(known) > 1 else float("nan")


def mean_losses(losses: pd.DataFrame, *, rng: np.random.Generator) -> pd.DataFrame:
    """Mean loss of every mask over conditions with a 95 % bootstrap interval, and its rank.

    Returns
    -------
    DataFrame: fill, trial, metric, unit, removed, loss, sd (over conditions), low, high, n
    (conditions in which the loss is defined), rank (1 loses most within fill, trial and metric).
    """
    named = [*_KEYS, "unit", "removed"]
    rows = []
    for key, group in losses.groupby(named, sort=False):
        value = group["loss"].to_numpy()
        found = condition_interval(value, rng=rng)
        n = int((~np.isnan(value)).sum())
        rows.append((*key, found.estimate, _sd(value), found.low, found.high, n))
    table = pd.DataFrame(rows, columns=[*named, "loss", "sd", "low", "high", "n"])
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


def mask_results(
    scores: Sequence[MaskScores],
    *,
    metrics: Sequence[VideoMetric],
    names: Sequence[str],
    split: str,
) -> ResultTable:
    """Scores of masks as a result table: a row per condition and one over all."""
    rows: list[dict[str, object]] = []
    for one, metric, trial in itertools.product(scores, metrics, TRIALS):
        found = one.score(metric.name, trial, {})
        if found is None:
            continue
        mask = one.mask.name + ("" if one.mask.family == "unmasked" else f" ({one.fill})")
        shared = {
            "run": "decoder",
            "split": split,
            "trial": trial,
            "mask": mask,
            "segment": metric.segment or "all",
            "metric": metric.name,
            "unit": metric.unit,
        }
        mean, n = known_mean(found[0])
        rows.append(shared | {"condition": "all", "value": mean, "n": n})
        rows += [
            shared | {"condition": name, "value": float(v), "n": int(not np.isnan(v))}
            for name, v in zip(names, found[0], strict=True)
        ]
    return ResultTable.from_rows(rows)
