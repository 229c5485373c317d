"""How far masks move the reconstruction itself, whichever way: the published measure of masking."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch

from mua_decode.analyses.ablate.losses import TESTED, by_fill, sd_of, units_in
from mua_decode.analyses.ablate.scores import MaskScores
from mua_decode.metrics import Shown, VideoMetric
from mua_decode.scoring.averages import known_mean
from mua_decode.scoring.evaluate import segment_scores
from mua_decode.scoring.guesses import defined_for_shown, with_guesses
from mua_decode.statistics import Units, interval_columns
from mua_decode.types import StimulusSet


def condition_changes(
    scored: Sequence[MaskScores],
    *,
    metrics: Sequence[VideoMetric],
    stimuli: StimulusSet,
    names: Sequence[str],
    guess: Mapping[str, float],
    units: Mapping[str, Units] | None = None,
) -> pd.DataFrame:
    """Score mean videos under masks as if those of the whole population were the truth.

    Regions and groups alone. A change is never below zero, not even for a region that knows
    nothing: read it beside such regions, and the loss against the truth beside it.

    Parameters
    ----------
    scored
        By fill, unmasked first, with their mean videos.
    guess
        Value of a metric that the masked video does not define, as in the tables of losses; a
        condition whose unmasked video does not define it is NaN, for all regions alike.

    Returns
    -------
    DataFrame with one row per mask, metric and condition: fill, trial, removed, metric, unit,
    condition, change, undefined (under the mask), units, level.
    """
    rows: list[pd.DataFrame] = []
    for fill, (unmasked, *masked) in by_fill(scored):
        true = as_floats(unmasked.video())
        shown = Shown(video=true, condition=torch.arange(len(true)), candidates=true)
        known = {m.name: defined_for_shown(m, true, stimuli) for m in metrics}
        for scores in (s for s in masked if s.mask.family in TESTED):
            videos = as_floats(scores.video())
            for metric in metrics:
                with torch.inference_mode():
                    value = segment_scores(metric, videos, shown, stimuli)
                of = units[metric.name] if units else Units.each(len(names))
                filled = with_guesses(value, guess=guess.get(metric.name), shown=known[metric.name])
                row = {
                    "fill": fill,
                    "trial": "trial_average",
                    "removed": scores.mask.label,
                    "metric": metric.name,
                    "unit": metric.unit,
                    "condition": list(names),
                    "change": filled,
                    "undefined": np.isnan(value) & known[metric.name],
                    "units": of.name,
                    "level": of.labels,
                }
                rows.append(pd.DataFrame(row))
    return pd.concat(rows, ignore_index=True)


def change_table(changes: pd.DataFrame, *, rng: np.random.Generator) -> pd.DataFrame:
    """Mean change of every mask over the conditions of :func:`condition_changes`.

    Returns
    -------
    DataFrame: fill, removed, metric, unit, change, sd, n_conditions, n_undefined (counted as
    guesses), and the columns of :func:`interval_columns` (n: conditions with a change).
    """
    named = ["fill", "removed", "metric", "unit"]
    rows = []
    for key, group in changes.groupby(named, sort=False):
        value = group["change"].to_numpy()
        row = dict(zip(named, key, strict=True))
        row |= {"change": known_mean(value)[0], "sd": sd_of(value)}
        row |= {"n_conditions": len(value), "n_undefined": int(group["undefined"].sum())}
        rows.append(row | interval_columns(value, units_in(group), rng=rng))
    return pd.DataFrame(rows)


def as_floats(videos: np.ndarray) -> torch.Tensor:
    """Videos kept as uint8, in [0, 1]."""
    return torch.from_numpy(videos).float() / 255
