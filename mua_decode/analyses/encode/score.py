"""How well an encoding model predicts activity from the video, beside floors and ceilings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from mua_decode.analyses.encode.bands import Band, band_r2
from mua_decode.analyses.encode.ceiling import Reliability, split_half
from mua_decode.analyses.encode.predict import Prediction, correlate, predict_part
from mua_decode.analyses.encode.rows import EncodingRows, signed_square
from mua_decode.analyses.encode.significance import condition_tests, floor_tests
from mua_decode.data import Batch, DecodingData
from mua_decode.data.independence import condition_groups
from mua_decode.data.recorded import condition_means, recorded_trials
from mua_decode.statistics import CORRECTIONS, correct
from mua_decode.types import HypothesisTable, InputError, ResultTable

ENCODER = "encoder"
TIME_COURSE = "floor/time_course"
CONDITION_MEAN = "floor/condition_mean"
SPLIT_HALF = "ceiling/split_half"
NOISE = "chance/noise_videos"

Encoder = Callable[[Tensor], Tensor]


@dataclass(frozen=True, kw_only=True)
class EncodingSettings:
    """Choices of the scores.

    Parameters
    ----------
    splits
        Random split halves of the recorded trials behind the noise ceiling.
    noise_videos
        Random videos behind chance (published: 100).
    alpha
        Level, after correction, at which a reliability counts as above 0.
    correction
        ``fdr_bh``, ``holm`` or ``none``; over sites, and over regions.
    bands
        Bands of R².
    seed
        Of splits, noise and bootstraps.
    """

    splits: int = 100
    noise_videos: int = 100
    alpha: float = 0.05
    correction: str = "fdr_bh"
    bands: tuple[Band, ...] = field(default=(Band(2, 10), Band(10, None)))
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("splits", "noise_videos"):
            if getattr(self, name) < 1:
                raise InputError(f"{name}: expected at least 1, found {getattr(self, name)}")
        if not 0 < self.alpha < 1:
            raise InputError(f"alpha: expected between 0 and 1, found {self.alpha}")
        if self.correction not in CORRECTIONS:
            known = ", ".join(CORRECTIONS)
            raise InputError(f"correction: choose from {known}; found {self.correction}")


@dataclass(frozen=True, eq=False)
class EncodingScores:
    """Scores of an encoding model on one part of the split.

    Parameters
    ----------
    table
        Metrics ``encoding_r`` (mean over sites of each site's correlation), ``encoding_r_region``
        (sites of a region averaged, then correlated over time × conditions),
        ``encoding_r_region_time`` (over time within a condition, then averaged: as published),
        ``encoding_r_reliable`` (mean over the sites that have a noise ceiling, of all runs alike),
        ``explainable_share``, ``reliability`` and ``band_r2_*``, of every run; ``_low`` and
        ``_high`` are ends of a 95 % percentile bootstrap interval over sessions (sites where there
        is one session) or conditions.
    sites
        One row per site.
    tests
        What stands behind every p-value: reliabilities; per region, whether the prediction fits
        its own condition (permutation), whether it is better than the mean time course (paired),
        and, as published, than that of noise videos.
    """

    table: ResultTable
    sites: pd.DataFrame
    tests: HypothesisTable


def score_encoding(
    encode: Encoder,
    data: DecodingData,
    batches: Iterable[Batch],
    *,
    settings: EncodingSettings,
    part: str = "test",
) -> EncodingScores:
    """Score predicted activity trial by trial and averaged over the trials of a condition.

    Single trials are the pseudo-trials of the part, each with its own video. Averages compare the
    mean prediction for a condition's videos with the mean over its *recorded* trials, each
    counted once. Beside the encoder stand

    - ``floor/time_course``: the mean time course of the site over all training trials, whatever
      the condition (a PSTH); a model that knows only that something happens when;
    - ``floor/condition_mean``: the site's mean over training trials of the condition, the lookup of
      encoding; noisy itself, so that a good model may pass it; undefined for conditions never
      trained on;
    - ``ceiling/split_half``: the square root of the reliability of the recorded trials of this
      part (:class:`Reliability`), which no model can pass but by luck;
    - ``chance/noise_videos``: videos of uniform noise instead of those shown.

    Parameters
    ----------
    encode
        Maps videos (B, C, T, H, W) in [0, 1] to standardised activity (B, T, N).
    batches
        The pseudo-trials of the part, once.

    Raises
    ------
    InputError
        If the part has no trial.
    """
    conditions = data.conditions(part)
    if not len(conditions):
        raise InputError(f"part={part}: the split leaves it empty")
    sites = data.pool.sites
    regions = np.stack([sites.region == name for name in sites.regions])
    size = {"n_bins": data.n_bins, "n_sites": data.n_sites}
    size["n_conditions"] = data.stimuli.n_conditions
    train, n_train = condition_means(recorded_trials(data, "train"), **size)
    # Every trial of a site counts once, however many its condition has.
    time_course = np.nansum(train * n_train[:, None, :], axis=0) / n_train.sum(axis=0)
    floor, ceiling = torch.from_numpy(time_course), torch.from_numpy(train)
    predictions = predict_part(
        {
            ENCODER: lambda batch: encode(batch.video),
            TIME_COURSE: lambda batch: floor.expand(len(batch.spikes), -1, -1),
            CONDITION_MEAN: lambda batch: ceiling[batch.condition],
        },
        batches,
        conditions=conditions,
        regions=regions,
    )
    sessions = list(recorded_trials(data, part))
    recorded = condition_means(sessions, **size)[0][conditions]
    rng = np.random.default_rng([settings.seed, 23])
    reliable = split_half(sessions, averages=regions, splits=settings.splits, rng=rng, **size)
    noise = _noise_predictions(encode, data, settings.noise_videos, rng)
    groups = condition_groups(data)[conditions]
    named = dict(zip(sites.regions, regions, strict=True))
    rows = EncodingRows(
        split=f"{part} (leaking)" if data.leaking else part,
        regions=named,
        conditions=[data.stimuli.names[k] for k in conditions],
        recorded=recorded,
        sessions=sites.session,
        groups=groups,
        rng=rng,
    )
    tests = [
        rows.reliability_tests(reliable[0], sites.site_id, "reliability"),
        rows.reliability_tests(reliable[1], np.array(sites.regions), "reliability_region"),
    ]
    tested = [correct(t, method=settings.correction) for t in tests]
    trusted = [t.frame["p_corrected"].to_numpy() < settings.alpha for t in tested]
    rows.add_ceiling(SPLIT_HALF, *reliable, *trusted)
    for name, prediction in predictions.items():
        rows.add_prediction(name, prediction, trusted[0])
        rows.add_explainable(name, prediction, *reliable, *trusted)
        for band in settings.bands:
            rows.add_band(name, prediction, band, bin_s=data.pool.bin_s)
    encoder = predictions[ENCODER]
    asked = [
        condition_tests(encoder, recorded, named, groups=groups, seed=settings.seed),
        floor_tests(
            encoder, predictions[TIME_COURSE], recorded, named,
            groups=groups, sessions=sites.session,
        ),
        rows.add_chance(NOISE, noise, encoder),
    ]  # fmt: skip
    tested += [correct(t, method=settings.correction) for t in asked]
    table = _site_table(data, predictions, recorded, reliable[0], tested[0], settings)
    return EncodingScores(ResultTable.from_rows(rows.rows), table, HypothesisTable.concat(tested))


@torch.inference_mode()
def _noise_predictions(
    encode: Encoder, data: DecodingData, number: int, rng: np.random.Generator
) -> np.ndarray:
    """Activity (V, T, N) predicted from videos of independent uniform pixels."""
    channels, height, width = data.frame_shape
    shape = (channels, data.n_bins, height, width)
    found = []
    for first in range(0, number, 10):
        video = rng.random((min(10, number - first), *shape), dtype=np.float32)
        found.append(encode(torch.from_numpy(video)).cpu().double().numpy())
    return np.concatenate(found)


def _site_table(
    data: DecodingData,
    predictions: dict[str, Prediction],
    recorded: np.ndarray,
    reliable: Reliability,
    tests: HypothesisTable,
    settings: EncodingSettings,
) -> pd.DataFrame:
    """One row per site; see the columns' names for what stands in them."""
    table = data.pool.sites.to_frame()
    flat = recorded.reshape(-1, recorded.shape[2])
    for name, prediction in predictions.items():
        label = name.rpartition("/")[2]
        table[f"{label}_r_single_trial"] = prediction.site_r
        average = prediction.average.reshape(flat.shape)
        table[f"{label}_r_trial_average"] = correlate(average, flat)
    table["reliability_single_trial"] = reliable.single
    table["reliability_trial_average"] = reliable.average
    table["reliability_p"] = tests.frame["p"].to_numpy()
    table["reliability_p_corrected"] = tests.frame["p_corrected"].to_numpy()
    trusted = (table["reliability_p_corrected"] < settings.alpha).to_numpy()
    with np.errstate(invalid="ignore"):
        for kind in ("single", "average"):
            value = np.where(trusted, getattr(reliable, kind), np.nan)
            suffix = "single_trial" if kind == "single" else "trial_average"
            table[f"noise_ceiling_{suffix}"] = np.sqrt(value)
            square = signed_square(table[f"encoder_r_{suffix}"].to_numpy())
            table[f"explainable_share_{suffix}"] = square / value
    for band in usable(settings.bands, data):
        average = predictions[ENCODER].average
        table[f"band_r2 {band.name}"] = band_r2(average, recorded, band, bin_s=data.pool.bin_s)
    return table


def usable(bands: Sequence[Band], data: DecodingData) -> list[Band]:
    """Bands that the step and the length of the trials allow."""
    step, n_bins = data.pool.bin_s, data.n_bins
    return [b for b in bands if b.refusal(bin_s=step, n_bins=n_bins) is None]
