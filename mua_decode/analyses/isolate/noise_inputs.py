"""What a decoder scores when its input is Gaussian noise."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from mua_decode.data import DecodingData
from mua_decode.metrics import VideoMetric
from mua_decode.scoring.condition_tables import Tables, VideoScorer, scored_segment
from mua_decode.scoring.guesses import GUESSES, defined_for_shown, with_guesses
from mua_decode.statistics import gaussian_input_null, noise_comparison, row_means
from mua_decode.types import (
    HypothesisTable,
    InputError,
    PseudoTrials,
    ResultTable,
    StimulusSet,
    Stream,
)

PAIRINGS = 9999
_AT_ONCE = 1_000_000  # scores gathered
USED = "is the input used at all?"
PUBLISHED = "published test: is the input used at all?"
SAME_TEST = "same test as published, other quantity: is the input used at all?"
PAIRED = "each noise input averaged over all conditions (our reading)"
_PUBLISHED = ("cue_shape", "colour_correlation", "colour_cosine", "direction_error")


@dataclass(frozen=True, eq=False, kw_only=True)
class ShownTrials:
    """What is known of the trials that noise stands in for.

    Parameters
    ----------
    input_shape
        (T, N) of the network's input.
    condition, video
        int (P,): condition of every trial, and the video shown in it, an index into
        ``stimuli.videos``.
    candidates
        Float (K, C, T, H, W) to identify among.
    stimuli
        Videos, and names of the segments.
    """

    input_shape: tuple[int, int]
    condition: np.ndarray
    video: np.ndarray
    candidates: Tensor
    stimuli: StimulusSet

    @classmethod
    def of(cls, data: DecodingData, part: str) -> ShownTrials:
        """Take those of a part of the split."""
        pseudo = data.dataset(part).pseudo
        return cls(
            input_shape=(data.n_bins, data.n_sites),
            condition=pseudo.condition,
            video=pseudo.video,
            candidates=data.mean_videos(None),
            stimuli=data.stimuli,
        )


@torch.no_grad()
def noise_videos(
    decode: Callable[[Tensor], Tensor],
    input_shape: tuple[int, int],
    *,
    number: int,
    seed: int,
    batch_size: int = 32,
) -> Tensor:
    """Decode standard normal inputs (T, N), float (number, C, T, H, W)."""
    shape = (number, *input_shape)
    drawn = Stream.NOISE_INPUTS.rng(seed).standard_normal(shape).astype(np.float32)
    noise = torch.from_numpy(drawn)
    return torch.cat([decode(part).cpu().float() for part in noise.split(batch_size)])


@torch.no_grad()
def score_noise_inputs(
    decode: Callable[[Tensor], Tensor],
    trials: ShownTrials,
    *,
    metrics: Sequence[VideoMetric],
    number: int,
    seed: int,
    batch_size: int = 32,
) -> Tables:
    """Score reconstructions of standard normal inputs against what was shown.

    ``number`` inputs are decoded, as published (doi 10.1038/s42003-025-09486-7: 100), and each is
    scored in every condition against the video of one of its test trials, drawn at random, as
    single trials of the data are scored against their own.

    Parameters
    ----------
    decode
        Maps inputs (B, T, N) to videos (B, C, T, H, W) in [0, 1].
    metrics
        Applied to the whole video, or to the one segment a metric names.

    Returns
    -------
    float (number, Q) by metric and segment, for the Q conditions with trials: the score of every
    input in every condition, NaN where the metric is undefined.
    """
    stimuli = trials.stimuli
    videos = noise_videos(
        decode, trials.input_shape, number=number, seed=seed, batch_size=batch_size
    )
    candidates = trials.candidates.clone()  # a plain tensor, of which metrics may remember things
    scorers = {
        (metric.name, segment): VideoScorer(metric, videos, candidates=candidates, stimuli=stimuli)
        for metric in metrics
        if (segment := scored_segment(metric, stimuli)) is not None
    }
    rng = Stream.NOISE_VIDEOS.rng(seed)
    conditions = np.unique(trials.condition)
    scores = {key: np.empty((number, len(conditions))) for key in scorers}
    for q, k in enumerate(conditions.tolist()):
        drawn = rng.choice(trials.video[trials.condition == k], number)
        shown = torch.from_numpy(stimuli.videos[drawn]).permute(0, 2, 1, 3, 4).float().div_(255)
        for key, scorer in scorers.items():
            scores[key][:, q] = scorer.against(k, shown)
    for metric in metrics:
        key = (metric.name, metric.segment or "all")
        if metric.name in GUESSES and key in scores:
            defined = defined_for_shown(metric, candidates, stimuli)[conditions]
            scores[key] = with_guesses(scores[key], guess=GUESSES[metric.name], shown=defined)
    return scores


def independent_trials(pseudo: PseudoTrials) -> np.ndarray:
    """How many independent trials the pseudo-trials of every condition are worth, int (Q,).

    Pseudo-trials draw from the same recorded trials, so that averaging many of them leaves what
    those few have in common: of n that draw from h each, n·h / (n + h - 1) (Kish 1965, section 8.2,
    the mean over sites of the shares of each recorded trial, squared and summed).
    """
    found = []
    for k in np.unique(pseudo.condition):
        mine = pseudo.condition == k
        source = pseudo.source_trial[mine].astype(np.int64)
        if pseudo.source_site is not None:
            source += pseudo.source_site[mine] * (int(pseudo.source_trial.max()) + 1)
        source = np.sort(source, axis=0)
        n = len(source)
        new = np.vstack([np.ones((1, source.shape[1]), bool), source[1:] != source[:-1]])
        run = np.cumsum(new, axis=0) + np.arange(source.shape[1]) * n
        times = np.bincount(run.ravel())
        found.append(1 / (float(np.square(times).sum()) / source.shape[1] / n**2))
    return np.maximum(1, np.floor(np.array(found) + 1e-9)).astype(np.int64)


def compare_with_noise(
    scores: Tables,
    table: ResultTable,
    *,
    mask: str,
    higher_is_better: Mapping[str, bool],
    seed: int,
    independent: np.ndarray | None = None,
    groups: np.ndarray | None = None,
    pairings: int = PAIRINGS,
) -> tuple[ResultTable, HypothesisTable]:
    """Put the scores of noise beside those of the data.

    A score of the data is a mean over trials, so each of ``pairings`` scores of noise is one too:
    every condition is paired with as many reconstructions as it has independent trials, and counts
    as often as it has trials, else a decoder that ignores its input would differ from itself. They
    reuse few, drawn anew for each: else 512 conditions seem surer than these few are (size .25).

    Parameters
    ----------
    scores
        Of :func:`score_noise_inputs`.
    table
        Scores of the decoder on the data, undefined trials counted as guesses; a row over all and
        one per condition, in their order, with its trials in ``n``, else they count alike.
    independent
        int (Q,): independent trials of every condition (:func:`independent_trials`); one without.
    groups
        (Q,): conditions of a group share presentations, and are paired with the same inputs.

    Returns
    -------
    One row per metric with the mean score of the noise (run ``chance/noise``), and the rank of the
    mean over single trials among them: ours, of what :func:`published_comparison` asks. Activity
    that only says when the trial began passes both.
    """
    own, each = _single_trials(table.frame)
    rows: list[dict[str, object]] = []
    tests: list[HypothesisTable] = []
    for row in own.to_dict("records"):
        metric, segment = str(row["metric"]), str(row["segment"])
        if (metric, segment) not in scores:
            continue
        found = scores[metric, segment]
        number, q = found.shape
        trials = _trials(each, metric, segment, number=q)
        times = np.ones(q, np.int64) if independent is None else independent
        rng = Stream.NOISE_PAIRINGS.rng(seed)
        null = noise_means(found, trials, times=times, groups=groups, draws=pairings, rng=rng)
        value = float(np.nanmean(null)) if np.isfinite(null).any() else float("nan")
        labels = {str(k): v for k, v in row.items()} | {"run": "chance/noise", "mask": mask}
        rows.append(labels | {"value": value, "n": number if np.isfinite(value) else 0})
        tests.append(gaussian_input_null(
            null, float(row["value"]), question=USED, group=mask,
            metric=metric if segment == "all" else f"{metric}/{segment}",
            n_unit="noise inputs", inputs=number,
            better="higher" if higher_is_better[metric] else "lower",
            note=_note(metric, number, times, pairings),
        ))  # fmt: skip
    return ResultTable.from_rows(rows), HypothesisTable.concat(tests)


def _single_trials(frame: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Scores of the decoder over all conditions, and by condition."""
    frame = frame[(frame["run"] == "decoder") & (frame["trial"] == "single_trial")]
    return frame[frame["condition"] == "all"], frame[frame["condition"] != "all"]


def _note(metric: str, number: int, times: np.ndarray, pairings: int) -> str:
    low, high = int(times.min()), int(times.max())
    each = f"{low}" if low == high else f"{low} to {high}"
    note = f"{number} noise inputs, reused in {pairings} random pairings with conditions, of "
    note += f"each as many as it has independent trials ({each})"
    return note + (f"; undefined trials count as {GUESSES[metric]:g}" if metric in GUESSES else "")


def _trials(each: pd.DataFrame, metric: str, segment: str, *, number: int) -> np.ndarray:
    """Trials of every condition, float (number,)."""
    mine = each[(each["metric"] == metric) & (each["segment"] == segment)]
    if not len(mine):
        return np.ones(number)
    if len(mine) != number:
        raise InputError(f"noise inputs: {metric} has {len(mine)} conditions, noise {number}")
    return mine["n"].to_numpy(float)


def noise_means(
    found: np.ndarray,
    trials: np.ndarray,
    *,
    times: np.ndarray,
    groups: np.ndarray | None,
    draws: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Mean scores (draws,) of noise, each over as many inputs as there are independent trials.

    Parameters
    ----------
    found
        float (n, Q): score of every input in every condition; NaN is left out.
    trials, times
        (Q,): how much a condition counts, and over how many inputs its score is a mean.
    groups
        (Q,): conditions that get the same inputs; without it each gets its own.
    """
    number, q = found.shape
    known, score = ~np.isnan(found), np.nan_to_num(found)
    label = np.arange(q) if groups is None else np.unique(groups, return_inverse=True)[1]
    most = np.zeros(int(label.max()) + 1, np.int64)
    np.maximum.at(most, label, times)
    first = np.cumsum(most) - most
    # One entry for every input that a condition is paired with: whose place, which condition.
    condition = np.repeat(np.arange(q), times)
    place = np.concatenate([first[g] + np.arange(t) for g, t in zip(label, times, strict=True)])
    each = (trials / times)[condition]
    out, size = [], max(1, _AT_ONCE // int(most.sum()))
    for begun in range(0, draws, size):
        n = min(size, draws - begun)
        reused = rng.integers(0, number, (n, number))
        drawn = rng.integers(0, number, (n, int(most.sum())))
        picks = np.take_along_axis(reused, drawn, axis=1)[:, place]
        weight = each.sum() if known.all() else known[picks, condition] @ each
        with np.errstate(invalid="ignore"):
            out.append(score[picks, condition] @ each / weight)
    return np.concatenate(out)


def published_comparison(
    scores: Tables,
    table: ResultTable,
    *,
    mask: str,
    higher_is_better: Mapping[str, bool],
) -> HypothesisTable:
    """Scores of averages over trials, condition by condition, against those of noise inputs.

    64 conditions against 100 inputs: t(162), two-sided, and the fraction of noise inputs beyond
    the mean (:func:`noise_comparison`). Which condition a noise input is scored in is our reading:
    in each, and averaged over them, as in the test of the encoding model. Averages over trials
    stand against single predictions, as published. The paper tests shape, colour and direction; of
    another metric the question says that the quantity is another.

    Parameters
    ----------
    scores
        Of :func:`score_noise_inputs`.
    table
        Scores of the decoder on the data, undefined trials counted as guesses as in ``scores``.
    """
    own = table.frame[(table.frame["run"] == "decoder") & (table.frame["condition"] != "all")]
    own = own[own["trial"] == "trial_average"]
    tests: list[HypothesisTable] = []
    for key, rows in own.groupby(["metric", "segment"], sort=False):
        metric, segment = map(str, key)
        if (metric, segment) not in scores:
            continue
        tests.append(
            noise_comparison(
                rows["value"].to_numpy(float),
                row_means(scores[metric, segment]),
                question=asked(metric),
                group=mask,
                metric=f"against_noise/{metric}" + ("" if segment == "all" else f"/{segment}"),
                better="higher" if higher_is_better[metric] else "lower",
                note=PAIRED,
            )
        )
    return HypothesisTable.concat(tests)


def asked(metric: str) -> str:
    """Question of the published test; of a quantity that the paper does not test, it says so."""
    return PUBLISHED if metric in _PUBLISHED else SAME_TEST
