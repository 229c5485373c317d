"""What the decoded video loses when sites are taken away, as tables and tests."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mua_decode.analyses.ablate.scores import TRIALS, MaskScores
from mua_decode.data.independence import GROUPED_UNIT
from mua_decode.metrics import VideoMetric
from mua_decode.scoring.averages import known_mean
from mua_decode.statistics import (
    Units,
    correct,
    interval_columns,
    paired_circular,
    paired_t,
    unit_t,
    unpaired_t,
)
from mua_decode.types import HypothesisTable, ResultTable

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
    units: Mapping[str, Units] | None = None,
) -> pd.DataFrame:
    """What every mask costs in every condition.

    Parameters
    ----------
    scored
        By fill, unmasked first, on the same trials. Subsets are left out.
    metrics, names
        To be listed, and of the K conditions; positive losses are worse for every metric.
    guess
        Value of a metric where it is undefined; see ``with_guesses``. Leaving undefined
        trials out would make a mask that destroys all motion look harmless.
    units
        What is independent among the K conditions, by metric; ``None``: each.

    Returns
    -------
    DataFrame with one row per mask, ring, metric, averaging and condition: fill, mask, removed
    (regions or sites taken away), trial, metric, unit, condition, unmasked, masked, loss,
    undefined and undefined_unmasked (share of the trials in which the metric is undefined), units
    and level (which of them the condition belongs to), family.
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
            of = units[metric.name] if units else Units.each(len(names))
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
                "units": of.name,
                "level": of.labels,
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


def sd_of(values: np.ndarray) -> float:
    """Standard deviation over conditions that have a value; NaN below two."""
    known = values[~np.isnan(values)]
    return float(known.std(ddof=1)) if len(known) > 1 else float("nan")


def units_in(rows: pd.DataFrame) -> Units:
    """What is independent among rows of one metric: their columns ``units`` and ``level``.

    Each row, where an earlier version wrote neither.
    """
    if "units" not in rows:
        return Units.each(len(rows))
    return Units.of_columns(str(rows["units"].iloc[0]), rows["level"])


def pairs_in(rows: pd.DataFrame) -> tuple[str | Units, Units | None]:
    """Unit of paired tests of rows, and what they share that is tested beside, if anything.

    Conditions, which speak for themselves; where some share recorded trials, groups of them.
    """
    units = units_in(rows)
    if units.name == GROUPED_UNIT:
        return units, None
    return "conditions", units if units.shared else None


def mean_losses(losses: pd.DataFrame, *, rng: np.random.Generator) -> pd.DataFrame:
    """Mean loss of every mask over conditions with its 95 % intervals, and its rank.

    Returns
    -------
    DataFrame: fill, trial, metric, unit, removed, loss, sd (over conditions), the columns of
    :func:`interval_columns` (n: conditions in which the loss is defined), rank (1 loses most within
    fill, trial and metric).
    """
    named = [*_KEYS, "unit", "removed"]
    rows = []
    for key, group in losses.groupby(named, sort=False):
        value = group["loss"].to_numpy()
        row = dict(zip(named, key, strict=True))
        row |= {"loss": known_mean(value)[0], "sd": sd_of(value)}
        rows.append(row | interval_columns(value, units_in(group), rng=rng))
    table = pd.DataFrame(rows)
    table["rank"] = table.groupby(_KEYS)["loss"].rank(ascending=False, method="min")
    return table


def loss_tests(
    losses: pd.DataFrame, *, rng: np.random.Generator, correction: str = "holm"
) -> HypothesisTable:
    """Test the errors of every mask: unpaired, paired over conditions, and over units.

    The unpaired test compares errors with and without the mask as two independent samples, as the
    published test does with predictions (:func:`prediction_tests`): our reading, not the published
    test. The paired one asks whether the loss of a condition is above zero on average; it means
    what it says only with the fill ``shuffle``, under which a region without information loses
    nothing in expectation. Both speak for these conditions, for one trained network and one split.
    Conditions that share recorded trials are averaged first.
    Where conditions share what a metric depends on (``units``: 4 cues), losses are averaged within
    it and tested a third time, for other cues like these. Angular errors are tested once more by
    flipping signs, which assumes no normal distribution. Corrected over the masks within fill,
    averaging and metric.

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
        unpaired = unpaired_t(after, before, n_unit="conditions, masked and unmasked", **shared)
        note = "errors against the truth (our reading); " + unpaired.frame["note"]
        tables.append(HypothesisTable(unpaired.frame.assign(note=note)))
        each, units = pairs_in(group)
        tables.append(paired_t(after, before, n_unit=each, **shared))
        if units is not None:
            tables.append(unit_t(after - before, units, **shared))
        if metric == "direction_error":
            tables.append(paired_circular(after, before, n_unit=each, rng=rng, **shared))
    stacked = HypothesisTable.concat(tables)
    return correct(stacked, method=correction, within=["metric", "test"])


def mask_results(
    scores: Sequence[MaskScores],
    *,
    metrics: Sequence[VideoMetric],
    names: Sequence[str],
    split: str,
    guess: Mapping[str, float],
) -> ResultTable:
    """Scores of masks as a result table: a row per condition and one over all.

    Undefined directions count as guesses, but in conditions where no mask of a fill defines them.
    """
    rows: list[dict[str, object]] = []
    nowhere: dict[tuple[str, str, str], np.ndarray] = {}
    for one, metric, trial in itertools.product(scores, metrics, TRIALS):
        found = one.score(metric.name, trial, guess)
        if found is not None:
            key = (one.fill, metric.name, trial)
            nowhere[key] = nowhere.get(key, True) & (found[1] == 1)
    for one, metric, trial in itertools.product(scores, metrics, TRIALS):
        found = one.score(metric.name, trial, guess)
        if found is None:
            continue
        value = np.where(nowhere[one.fill, metric.name, trial], np.nan, found[0])
        mask = one.mask.name + ("" if one.mask.family == "unmasked" else f" ({one.fill})")
        shared = {
            "run": "decoder",
            "split": split,
            "trial": trial,
            "mask": mask,
            "segment": metric.segment or "all",
            "metric": metric.name,
            "unit": metric.unit,
            "n_unit": "conditions",
        }
        mean, n = known_mean(value)
        rows.append(shared | {"condition": "all", "value": mean, "n": n})
        rows += [
            shared | {"condition": name, "value": float(v), "n": int(not np.isnan(v))}
            for name, v in zip(names, value, strict=True)
        ]
    return ResultTable.from_rows(rows)
