"""What a decoder scores when its input is Gaussian noise."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from mua_decode.metrics import Shown, VideoMetric
from mua_decode.statistics import gaussian_input_null
from mua_decode.types import HypothesisTable, ResultTable, StimulusSet

Scores = dict[tuple[str, str], np.ndarray]
"""Scores of the noise inputs (n,) by metric and segment."""


@torch.inference_mode()
def score_noise_inputs(
    decode: Callable[[Tensor], Tensor],
    input_shape: tuple[int, int],
    *,
    true: Tensor,
    condition: np.ndarray,
    candidates: Tensor,
    metrics: Sequence[VideoMetric],
    stimuli: StimulusSet,
    number: int,
    seed: int,
    batch_size: int = 32,
) -> Scores:
    """Score reconstructions of standard normal inputs against what was shown.

    ``number`` inputs are decoded, as published (doi 10.1038/s42003-025-09486-7: 100). A score of
    the data is a mean over conditions, so each of the ``number`` scores of noise is one too: every
    condition is paired with one of the reconstructions at random.

    Parameters
    ----------
    decode
        Maps inputs (B, T, N) to videos (B, C, T, H, W) in [0, 1].
    input_shape
        (T, N).
    true
        Float (Q, C, T, H, W): the video shown in each condition tested.
    condition
        int (Q,): those conditions.
    candidates
        Float (K, C, T, H, W) to identify among.
    metrics
        Applied to the whole video, or to the one segment a metric names.
    stimuli
        Names the segments.
    number
        How many inputs, and how many scores.
    seed
        Draws the inputs and the pairs.

    Returns
    -------
    Scores (number,) by metric and segment; conditions where a metric is undefined are left out.
    """
    noise = torch.from_numpy(
        np.random.default_rng([seed, 31]).standard_normal((number, *input_shape)).astype(np.float32)
    )
    videos = torch.cat([decode(part).cpu().float() for part in noise.split(batch_size)])
    pairs = np.random.default_rng([seed, 37]).integers(0, number, (number, len(true)))
    segments = {s.name: (s.start, s.stop) for s in stimuli.segments}
    shown = Shown(video=true, condition=torch.from_numpy(condition), candidates=candidates)
    scores: Scores = {}
    for metric in metrics:
        if metric.segment is not None and metric.segment not in segments:
            continue
        start, stop = segments.get(metric.segment or "", (0, stimuli.n_frames))
        part = shown.frames(start, stop)
        values = [metric(videos[row][:, :, start:stop], part).double().nanmean() for row in pairs]
        scores[metric.name, metric.segment or "all"] = torch.stack(values).cpu().numpy()
    return scores


def compare_with_noise(
    scores: Scores, table: ResultTable, *, mask: str, higher_is_better: Mapping[str, bool]
) -> tuple[ResultTable, HypothesisTable]:
    """Put the scores of noise beside those of the data.

    Parameters
    ----------
    scores
        Of :func:`score_noise_inputs`.
    table
        Scores of the decoder on the data.
    mask
        Label of the network.
    higher_is_better
        Which way each metric points.

    Returns
    -------
    One row per metric with the mean score of the noise (run ``chance/noise``), and the rank of
    the mean over single trials among the scores of the noise.
    """
    own = table.frame[(table.frame["run"] == "decoder") & (table.frame["condition"] == "all")]
    own = own[own["trial"] == "single_trial"]
    rows: list[dict[str, object]] = []
    tests: list[HypothesisTable] = []
    for row in own.to_dict("records"):
        metric, segment = str(row["metric"]), str(row["segment"])
        if (metric, segment) not in scores:
            continue
        found = scores[metric, segment]
        found = found[~np.isnan(found)]
        value = float(found.mean()) if len(found) else float("nan")
        labels = {str(k): v for k, v in row.items()} | {"run": "chance/noise", "mask": mask}
        rows.append(labels | {"value": value, "n": len(found)})
        tests.append(
            gaussian_input_null(
                scores[metric, segment],
                float(row["value"]),
                question="does the network make more of the activity than of noise?",
                group=mask,
                metric=metric if segment == "all" else f"{metric}/{segment}",
                better="higher" if higher_is_better[metric] else "lower",
            )
        )
    return ResultTable.from_rows(rows), HypothesisTable.concat(tests)
