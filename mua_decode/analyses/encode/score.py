"""How well an encoding model predicts activity from the video, beside floors and ceilings.

Single trials are the pseudo-trials of the test part, each with its own video. Averages compare the
mean prediction for a condition's videos with the mean over its *recorded* trials, each
counted once. Beside the encoder stand

- ``floor/time_course``: the mean time course of the site over all training trials, whatever
  the condition (a PSTH); a model that knows only that something happens when;
- ``floor/condition_mean``: the site's mean over training trials of the condition, the lookup of
  encoding; noisy itself, so that a good model may pass it; undefined for conditions never
  trained on;
- ``ceiling/split_half``: the square root of the reliability of the recorded trials of that
  part (``ceiling.Reliability``), which no model can pass but by luck;
- ``chance/noise_videos``: videos of uniform noise instead of those shown, our rank;
- ``chance/gaussian_videos``: videos of N(0, 1) pixels, the published null.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from mua_decode.analyses.encode.averages import Averages
from mua_decode.analyses.encode.bands import band_r2
from mua_decode.analyses.encode.ceiling import Ceiling, split_half
from mua_decode.analyses.encode.correlation import pooled_r, signed_square, time_r
from mua_decode.analyses.encode.plan import EncodePlan
from mua_decode.analyses.encode.predict import Predict, Prediction, predict_part
from mua_decode.analyses.encode.rows import EncodingRows
from mua_decode.analyses.encode.significance import (
    condition_tests,
    floor_tests,
    mixed_floor_tests,
    null_r,
    null_tests,
)
from mua_decode.analyses.encode.traces import power_spectra, typical_traces
from mua_decode.data import Batch, DecodingData
from mua_decode.data.independence import condition_groups
from mua_decode.data.recorded import condition_means, recorded_trials
from mua_decode.statistics import correct
from mua_decode.types import HypothesisTable, InputError, ResultTable, Stream

PART = "test"
ENCODER = "encoder"
TIME_COURSE = "floor/time_course"
CONDITION_MEAN = "floor/condition_mean"
SPLIT_HALF = "ceiling/split_half"
NOISE = "chance/noise_videos"
GAUSSIAN = "chance/gaussian_videos"

Encoder = Callable[[Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class EncodingScores:
    """Scores of an encoding model on the test part; ``sites`` has one row per site.

    Parameters
    ----------
    table
        Metrics ``encoding_r`` (mean over sites of each site's correlation), ``encoding_r_region``
        (sites of a region averaged, then correlated over time × conditions),
        ``encoding_r_region_time`` (over time within a condition, then averaged: as published),
        ``encoding_r_reliable`` (mean over the sites that have a noise ceiling, of all runs alike),
        ``explainable_share``, ``reliability`` and ``band_r2_*``, of every run; ``_low`` and
        ``_high`` are ends of a 95 % interval over the sessions of the sites, or over the groups of
        conditions that share no recorded trial; one session has none.
    tests
        What stands behind every p-value: reliabilities; per region, whether the prediction fits
        its own condition (permutation), whether it is better than the mean time course (paired,
        and in a mixed model with sessions as a random effect), than that of videos of uniform
        noise (rank), and, as published, than that of Gaussian videos (t).
    traces, spectra
        Of the averages over the sites of a region; see :mod:`mua_decode.analyses.encode.traces`.
    """

    table: ResultTable
    sites: pd.DataFrame
    tests: HypothesisTable
    traces: pd.DataFrame
    spectra: pd.DataFrame


def score_encoding(
    encode: Encoder, data: DecodingData, batches: Iterable[Batch], *, plan: EncodePlan, seed: int
) -> EncodingScores:
    """Score predicted activity trial by trial and averaged over the trials of a condition.

    Parameters
    ----------
    encode
        Maps videos (B, C, T, H, W) in [0, 1] to standardised activity (B, T, N).
    batches
        The pseudo-trials of the test part, once; ``InputError`` if there is none.
    seed
        Of splits, noise and bootstraps.
    """
    if not len(data.conditions(PART)):
        raise InputError(f"part={PART}: the split leaves it empty")
    recorded = _recorded(data)
    predictions = _predictions(encode, data, batches, recorded.weight)
    encoder, rng = predictions[ENCODER], Stream.ENCODING_SCORES.rng(seed)
    trials, averages = list(recorded_trials(data, PART)), np.stack(list(recorded.regions.values()))
    sites, regions = split_half(
        trials, averages=averages, splits=plan.splits, rng=rng,
        groups=condition_groups(data), **_sizes(data),
    )  # fmt: skip
    ceilings = (
        Ceiling(sites, data.pool.sites.site_id.tolist(), "reliability", plan),
        Ceiling(regions, list(recorded.regions), "reliability_region", plan),
    )
    noise, gaussian = _chance_predictions(encode, data, plan.noise_videos, rng=rng, seed=seed)
    rows = EncodingRows(recorded, *ceilings)
    rows.add_ceiling(SPLIT_HALF)
    for name, prediction in predictions.items():
        rows.add_prediction(name, prediction)
        for band in plan.bands:
            rows.add_band(name, prediction, band, bin_s=data.pool.bin_s)
    by_region = encoder.average @ recorded.weight
    own, drawn = time_r(by_region, recorded.by_region), null_r(gaussian, recorded)
    asked = [
        condition_tests(encoder, recorded, seed=seed),
        floor_tests(encoder, predictions[TIME_COURSE], recorded),
        mixed_floor_tests(encoder, predictions[TIME_COURSE], recorded),
        rows.add_chance(NOISE, noise, encoder),
        null_tests(own, drawn, recorded),
    ]
    rows.add_null(GAUSSIAN, drawn, own)
    for name, prediction in predictions.items():
        for band in plan.bands:
            rows.add_condition_band(name, prediction, band, bin_s=data.pool.bin_s)
    tests = [c.tests for c in ceilings] + [correct(t, method=plan.correction) for t in asked]
    return EncodingScores(
        ResultTable.from_rows(rows.rows),
        _site_table(data, predictions, recorded.values, ceilings[0], plan),
        HypothesisTable.concat(tests),
        typical_traces(recorded, by_region, bin_s=data.pool.bin_s, window_s=data.pool.window_s),
        power_spectra(recorded, by_region, bin_s=data.pool.bin_s),
    )


def _sizes(data: DecodingData) -> dict[str, int]:
    size = {"n_bins": data.n_bins, "n_sites": data.n_sites}
    return size | {"n_conditions": data.stimuli.n_conditions}


def _predictions(
    encode: Encoder, data: DecodingData, batches: Iterable[Batch], weight: np.ndarray
) -> dict[str, Prediction]:
    """What the encoder and its floors predict for the test part."""
    mean, number = condition_means(recorded_trials(data, "train"), **_sizes(data))
    # Every trial of a site counts once, however many its condition has.
    time_course = np.nansum(mean * number[:, None, :], axis=0) / number.sum(axis=0)
    course, means = torch.from_numpy(time_course), torch.from_numpy(mean)
    predictors: dict[str, Predict] = {
        ENCODER: lambda batch: encode(batch.video),
        TIME_COURSE: lambda batch: course.expand(len(batch.spikes), -1, -1),
        CONDITION_MEAN: lambda batch: means[batch.condition],
    }
    return predict_part(predictors, batches, conditions=data.conditions(PART), weight=weight)


def _recorded(data: DecodingData) -> Averages:
    conditions, sites = data.conditions(PART), data.pool.sites
    return Averages(
        split=data.leaks.label(PART),
        values=condition_means(recorded_trials(data, PART), **_sizes(data))[0][conditions],
        conditions=[data.stimuli.names[k] for k in conditions],
        groups=condition_groups(data)[conditions],
        regions={name: sites.region == name for name in sites.regions},
        sessions=sites.session,
    )


def _chance_predictions(
    encode: Encoder, data: DecodingData, number: int, *, rng: np.random.Generator, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Activity (V, T, N) predicted from videos of uniform, and of N(0, 1), pixels."""
    gaussian = Stream.GAUSSIAN_VIDEOS.rng(seed)

    def uniform(shape: tuple[int, ...]) -> np.ndarray:
        return rng.random(shape, dtype=np.float32)

    def normal(shape: tuple[int, ...]) -> np.ndarray:
        return gaussian.standard_normal(shape, dtype=np.float32)

    first, second = (_noise_predictions(encode, data, number, draw) for draw in (uniform, normal))
    return first, second


@torch.inference_mode()
def _noise_predictions(
    encode: Encoder,
    data: DecodingData,
    number: int,
    draw: Callable[[tuple[int, ...]], np.ndarray],
) -> np.ndarray:
    """Activity (V, T, N) predicted from videos of independent pixels."""
    channels, *size = data.frame_shape
    shape, found = (channels, data.n_bins, *size), []
    for first in range(0, number, 10):
        video = draw((min(10, number - first), *shape))
        found.append(encode(torch.from_numpy(video)).cpu().double().numpy())
    return np.concatenate(found)


def _site_table(
    data: DecodingData,
    predictions: dict[str, Prediction],
    recorded: np.ndarray,
    ceiling: Ceiling,
    plan: EncodePlan,
) -> pd.DataFrame:
    """One row per site; see the columns' names for what stands in them."""
    table, tests = data.pool.sites.to_frame(), ceiling.tests.frame
    for name, prediction in predictions.items():
        label = name.rpartition("/")[2]
        table[f"{label}_r_single_trial"] = prediction.site_r
        table[f"{label}_r_trial_average"] = pooled_r(prediction.average, recorded)
    table["reliability_single_trial"] = ceiling.reliable.single
    table["reliability_trial_average"] = ceiling.reliable.average
    for p in ("p", "p_corrected"):
        table[f"reliability_{p}"] = tests[p].to_numpy()
    for trial, value in (("single_trial", ceiling.single), ("trial_average", ceiling.average)):
        table[f"noise_ceiling_{trial}"] = np.sqrt(value)
        square = signed_square(table[f"encoder_r_{trial}"].to_numpy())
        table[f"explainable_share_{trial}"] = square / value
    average, bin_s = predictions[ENCODER].average, data.pool.bin_s
    for band in plan.bands:
        if band.refusal(bin_s=bin_s, n_bins=data.n_bins) is None:
            table[f"band_r2 {band.name}"] = band_r2(average, recorded, band, bin_s=bin_s)
    return table
