"""Tests of an encoding model that an onset common to all conditions cannot pass."""

from __future__ import annotations

import numpy as np

from mua_decode.analyses.encode.averages import Averages
from mua_decode.analyses.encode.correlation import correlate, nan_mean, pooled_r, time_r
from mua_decode.analyses.encode.predict import Prediction
from mua_decode.data.independence import group_means, unit_of
from mua_decode.statistics import (
    Units,
    label_permutation,
    mixed_mean,
    paired_t,
    unit_t,
    unpaired_t,
)
from mua_decode.types import HypothesisTable, Question, Stream

_LINKED = "conditions share recorded trials, so that p is too small"


def condition_tests(
    encoder: Prediction, recorded: Averages, *, seed: int, n: int = 9999
) -> HypothesisTable:
    """Permute the conditions of the predicted averages against those of the recorded ones.

    Conditions that share recorded trials change places together.

    Returns
    -------
    One row per region and metric. ``encoding_r``: the correlation of each site over time and
    conditions, averaged over the sites of the region; ``encoding_r_region``: of their average;
    ``encoding_r_region_time``: of their average over time, averaged over conditions.
    """
    units = Units.crossed([(unit_of(recorded.groups), recorded.groups)])
    tests: list[HypothesisTable] = []
    question = "does the prediction fit its own condition better than others?"
    for name, inside in recorded.regions.items():
        x, y = encoder.average[:, :, inside], recorded.values[:, :, inside]
        pair = x.mean(axis=2, keepdims=True), y.mean(axis=2, keepdims=True)
        tables = {
            "encoding_r": _mean_table(_pooled_tables(x, y)),
            "encoding_r_region": _pooled_tables(*pair)[..., 0],
            "encoding_r_region_time": _time_table(*(v[..., 0] for v in pair)),
        }
        for metric, table in tables.items():
            rng = Stream.CONDITION_PERMUTATION.rng(seed)
            tests.append(
                label_permutation(
                    table, rng=rng, question=question, group=name, metric=metric, n=n, units=units
                )
            )
    return HypothesisTable.concat(tests)


def floor_tests(encoder: Prediction, floor: Prediction, recorded: Averages) -> HypothesisTable:
    """Compare the encoder with the mean time course, paired over conditions and over sites.

    Returns
    -------
    Two rows per region, effect = encoder - floor: ``encoding_r_region_time`` over (groups of)
    conditions, of averages over trials, and ``encoding_r`` over sessions; a region of one session
    has no p, since its sites share their trials.
    """
    tests: list[HypothesisTable] = []
    site_r = [pooled_r(p.average, recorded.values) for p in (encoder, floor)]
    question = "does the video predict better than the mean time course of the site?"
    for name, inside in recorded.regions.items():
        region = recorded.values[:, :, inside].mean(axis=2)
        over_time = [time_r(p.average[:, :, inside].mean(axis=2), region) for p in (encoder, floor)]
        kinds = (
            ("encoding_r_region_time", over_time, recorded.groups, unit_of(recorded.groups)),
            ("encoding_r", [r[inside] for r in site_r], recorded.sessions[inside], "sessions"),
        )
        for metric, (ours, theirs), groups, unit in kinds:
            a, b = _paired_means(ours, theirs, groups)
            asked = {"question": question, "group": name, "metric": metric, "n_unit": unit}
            tests.append(paired_t(a, b, **asked))
    return HypothesisTable.concat(tests)


def mixed_floor_tests(
    encoder: Prediction, floor: Prediction, recorded: Averages
) -> HypothesisTable:
    """Compare the encoder with the mean time course over sites, session as a random effect.

    Beside :func:`floor_tests` over sessions, one row per region; the note ends with its p.
    """
    tests: list[HypothesisTable] = []
    better = np.subtract(*(pooled_r(p.average, recorded.values) for p in (encoder, floor)))
    for name, inside in recorded.regions.items():
        asked: Question = {
            "question": "does the video predict better than the mean time course of the site?",
            "group": name,
            "metric": "encoding_r",
        }
        units = Units.crossed([("sessions", recorded.sessions[inside])])
        found = mixed_mean(better[inside], units, **asked).frame
        beside = unit_t(better[inside], units, **asked).frame["p"].iloc[0]
        note = found["note"] + f"; over the means of sessions p {beside:.3g}"
        tests.append(HypothesisTable(found.assign(note=note)))
    return HypothesisTable.concat(tests)


def null_tests(own: np.ndarray, drawn: np.ndarray, recorded: Averages) -> HypothesisTable:
    """Test averages of conditions against predictions for Gaussian videos, as published.

    Two-sided t-test of 64 condition averages against 100 predictions, t(162)
    (doi 10.1038/s42003-025-09486-7). What is compared is our reading: Pearson's r over time, of a
    condition's own prediction with its own average, and of the prediction for a random video with
    the average of every condition, averaged over conditions. A region with an onset passes it.

    Parameters
    ----------
    own
        float (Q, G), r of every condition and region.
    drawn
        float (V, G), r of every random video.

    Returns
    -------
    One row per region; the note says how many of the null are not below the mean of ours.
    """
    tests: list[HypothesisTable] = []
    linked = len(np.unique(recorded.groups)) < len(recorded.groups)
    for g, name in enumerate(recorded.regions):
        found = unpaired_t(
            own[:, g],
            drawn[:, g],
            n_unit="conditions and Gaussian videos",
            question="as published: is the video used at all?",
            group=name,
            metric="encoding_r_region_time",
        ).frame
        known = drawn[np.isfinite(drawn[:, g]), g]
        beyond = int((known >= nan_mean(own[:, g])).sum())
        said = f"{beyond} of {len(known)} null predictions at or above the mean of the conditions"
        note = found["note"] + f"; {said}; r averaged over conditions is our reading"
        tests.append(HypothesisTable(found.assign(note=note + (f"; {_LINKED}" if linked else ""))))
    return HypothesisTable.concat(tests)


def null_r(noise: np.ndarray, recorded: Averages) -> np.ndarray:
    """Correlation (V, G) of predictions (V, T, N) over time, averaged over all conditions."""
    by_region = noise @ recorded.weight
    each = [
        time_r(np.broadcast_to(v, recorded.by_region.shape), recorded.by_region) for v in by_region
    ]
    return np.stack([nan_mean(r) for r in each])


def _paired_means(a: np.ndarray, b: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Means (2, n) of both in every group, over what is known of both."""
    both = np.isfinite(a) & np.isfinite(b)
    return group_means(np.where(both[:, None], np.stack([a, b], axis=1), np.nan), groups).T


def _pooled_tables(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Tables (Q, Q, n) whose mean diagonal is the correlation over time x conditions.

    Means and spreads pooled over conditions are those of every pairing of conditions, so only
    the products differ. NaN for sites whose prediction or recording does not vary.
    """
    # Whether a site varies is decided as for the scores themselves.
    known = np.isfinite(pooled_r(x, y))
    x, y = (v - v.mean(axis=(0, 1)) for v in (x, y))
    scale = np.sqrt((x * x).mean(axis=(0, 1)) * (y * y).mean(axis=(0, 1)))
    products = np.einsum("itn,jtn->ijn", x, y, optimize=True) / x.shape[1]
    return np.asarray(np.where(known, products / np.where(known, scale, 1), np.nan))


def _mean_table(tables: np.ndarray) -> np.ndarray:
    """Mean over the sites (last axis) that are known."""
    known = np.isfinite(tables).all(axis=(0, 1))
    if not known.any():
        return np.full(tables.shape[:2], np.nan)
    return np.asarray(tables[:, :, known].mean(axis=2))


def _time_table(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Correlation over time of predicted (Q, T) with recorded (Q, T), (Q, Q)."""
    pairs = np.broadcast_arrays(x[:, None], y[None])
    return correlate(*(p.transpose(2, 0, 1) for p in pairs))
