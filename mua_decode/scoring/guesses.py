"""Trials in which a metric is undefined, counted as what guessing gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from mua_decode.metrics import Shown, VideoMetric
from mua_decode.scoring.evaluate import not_applicable, segment_scores
from mua_decode.types import ResultTable, StimulusSet

GUESSES: Mapping[str, float] = {"direction_error": 90.0}
"""Value of a metric where the decoded video does not define it: a direction guessed at random is
off by 90 degrees on average."""


def with_guesses(
    value: np.ndarray,
    undefined: np.ndarray | None = None,
    *,
    guess: float | None,
    shown: np.ndarray | None = None,
) -> np.ndarray:
    """Score of every condition, undefined trials counted as guesses where one is named.

    A direction that cannot be measured, say, is off by 90 degrees on average if guessed: leaving
    such trials out would judge a decoder on what it could decode alone.

    Parameters
    ----------
    value
        float, any shape: means over the trials in which the metric is defined, NaN without any.
    undefined
        Share of the trials in which it is not, same shape; ``None``: 1 where ``value`` is NaN.
    guess
        ``None``: the values are returned as they are.
    shown
        bool, broadcast to the shape: whether the metric is defined for the video *shown*. A
        condition in which it is not is NaN: nothing could be decoded right or wrong.
    """
    value = np.asarray(value, float)
    if guess is None or np.isnan(guess):
        return value
    lost = np.isnan(value).astype(float) if undefined is None else np.asarray(undefined, float)
    filled = np.where(lost == 1, 0, value) * (1 - lost) + guess * lost
    return filled if shown is None else np.where(shown, filled, np.nan)


def guessed_turns(undefined: np.ndarray) -> np.ndarray:
    """Angle in degrees by which undefined directions (K,) count as off, 0 where they are defined.

    The guess of ``direction_error`` to either side in turn, so that no side is favoured whatever
    the order of the conditions.
    """
    undefined = np.asarray(undefined, bool)
    side = np.where(np.cumsum(undefined) % 2 == 1, 1.0, -1.0)
    return np.where(undefined, GUESSES["direction_error"] * side, 0.0)


@torch.no_grad()
def defined_for_shown(metric: VideoMetric, videos: Tensor, stimuli: StimulusSet) -> np.ndarray:
    """Whether a metric is defined for the video of every condition itself, bool (K,).

    ``videos`` are float (K, C, T, H, W), the mean video of every condition. False throughout where
    the metric does not apply to the recording.
    """
    if not_applicable(metric, stimuli):
        return np.zeros(len(videos), bool)
    shown = Shown(video=videos, condition=torch.arange(len(videos)), candidates=videos)
    return ~np.isnan(segment_scores(metric, videos, shown, stimuli))


def table_with_guesses(
    table: ResultTable,
    *,
    trials: Mapping[str, int],
    shown: Mapping[str, Sequence[bool] | np.ndarray],
    names: Sequence[str],
    guesses: Mapping[str, float] = GUESSES,
) -> ResultTable:
    """Count undefined trials of a table as guesses, and average over all conditions again.

    Parameters
    ----------
    table
        Scores with a row per condition and one over all; ``n`` counts the trials in which the
        metric is defined.
    trials
        Trials of every condition by its name.
    shown
        Metric to bool (K,), see :func:`defined_for_shown`; conditions without are NaN.
    names
        Of the K conditions.
    guesses
        By metric; other metrics are left as they are.

    Returns
    -------
    The table with the rows of those metrics changed: value, and n, the trials of the condition.
    """
    frame = table.frame.copy()
    touched = frame["metric"].isin([m for m in guesses if m in shown])
    each = touched & (frame["condition"] != "all") & frame["condition"].isin(list(trials))
    rows = frame[each]
    known = {m: dict(zip(names, np.asarray(shown[m], bool), strict=True)) for m in shown}
    pairs = list(zip(rows["metric"], rows["condition"], strict=True))
    total = np.where(rows["trial"] == "trial_average", 1, rows["condition"].map(trials))
    defined = np.array([known[m][c] for m, c in pairs], bool)
    undefined = 1 - rows["n"].to_numpy(float) / total
    value = np.empty(len(rows))
    for metric in rows["metric"].unique():
        at = (rows["metric"] == metric).to_numpy()
        found, guess = rows["value"].to_numpy(float)[at], guesses[metric]
        value[at] = with_guesses(found, undefined[at], guess=guess, shown=defined[at])
    frame.loc[each, "value"] = value
    frame.loc[each, "n"] = np.where(defined, total, 0).astype(int)
    return ResultTable(_averaged_again(frame, touched))


def _averaged_again(frame: pd.DataFrame, touched: pd.Series) -> pd.DataFrame:
    """Set the rows over all conditions to the mean over trials of the rows per condition."""
    keys = [c for c in frame.columns if c not in ("condition", "value", "n")]
    for at in frame.index[touched & (frame["condition"] == "all")]:
        same = (frame[keys] == frame.loc[at, keys]).all(axis=1) & (frame["condition"] != "all")
        value, n = (frame.loc[same, c].to_numpy(float) for c in ("value", "n"))
        n = np.where(np.isnan(value), 0, n)
        mean = float(np.average(np.nan_to_num(value), weights=n)) if n.sum() else float("nan")
        frame.loc[at, ["value", "n"]] = [mean, int(n.sum())]
    return frame.astype({"n": int})
