"""What is seen in a video: the cue's outline, the dots' colour, the direction they move in."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from mua_decode.metrics import (
    Colour,
    CueShape,
    Motion,
    Shown,
    VideoMetric,
    colour_correlation,
    colour_cosine,
)
from mua_decode.scoring.evaluate import not_applicable
from mua_decode.statistics import row_means
from mua_decode.types import StimulusSet

_LABELS = ("cue", "colour", "direction_deg")


def measure_videos(
    videos: np.ndarray,
    true: np.ndarray,
    *,
    conditions: Sequence[int] | np.ndarray,
    stimuli: StimulusSet,
    metrics: Sequence[VideoMetric],
) -> pd.DataFrame:
    """Measure cue, colour and motion of one video per condition.

    Parameters
    ----------
    videos, true
        uint8 (K, C, T, H, W): the videos measured, and those they are compared with.
    conditions
        Condition of each.
    metrics
        Those among them that measure cue shape, colour or motion are used, with their options.

    Returns
    -------
    DataFrame with one row per video: condition, its labels (cue, colour, direction_deg where the
    recording has them), cue_shape (Pearson r), colour_correlation, colour_cosine (over all values
    of the four points), colour_error (RGB units), angle_deg (NaN where undefined) and
    motion_status. Columns that do not apply to the recording are absent.
    """
    table = stimuli.conditions.iloc[list(conditions)].reset_index(drop=True)
    out = pd.DataFrame({"condition": table["name"].astype(str)})
    for label in _LABELS:
        if label in table:
            out[label] = table[label]
    seen, reference = _floats(videos), _floats(true)
    for metric in metrics:
        if not_applicable(metric, stimuli) is not None:
            continue
        a, b = (_segment(v, metric, stimuli) for v in (seen, reference))
        if isinstance(metric, CueShape):
            shown = Shown(video=b, condition=torch.arange(len(b)), candidates=b)
            out["cue_shape"] = metric(a, shown).double().numpy()
        elif isinstance(metric, Colour):
            found, wanted = metric.sample(a), metric.sample(b)
            out["colour_correlation"] = colour_correlation(found, wanted).double().numpy()
            out["colour_cosine"] = colour_cosine(found, wanted).double().numpy()
            out["colour_error"] = (found - wanted).abs().mean((1, 2)).double().numpy()
        elif isinstance(metric, Motion):
            out["angle_deg"] = metric.direction(a).double().numpy()
            out["motion_status"] = metric.status(a)
    return out


def colour_against_all(
    videos: np.ndarray,
    true: np.ndarray,
    *,
    stimuli: StimulusSet,
    metrics: Sequence[VideoMetric],
) -> dict[str, np.ndarray]:
    """Measure the colour of every video against every true one, averaged over the true ones.

    Parameters
    ----------
    videos, true
        uint8 (V, C, T, H, W) and (K, C, T, H, W).

    Returns
    -------
    ``colour_correlation`` and ``colour_cosine``, float (V,); nothing where no colour applies.
    """
    out: dict[str, np.ndarray] = {}
    colours = [m for m in metrics if isinstance(m, Colour) and not_applicable(m, stimuli) is None]
    for metric in colours:
        found, wanted = (
            metric.sample(_segment(_floats(v), metric, stimuli)) for v in (videos, true)
        )
        for name, measure in (
            ("colour_correlation", colour_correlation),
            ("colour_cosine", colour_cosine),
        ):
            each = [measure(f.expand_as(wanted), wanted).double().numpy() for f in found]
            out[name] = row_means(np.stack(each))
    return out


def _segment(videos: Tensor, metric: VideoMetric, stimuli: StimulusSet) -> Tensor:
    """Frames (V, C, T', H, W) that a metric which applies is measured in."""
    segment = next(s for s in stimuli.segments if metric.segment in (None, s.name))
    return videos[:, :, segment.start : segment.stop]


def _floats(videos: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(videos)).float() / 255
