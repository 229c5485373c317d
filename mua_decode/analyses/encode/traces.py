"""Recorded and predicted activity of a region in time, and its power by frequency."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import signal

from mua_decode.analyses.encode.averages import Averages
from mua_decode.analyses.encode.correlation import time_r

RULES = ("lowest r", "median r", "highest r")
"""Which conditions are shown of every region, by their correlation over time."""


def typical_traces(
    recorded: Averages, predicted: np.ndarray, *, bin_s: float, window_s: float
) -> pd.DataFrame:
    """Recorded and predicted activity of three conditions per region, chosen by rule.

    The rule: the conditions whose correlation over time is the lowest, the median (the lower of
    two) and the highest of the region; among equals the first. A region without a defined
    correlation has no row.

    Parameters
    ----------
    predicted
        float (Q, T, G): averages over trials and over the sites of each region.

    Returns
    -------
    Columns ``region``, ``rule``, ``condition``, ``r``, ``time_s`` (centre of the window),
    ``recorded`` and ``predicted`` (standard deviations of single sites, averaged over sites).
    """
    r = time_r(predicted, recorded.by_region)
    time_s = np.arange(predicted.shape[1]) * bin_s + window_s / 2
    parts: list[pd.DataFrame] = []
    for g, region in enumerate(recorded.regions):
        known = np.flatnonzero(np.isfinite(r[:, g]))
        order = known[np.argsort(r[known, g], kind="stable")]
        if not len(order):
            continue
        chosen = (order[0], order[(len(order) - 1) // 2], order[-1])
        for rule, k in zip(RULES, chosen, strict=True):
            labels = {"region": region, "rule": rule, "condition": recorded.conditions[k]}
            shown = {"recorded": recorded.by_region[k, :, g], "predicted": predicted[k, :, g]}
            parts.append(pd.DataFrame(labels | {"r": r[k, g], "time_s": time_s} | shown))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def power_spectra(recorded: Averages, predicted: np.ndarray, *, bin_s: float) -> pd.DataFrame:
    """Power of the recorded and the predicted average of every region, mean over conditions.

    One periodogram of a whole trial per condition (Hann window, mean removed), one-sided density.
    Averages of few trials keep noise that no video predicts, so that recorded power may exceed
    the predicted one at every frequency.

    Parameters
    ----------
    predicted
        float (Q, T, G), as for :func:`typical_traces`.

    Returns
    -------
    Columns ``region``, ``frequency_hz`` (above 0, up to 1 / (2 bin_s)), ``recorded`` and
    ``predicted``, in squared standard deviations of single sites per Hz.
    """
    power = {}
    for name, values in (("recorded", recorded.by_region), ("predicted", predicted)):
        frequency, found = signal.periodogram(
            values, fs=1 / bin_s, window="hann", detrend="constant", axis=1
        )
        power[name] = np.nanmean(found, axis=0)[1:]
    return pd.DataFrame(
        {
            "region": np.repeat(list(recorded.regions), len(frequency) - 1),
            "frequency_hz": np.tile(frequency[1:], len(recorded.regions)),
            **{name: values.T.ravel() for name, values in power.items()},
        }
    )
