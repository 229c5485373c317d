"""The published test of masking: what is predicted with a mask against what is without it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from mua_decode.analyses.ablate.changes import as_floats
from mua_decode.analyses.ablate.losses import TESTED, by_fill
from mua_decode.analyses.ablate.scores import MaskScores
from mua_decode.metrics import (
    Colour,
    CueDifference,
    CuePixels,
    Motion,
    VideoMetric,
    circular_difference_deg,
)
from mua_decode.metrics.aperture import to_grey
from mua_decode.scoring.evaluate import segment_frames
from mua_decode.scoring.guesses import guessed_turns
from mua_decode.statistics import correct, unpaired_t
from mua_decode.types import HypothesisTable, StimulusSet

_DIRECTION = "predicted_direction"
_UNDEFINED = 0.25  # share of guesses, which stand on either side, above which they decide the test
_NOT_SEEN = (
    "predictions themselves: what moves some conditions up and others down is not seen by this test"
)


def prediction_table(
    scored: Sequence[MaskScores],
    *,
    metrics: Sequence[VideoMetric],
    stimuli: StimulusSet,
    names: Sequence[str],
) -> pd.DataFrame:
    """What mean videos show with a mask and without, condition by condition; no truth is asked.

    Zhang et al. 2026 (doi 10.1038/s42003-025-09486-7) compare "predicted pixels with mask against
    predicted pixels without" and do not say what is counted; these are our readings of it, for
    the metrics given:

    - ``predicted_cue_pixels``: pixels of the mean cue frame brighter than the threshold that cuts
      the unmasked prediction; ``predicted_cue_grey``: its mean grey level, 0 to 255;
    - ``predicted_red``, ``_green``, ``_blue``: mean over the points of the colour metric, 0 to 255;
    - ``predicted_direction``: angle of the flow, degrees; with the mask, the unmasked one and the
      turn from it the short way round, so that it may lie beyond 180. A direction that a mask makes
      undefined counts as 90 degrees off, to either side in turn.

    Returns
    -------
    DataFrame with one row per mask of a region or group, quantity and condition: fill, removed,
    quantity, unit, condition, without (the mask), masked, undefined (under the mask). Conditions
    whose unmasked prediction has no such quantity are NaN, for all regions alike.
    """
    rows: list[pd.DataFrame] = []
    for fill, (unmasked, *masked) in by_fill(scored):
        reference = as_floats(unmasked.video())
        for scores in (s for s in masked if s.mask.family in TESTED):
            videos = as_floats(scores.video())
            for metric in metrics:
                start, stop = segment_frames(metric, stimuli)
                pair = (reference[:, :, start:stop], videos[:, :, start:stop])
                for quantity, unit, before, after in _quantities(metric, *pair):
                    lost = np.isnan(after) & ~np.isnan(before) & isinstance(metric, Motion)
                    row = {
                        "fill": fill,
                        "removed": scores.mask.label,
                        "quantity": quantity,
                        "unit": unit,
                        "condition": list(names),
                        "without": before,
                        "masked": np.where(lost, before + guessed_turns(lost), after),
                        "undefined": lost,
                    }
                    rows.append(pd.DataFrame(row))
    return pd.concat(rows, ignore_index=True) if rows else pd.DataFrame()


def _quantities(
    metric: VideoMetric, before: Tensor, after: Tensor
) -> Iterator[tuple[str, str, np.ndarray, np.ndarray]]:
    """Name, unit, and the value of every condition without the mask and with it."""
    pair = (before, after)
    with torch.inference_mode():
        if isinstance(metric, CuePixels):
            cut = metric.threshold(before)
            bright = [(to_grey(v).mean(1).flatten(1) > cut[:, None]).sum(1).float() for v in pair]
            found = [v.masked_fill(cut.isnan(), float("nan")) for v in bright]
            yield "predicted_cue_pixels", "pixels", *_arrays(found)
        elif isinstance(metric, CueDifference):
            found = [255 * to_grey(v).flatten(1).mean(1) for v in pair]
            yield "predicted_cue_grey", "RGB 0-255", *_arrays(found)
        elif isinstance(metric, Colour):
            points = [metric.sample(v).mean(1) for v in pair]
            for channel, name in enumerate(("red", "green", "blue")):
                found = [v[:, channel] for v in points]
                yield f"predicted_{name}", metric.unit, *_arrays(found)
        elif isinstance(metric, Motion):
            shown, left = _arrays([metric.direction(v) for v in pair])
            yield _DIRECTION, "degrees", shown, shown + circular_difference_deg(left, shown)


def _arrays(found: Sequence[Tensor]) -> tuple[np.ndarray, np.ndarray]:
    before, after = (v.double().numpy() for v in found)
    # what the reference does not define is left out, for all masks alike
    return before, np.where(np.isnan(before), np.nan, after)


def prediction_tests(predictions: pd.DataFrame, *, correction: str = "holm") -> HypothesisTable:
    """Unpaired two-sided t-test of predictions with a mask against those without, as published.

    64 against 64 conditions have 126 degrees of freedom. The test is the published one, the
    quantities are our readings (:func:`prediction_table`). It sees only what shifts the mean over
    conditions: colours that all fade to grey, or directions that all turn to the middle, leave it
    where it was. Where more than a quarter of the directions are undefined under the mask it has
    no p: guesses to either side would decide it. Corrected over the masks within quantity and fill.
    """
    if not len(predictions):
        return HypothesisTable.concat([])
    tables: list[HypothesisTable] = []
    for (fill, quantity, removed), rows in predictions.groupby(
        ["fill", "quantity", "removed"], sort=False
    ):
        asked: Any = {
            "question": f"published test, quantity our reading: is it another without {removed}?",
            "group": str(removed),
            "metric": f"{quantity}, trial_average, {fill}",
        }
        masked, without = (rows[c].to_numpy() for c in ("masked", "without"))
        found = unpaired_t(masked, without, n_unit="conditions, masked and unmasked", **asked).frame
        note = found["note"] + "; " + _NOT_SEEN
        if quantity == _DIRECTION:
            lost, known = int(rows["undefined"].sum()), int(rows["without"].notna().sum())
            counted = f"{lost} undefined under the mask counted as 90 degrees off, of {known}; "
            if lost > _UNDEFINED * known:
                counted = "no p, too many are guesses: " + counted
                found = found.assign(p=np.nan, p_corrected=np.nan, statistic=np.nan)
            note = counted + note
        tables.append(HypothesisTable(found.assign(note=note)))
    return correct(HypothesisTable.concat(tables), method=correction, within=["metric", "test"])
