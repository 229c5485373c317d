"""Tests of an encoding model that an onset common to all conditions cannot pass."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mua_decode.analyses.encode.predict import Prediction, correlate
from mua_decode.data.independence import group_means, unit_of
from mua_decode.statistics import label_permutation, paired_t
from mua_decode.types import HypothesisTable

_LINKED = "conditions share recorded trials, so that p is too small"


def condition_tests(
    encoder: Prediction,
    recorded: np.ndarray,
    regions: Mapping[str, np.ndarray],
    *,
    groups: np.ndarray,
    seed: int,
    n: int = 9999,
) -> HypothesisTable:
    """Permute the conditions of the predicted averages against those of the recorded ones.

    Parameters
    ----------
    encoder
        Its averages over the trials of each of Q conditions, (Q, T, N).
    recorded
        float (Q, T, N): recorded activity averaged over trials.
    regions
        Name -> bool (N,).
    groups
        int (Q,): conditions that share recorded trials; said in the note.
    seed, n
        Of the permutations.

    Returns
    -------
    One row per region and metric. ``encoding_r``: the correlation of each site over time and
    conditions, averaged over the sites of the region; ``encoding_r_region``: of their average;
    ``encoding_r_region_time``: of their average over time, averaged over conditions.
    """
    note = "" if len(np.unique(groups)) == len(groups) else _LINKED
    tests: list[HypothesisTable] = []
    for name, inside in regions.items():
        x, y = encoder.average[:, :, inside], recorded[:, :, inside]
        pair = x.mean(axis=2, keepdims=True), y.mean(axis=2, keepdims=True)
        tables = {
            "encoding_r": _mean_table(_pooled_tables(x, y)),
            "encoding_r_region": _pooled_tables(*pair)[..., 0],
            "encoding_r_region_time": _time_table(*(v[..., 0] for v in pair)),
        }
        for metric, table in tables.items():
            tests.append(
                label_permutation(
                    table,
                    rng=np.random.default_rng([seed, 41]),
                    question="does the prediction fit its own condition better than others?",
                    group=name,
                    metric=metric,
                    n=n,
                    note=note,
                )
            )
    return HypothesisTable.concat(tests)


def floor_tests(
    encoder: Prediction,
    floor: Prediction,
    recorded: np.ndarray,
    regions: Mapping[str, np.ndarray],
    *,
    groups: np.ndarray,
    sessions: np.ndarray,
) -> HypothesisTable:
    """Compare the encoder with the mean time course, paired over conditions and over sites.

    Parameters
    ----------
    encoder, floor
        Averages over the trials of each of Q conditions, (Q, T, N).
    recorded
        float (Q, T, N).
    regions
        Name -> bool (N,).
    groups
        int (Q,): conditions that share recorded trials are averaged first.
    sessions
        Session of every site (N,): correlations are averaged over the sites of a session first,
        which share its trials; sites are the pairs where a region has one session.

    Returns
    -------
    Two rows per region, effect = encoder - floor: ``encoding_r_region_time`` over conditions, of
    averages over trials, and ``encoding_r`` over sessions or sites.
    """
    tests: list[HypothesisTable] = []
    flat = recorded.reshape(-1, recorded.shape[2])
    site_r = [correlate(p.average.reshape(flat.shape), flat) for p in (encoder, floor)]
    question = "does the video predict better than the mean time course of the site?"
    for name, inside in regions.items():
        region = recorded[:, :, inside].mean(axis=2)
        ours, theirs = (
            correlate(p.average[:, :, inside].mean(axis=2).T, region.T) for p in (encoder, floor)
        )
        several = len(np.unique(sessions[inside])) > 1
        cluster = sessions[inside] if several else np.arange(int(inside.sum()))
        kinds = (
            ("encoding_r_region_time", _paired_means(ours, theirs, groups), unit_of(groups)),
            (
                "encoding_r",
                _paired_means(site_r[0][inside], site_r[1][inside], cluster),
                "sessions" if several else "sites of one session",
            ),
        )
        for metric, (left, right), unit in kinds:
            tests.append(
                paired_t(left, right, question=question, group=name, metric=metric, n_unit=unit)
            )
    return HypothesisTable.concat(tests)


def _paired_means(
    a: np.ndarray, b: np.ndarray, groups: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    both = np.isfinite(a) & np.isfinite(b)
    found = group_means(np.where(both[:, None], np.stack([a, b], axis=1), np.nan), groups)
    return found[:, 0], found[:, 1]


def _pooled_tables(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Tables (Q, Q, n) whose mean diagonal is the correlation over time x conditions.

    Means and spreads pooled over conditions are those of every pairing of conditions, so only
    the products differ. NaN for sites whose prediction or recording does not vary.
    """
    q, t, _ = x.shape
    # Whether a site varies is decided as for the scores themselves.
    known = np.isfinite(correlate(x.reshape(q * t, -1), y.reshape(q * t, -1)))
    x, y = (v - v.mean(axis=(0, 1)) for v in (x, y))
    scale = np.sqrt((x * x).mean(axis=(0, 1)) * (y * y).mean(axis=(0, 1)))
    products = np.einsum("itn,jtn->ijn", x, y, optimize=True) / t
    return np.asarray(np.where(known, products / np.where(known, scale, 1), np.nan))


def _mean_table(tables: np.ndarray) -> np.ndarray:
    """Mean over the sites (last axis) that are known."""
    known = np.isfinite(tables).all(axis=(0, 1))
    if not known.any():
        return np.full(tables.shape[:2], np.nan)
    return np.asarray(tables[:, :, known].mean(axis=2))


def _time_table(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Correlation over time of predicted (Q, T) with recorded (Q, T), (Q, Q)."""
    q, t = x.shape
    left = np.broadcast_to(x[:, None], (q, q, t)).transpose(2, 0, 1)
    right = np.broadcast_to(y[None], (q, q, t)).transpose(2, 0, 1)
    return correlate(left, right)
