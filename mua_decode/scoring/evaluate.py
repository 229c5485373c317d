"""Score decoded videos trial by trial, and then averaged over the trials of a condition."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mua_decode.data import Batch
from mua_decode.metrics import Selective, Shown, VideoMetric
from mua_decode.scoring.averages import Averages, Predict, known_mean
from mua_decode.types import ResultTable, StimulusSet


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Scores of one decoder on one part of the split.

    Parameters
    ----------
    table
        One row per condition, metric, segment and averaging, and one over all conditions.
    conditions
        int (Q,): conditions that had trials.
    true, predicted
        Float (Q, C, T, H, W): videos averaged over the trials of each condition.
    true_example, predicted_example
        The first single trial of each condition, same shape.
    trial_condition, trial_identified
        int (B,): condition of every trial and the condition identified (-1 where none is).
    """

    table: ResultTable
    conditions: np.ndarray
    true: Tensor
    predicted: Tensor
    true_example: Tensor
    predicted_example: Tensor
    trial_condition: np.ndarray
    trial_identified: np.ndarray


@torch.inference_mode()
def evaluate_decoder(
    predict: Predict,
    batches: Iterable[Batch],
    *,
    stimuli: StimulusSet,
    candidates: Tensor,
    metrics: Sequence[VideoMetric],
    identify: Callable[[Tensor, Tensor], Tensor],
    run: str,
    split: str,
) -> Evaluation:
    """Decode every batch once and score it.

    Parameters
    ----------
    predict
        Maps a batch to videos (B, C, T, H, W) in [0, 1].
    candidates
        The K condition videos (K, C, T, H, W) to identify among.
    metrics
        Applied to the whole video and to each segment, or to the one segment a metric names. A
        metric that does not apply to the recording (:func:`not_applicable`) is left out.
    identify
        Maps (videos, candidates) to the index of the nearest candidate, (B,).
    run, split
        Labels in the table.
    """
    spans = {m: _spans(m, stimuli) for m in metrics}
    averages = Averages(candidates, dtype=torch.float64)
    values: dict[tuple[str, str], list[Tensor]] = {}
    identified: list[Tensor] = []
    first: dict[int, tuple[Tensor, Tensor]] = {}
    for video, batch in averages.over(predict, batches):
        shown = Shown(video=batch.video, condition=batch.condition, candidates=candidates)
        for key, score in _scores(video, shown, spans).items():
            values.setdefault(key, []).append(score)
        for row, k in enumerate(batch.condition.tolist()):
            if k not in first:  # copied: a view would keep the whole batch
                first[k] = batch.video[row].cpu().clone(), video[row].clone()
        identified.append(identify(video, candidates))
    condition, present = averages.condition, averages.present
    true, predicted = averages.shown, averages.decoded
    shown = Shown(video=true, condition=present, candidates=candidates)
    single = {key: torch.cat(v) for key, v in values.items()}
    labels = {"run": run, "split": split, "mask": "none"}
    about: Any = {"names": stimuli.names, "units": {m.name: m.unit for m in metrics}}
    rows = _rows(single, condition, labels={**labels, "trial": "single_trial"}, **about)
    average = _scores(predicted, shown, spans)
    rows += _rows(average, present, labels={**labels, "trial": "trial_average"}, **about)
    examples = [torch.stack(v) for v in zip(*(first[k] for k in present.tolist()), strict=True)]
    return Evaluation(
        table=ResultTable.from_rows(rows),
        conditions=present.numpy(),
        true=true,
        predicted=predicted,
        true_example=examples[0],
        predicted_example=examples[1],
        trial_condition=condition.numpy(),
        trial_identified=torch.cat(identified).numpy(),
    )


def not_applicable(metric: VideoMetric, stimuli: StimulusSet) -> str | None:
    """Return why a metric cannot score a recording with these stimuli, or None if it can.

    Either the recording has no segment of the name the metric asks for, or its videos are not
    of a kind the metric can read (:class:`~mua_decode.metrics.Selective`).
    """
    wanted = _wanted(metric, stimuli)
    if not wanted:
        present = ", ".join(f"'{s.name}'" for s in stimuli.segments)
        return f"needs a segment '{metric.segment}', the recording has {present}"
    reasons = [_refusal(metric, stimuli, span) for span in wanted.values()]
    return None if None in reasons else reasons[0]


def segment_frames(metric: VideoMetric, stimuli: StimulusSet) -> tuple[int, int]:
    """First frame, and the one after the last, of the segment a metric names; else of the video."""
    segments = {s.name: (s.start, s.stop) for s in stimuli.segments}
    return segments.get(metric.segment or "", (0, stimuli.n_frames))


def segment_scores(
    metric: VideoMetric, video: Tensor, shown: Shown, stimuli: StimulusSet
) -> np.ndarray:
    """Score every video, float64 (B,), on the segment the metric names or on the whole."""
    start, stop = segment_frames(metric, stimuli)
    score = metric(video[:, :, start:stop], shown.frames(start, stop))
    return np.asarray(score.double().cpu().numpy())


def _wanted(metric: VideoMetric, stimuli: StimulusSet) -> dict[str, tuple[int, int]]:
    """Stretches of frames a metric is meant for, by the name they have in the table."""
    segments = {s.name: (s.start, s.stop) for s in stimuli.segments}
    if metric.segment is not None:
        return {k: v for k, v in segments.items() if k == metric.segment}
    whole = {"all": (0, stimuli.n_frames)}
    return whole | segments if len(segments) > 1 else whole


def _refusal(metric: VideoMetric, stimuli: StimulusSet, span: tuple[int, int]) -> str | None:
    if not isinstance(metric, Selective):
        return None
    channels, height, width = stimuli.frame_shape
    return metric.not_applicable((channels, span[1] - span[0], height, width))


def _spans(metric: VideoMetric, stimuli: StimulusSet) -> dict[str, tuple[int, int]]:
    """Stretches of frames a metric can score."""
    wanted = _wanted(metric, stimuli)
    return {k: v for k, v in wanted.items() if _refusal(metric, stimuli, v) is None}


def _scores(
    video: Tensor,
    shown: Shown,
    spans: Mapping[VideoMetric, Mapping[str, tuple[int, int]]],
) -> dict[tuple[str, str], Tensor]:
    return {
        (metric.name, segment): metric(video[:, :, start:stop], shown.frames(start, stop))
        for metric, stretches in spans.items()
        for segment, (start, stop) in stretches.items()
    }


def _rows(
    scores: Mapping[tuple[str, str], Tensor],
    condition: Tensor,
    *,
    names: Sequence[str],
    units: Mapping[str, str],
    labels: Mapping[str, str],
) -> list[dict[str, object]]:
    """One row over all conditions and one per condition; undefined values are left out of n."""
    rows: list[dict[str, object]] = []
    for (metric, segment), score in scores.items():
        value = score.double().numpy()
        groups = {"all": np.ones(len(value), bool)}
        groups |= {names[int(k)]: condition.numpy() == int(k) for k in torch.unique(condition)}
        for name, inside in groups.items():
            mean, n = known_mean(value[inside])
            about = {"segment": segment, "metric": metric, "unit": units[metric]}
            rows.append({**labels, **about, "condition": name, "value": mean, "n": n})
    return rows
