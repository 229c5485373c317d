"""Responses of all sites, bin by bin: means, single trials and their noise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mua_decode.analyses.likelihood.plan import LikelihoodPlan
from mua_decode.data import frame_of_bin, window_session
from mua_decode.data.pooling import build_pool
from mua_decode.types import InputError, Recording, SiteTable, Stream, TrialPool


@dataclass(frozen=True, eq=False)
class Responses:
    """Responses of N sites in T bins to K conditions that all sites were recorded with."""

    condition: np.ndarray  # int (K,): conditions of the recording
    mean: np.ndarray  # float64 (K, T, N), over trials
    # float64 (K, N, T, T): products of two bins' deviations from the mean, summed over trials.
    scatter: np.ndarray
    freedom: np.ndarray  # int (K, N): trials less one, that the sums divide by
    # float64 (K, R, T, N): pseudo-trials, every site a recorded trial of its own.
    trials: np.ndarray
    frame: np.ndarray  # int (T,): frame of the video on screen in each bin
    sites: SiteTable

    @property
    def of(self) -> str:
        """What one response is: a single trial, or an average that was stored."""
        return "single trials" if self.freedom.max() > 0 else "averages over repeats"

    def noise(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Variance of single trials by site (N,) and their correlation over bins (T, T).

        From the conditions ``rows`` alone. Every site of a pseudo-trial comes from a trial of its
        own, so its noise is independent of the other sites'. Zero where trials are averages.
        """
        n, t = self.scatter.shape[1:3]
        total, free = self.scatter[rows].sum(axis=0), self.freedom[rows].sum(axis=0)
        covariance = total / np.maximum(free, 1)[:, None, None]
        variance = np.trace(covariance, axis1=1, axis2=2) / t
        noisy = variance > 0
        if not noisy.any():
            return np.zeros(n), np.eye(t)
        return variance, (covariance[noisy] / variance[noisy, None, None]).mean(axis=0)


def collect(recording: Recording, plan: LikelihoodPlan) -> Responses:
    """Count, take roots, average, and draw pseudo-trials.

    Raises InputError if fewer than four conditions were recorded at all sites, or frames and bins
    do not match.
    """
    pool = build_pool([window_session(s, plan.counting) for s in recording.sessions])
    values = pool.counts.astype(np.float64)
    if plan.root and all(s.measure == "counts" for s in recording.sessions):
        values = np.sqrt(values)
    rng = Stream.PSEUDO_TRIALS.rng(plan.seed)
    k, n = recording.stimuli.n_conditions, len(pool.sites)
    t = pool.n_bins
    mean, trials = np.full((k, t, n), np.nan), np.zeros((k, plan.trials, t, n))
    scatter, freedom = np.zeros((k, n, t, t)), np.zeros((k, n), np.int64)
    for condition, site, rows in _trials_of(pool):
        own = values[rows, site]
        mean[condition, :, site] = own.mean(axis=0)
        away = own - own.mean(axis=0)
        scatter[condition, site] = away.T @ away
        freedom[condition, site] = len(own) - 1
        trials[condition, :, :, site] = own[rng.integers(len(own), size=plan.trials)]
    known = np.isfinite(mean).all(axis=(1, 2))
    if known.sum() < 4:
        raise InputError(
            f"likelihood: {int(known.sum())} conditions were recorded at all sites; need 4 or more"
        )
    if freedom.max() == 0:
        trials = trials[:, :1]  # one average a condition: drawing it again tells nothing new
    frame = frame_of_bin(recording.stimuli, n_bins=t, bin_s=pool.bin_s, window_s=pool.window_s)
    return Responses(
        condition=np.flatnonzero(known),
        mean=mean[known],
        scatter=scatter[known],
        freedom=freedom[known],
        trials=trials[known],
        frame=frame,
        sites=pool.sites,
    )


def _trials_of(pool: TrialPool) -> Iterator[tuple[int, int, np.ndarray]]:
    """Condition, site and rows of the observed trials of the two, where there are any."""
    for site in range(len(pool.sites)):
        seen = np.flatnonzero(pool.observed[:, site])
        order = seen[np.argsort(pool.condition[seen, site], kind="stable")]
        conditions, starts = np.unique(pool.condition[order, site], return_index=True)
        for condition, rows in zip(conditions, np.split(order, starts[1:]), strict=True):
            yield int(condition), site, rows
