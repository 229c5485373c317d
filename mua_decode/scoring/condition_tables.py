"""Scores of every decoded video against every video shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from mua_decode.data import Batch
from mua_decode.metrics import Motion, Shown, VideoMetric, circular_difference_deg
from mua_decode.scoring.averages import Averages
from mua_decode.scoring.evaluate import not_applicable, segment_frames
from mua_decode.scoring.guesses import GUESSES, defined_for_shown, with_guesses
from mua_decode.statistics import Units, label_permutation
from mua_decode.types import HypothesisTable, StimulusSet, Stream

Tables = dict[tuple[str, str], np.ndarray]
"""Scores by metric and segment."""


class VideoScorer:
    """Scores the same videos against one condition after the other.

    Whatever a metric measures on a decoded video alone is measured once: the optical flow of
    :class:`~mua_decode.metrics.Motion` would else be computed again for every condition.

    Parameters
    ----------
    metric
        Scores the segment it names, or the whole video.
    predicted, candidates
        Float (P, C, T, H, W), and (K, C, T, H, W): the video of every condition.
    """

    def __init__(
        self, metric: VideoMetric, predicted: Tensor, *, candidates: Tensor, stimuli: StimulusSet
    ) -> None:
        self._metric = metric
        self._frames = segment_frames(metric, stimuli)
        start, stop = self._frames
        self._predicted, self._candidates = (v[:, :, start:stop] for v in (predicted, candidates))
        self._angles: tuple[np.ndarray, np.ndarray] | None = None
        if isinstance(metric, Motion):
            pair = (self._predicted, self._candidates)
            self._angles = tuple(metric.direction(v).double().cpu().numpy() for v in pair)  # type: ignore[assignment]

    def against(self, condition: int, video: Tensor) -> np.ndarray:
        """Score every decoded video, float (P,).

        Parameters
        ----------
        video
            The whole video shown, (P, C, T, H, W) or (1, C, T, H, W).
        """
        if self._angles is not None:
            decoded, shown = self._angles
            return np.abs(circular_difference_deg(decoded, shown[condition]))
        start, stop = self._frames
        n = len(self._predicted)
        shown_here = Shown(
            video=video[:, :, start:stop].expand(n, -1, -1, -1, -1),
            condition=torch.full((n,), condition),
            candidates=self._candidates,
        )
        return np.asarray(self._metric(self._predicted, shown_here).double().cpu().numpy())


def scored_segment(metric: VideoMetric, stimuli: StimulusSet) -> str | None:
    """Segment a metric is scored on here, ``"all"`` for the whole video; None: it cannot be."""
    return None if not_applicable(metric, stimuli) else metric.segment or "all"


@torch.no_grad()
def condition_tables(
    decode: Callable[[Tensor], Tensor],
    batches: Iterable[Batch],
    *,
    candidates: Tensor,
    metrics: Sequence[VideoMetric],
    stimuli: StimulusSet,
    guesses: Mapping[str, float] = GUESSES,
) -> Tables:
    """Score the mean video decoded in every condition against the mean video shown in every one.

    Parameters
    ----------
    decode
        Maps standardised counts (B, T, N) to videos (B, C, T, H, W) in [0, 1].
    batches
        The trials of a part, once.
    candidates
        Float (K, C, T, H, W): the video of every condition.
    metrics
        Each scores the segment it names, or the whole video; those that do not apply to the
        recording are left out.
    guesses
        Value where a decoded video does not define a metric.

    Returns
    -------
    float (Q, Q) by metric and segment, for the Q conditions with trials: (i, j) is the score of
    what was decoded in i against what was shown in j. The diagonal holds the scores of averages
    over trials. Columns of conditions whose own video does not define the metric are NaN.
    """
    candidates = candidates.clone()  # a plain tensor, of which metrics may remember things
    averages = Averages(candidates)
    for _ in averages.over(lambda batch: decode(batch.spikes), batches):
        pass
    return tables_of(
        averages, candidates=candidates, metrics=metrics, stimuli=stimuli, guesses=guesses
    )


@torch.no_grad()
def tables_of(
    averages: Averages,
    *,
    candidates: Tensor,
    metrics: Sequence[VideoMetric],
    stimuli: StimulusSet,
    guesses: Mapping[str, float] = GUESSES,
) -> Tables:
    """Return :func:`condition_tables` of what was averaged before."""
    present, decoded, shown = averages.present, averages.decoded, averages.shown
    found: Tables = {}
    for metric in metrics:
        segment = scored_segment(metric, stimuli)
        if segment is None:
            continue
        scorer = VideoScorer(metric, decoded, candidates=candidates, stimuli=stimuli)
        columns = [scorer.against(k, shown[q][None]) for q, k in enumerate(present.tolist())]
        defined = defined_for_shown(metric, candidates, stimuli)[present.numpy()]
        table = np.stack(columns, axis=1)
        found[metric.name, segment] = np.where(
            defined, with_guesses(table, guess=guesses.get(metric.name)), np.nan
        )
    return found


def permutation_tests(
    tables: Tables,
    *,
    group: str,
    higher_is_better: Mapping[str, bool],
    seed: int,
    n: int = 9999,
    units: Units | None = None,
    note: str = "",
) -> HypothesisTable:
    """Test whether the videos decoded follow the conditions; see :func:`label_permutation`.

    Parameters
    ----------
    group, note
        Copied into the rows.
    higher_is_better
        By metric.
    seed, n
        Of the permutations.
    units
        Units of the conditions, where some share recorded trials; they change places together.

    Returns
    -------
    One row per metric, called ``trial_average/METRIC[/SEGMENT]``.
    """
    tests = [
        label_permutation(
            table,
            rng=Stream.CONDITION_PERMUTATION.rng(seed),
            question="does the video decoded fit its own condition better than others?",
            group=group,
            metric="/".join(["trial_average", name, *([] if segment == "all" else [segment])]),
            better="higher" if higher_is_better[name] else "lower",
            n=n,
            units=units,
            note=note,
        )
        for (name, segment), table in tables.items()
    ]
    return HypothesisTable.concat(tests)
