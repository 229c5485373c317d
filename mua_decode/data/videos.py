"""The videos as a population sees them: one frame per bin, variants dealt out to the parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mua_decode.data.windows import Window, bins_of, frame_of_bin
from mua_decode.types import (
    PARTS,
    InputError,
    Recording,
    Segment,
    Split,
    StimulusSet,
    Stream,
    TrialPool,
)

FRAMES = ("nearest", "mean", "linear")


@dataclass(frozen=True, kw_only=True)
class FramePlan:
    """Which frame a bin is paired with.

    Parameters
    ----------
    frames
        ``nearest``: the frame on screen at the bin's centre. ``mean``: the mean of the frames on
        screen during the bin's window, each as long as it was. ``linear``: between the two frames
        whose middles lie around the bin's centre.
    lag_s
        Seconds by which spikes follow the frames: a bin is paired with what was shown so long
        before it. Bins before the first frame, or behind the last, have that frame.
    """

    frames: str = "nearest"
    lag_s: float = 0.0

    def __post_init__(self) -> None:
        if self.frames not in FRAMES:
            raise InputError(f"data.frames: choose from {', '.join(FRAMES)}, found {self.frames}")
        if isinstance(self.lag_s, bool) or not np.isfinite(self.lag_s):
            raise InputError(f"data.lag_s: expected seconds, found {self.lag_s}")


def one_frame_per_bin(
    stimuli: StimulusSet, pool: TrialPool, plan: FramePlan | None
) -> tuple[StimulusSet, list[str]]:
    """Give every bin its frame, as ``plan`` says; and notes of what is not shown as it was.

    Without a plan every bin has its frame already.

    Raises InputError if trials and videos differ in length, or the lag is as long as they are.
    """
    if plan is None:
        return stimuli, []
    return one_frame_at(stimuli, plan, n_bins=pool.n_bins, bin_s=pool.bin_s, window_s=pool.window_s)


def one_frame_at(
    stimuli: StimulusSet, plan: FramePlan, *, n_bins: int, bin_s: float, window_s: float
) -> tuple[StimulusSet, list[str]]:
    """As :func:`one_frame_per_bin`, for ``n_bins`` windows of ``window_s``, every ``bin_s``."""
    bins: dict[str, Any] = {"n_bins": n_bins, "bin_s": bin_s, "window_s": window_s}
    frame = frame_of_bin(stimuli, **bins, lag_s=plan.lag_s)
    notes = resampling_notes(stimuli, frame, plan, **bins)
    as_it_is = np.array_equal(frame, np.arange(stimuli.n_frames))
    if as_it_is and (plan.frames == "nearest" or stimuli.n_frames == 1):
        return stimuli, notes
    weights = _frame_weights(stimuli, plan, **bins)
    segments: list[Segment] = []
    for segment in stimuli.segments:
        inside = np.flatnonzero((frame >= segment.start) & (frame < segment.stop))
        if len(inside):
            segments.append(replace(segment, start=int(inside[0]), stop=int(inside[-1]) + 1))
    videos = stimuli.videos[:, frame] if weights is None else _mixed(stimuli.videos, weights)
    resampled = replace(
        stimuli,
        videos=np.ascontiguousarray(videos),
        segments=tuple(segments),
        frame_s=bin_s,
    )
    return resampled, notes


def pairing(recording: Recording, window: Window | None, plan: FramePlan) -> list[str]:
    """Say, before anything is counted, what :func:`one_frame_per_bin` will say of a recording.

    Raises InputError as it would, or where the window does not fit.
    """
    notes: list[str] = []
    for session in recording.sessions:
        n_bins, bin_s, window_s = bins_of(session, window)
        bins: dict[str, Any] = {"n_bins": n_bins, "bin_s": bin_s, "window_s": window_s}
        frame = frame_of_bin(recording.stimuli, **bins, lag_s=plan.lag_s)
        notes += resampling_notes(recording.stimuli, frame, plan, **bins)
    return list(dict.fromkeys(notes))


def resampling_notes(
    stimuli: StimulusSet,
    frame: np.ndarray,
    plan: FramePlan,
    *,
    n_bins: int,
    bin_s: float,
    window_s: float,
) -> list[str]:
    """Say which frames no bin shows, or several do, and what the lag leaves without a frame.

    ``frame`` is that at the centre of every bin, int (T,), as :func:`frame_of_bin` has it.
    """
    notes = []
    within = np.arange(frame[0], frame[-1] + 1)
    dropped = len(np.setdiff1d(within, frame))
    seconds = f"frames of {stimuli.frame_s:g} s, bins of {bin_s:g} s"
    if plan.frames == "mean":
        if dropped or not np.array_equal(frame, np.arange(n_bins)):
            notes.append(f"every bin is paired with the mean of its frames ({seconds})")
    elif dropped:
        notes.append(
            f"{dropped} of {stimuli.n_frames} frames are dropped ({seconds}, "
            f"data.frames={plan.frames}); data.frames=mean averages them"
        )
    centre_s = np.arange(n_bins) * bin_s + window_s / 2 - plan.lag_s
    video_s = stimuli.n_frames * stimuli.frame_s
    early, late = int((centre_s < -1e-6).sum()), int((centre_s >= video_s - 1e-6).sum())
    if plan.lag_s and (early or late):
        which = f"{early} bins before the first frame" if early else f"{late} bins behind the last"
        notes.append(f"data.lag_s={plan.lag_s:g}: {which} of {n_bins} are paired with it")
    return notes


def _frame_weights(
    stimuli: StimulusSet, plan: FramePlan, *, n_bins: int, bin_s: float, window_s: float
) -> np.ndarray | None:
    """Share of every frame in every bin, (T, frames); ``None``: one frame each."""
    n, step = stimuli.n_frames, stimuli.frame_s
    if plan.frames == "nearest":
        return None
    start = np.arange(n_bins) * bin_s - plan.lag_s
    if plan.frames == "linear":
        place = np.clip((start + window_s / 2) / step - 0.5, 0, n - 1)
        return np.asarray(np.clip(1 - np.abs(place[:, None] - np.arange(n)), 0, None))
    # The first and the last frame stand for what was shown before and behind them.
    edges = np.arange(n + 1) * step
    edges[0], edges[-1] = -np.inf, np.inf
    low = np.maximum(edges[:-1], start[:, None])
    high = np.minimum(edges[1:], start[:, None] + window_s)
    return np.asarray(np.clip(high - low, 0, None) / window_s)


def _mixed(videos: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Videos (V, frames, C, H, W) as uint8 (V, T, C, H, W), one at a time."""
    out = np.empty((len(videos), len(weights), *videos.shape[2:]), np.uint8)
    for k, video in enumerate(videos):
        mixed = np.tensordot(weights.astype(np.float32), video.astype(np.float32), axes=1)
        out[k] = np.rint(np.clip(mixed, 0, 255))
    return out


def share_variants(
    stimuli: StimulusSet, shares: Mapping[str, float] | None, *, seed: int
) -> dict[str, np.ndarray]:
    """Give each part its own video variants where a condition has enough of them.

    With fewer than 10 variants, or without ``shares``, all parts share all videos.
    """
    counts = np.bincount(stimuli.condition, minlength=stimuli.n_conditions)
    if counts.min() < 10 or shares is None:
        return {part: np.arange(len(stimuli.videos)) for part in PARTS}
    rng = Stream.VIDEO_VARIANTS.rng(seed)
    parts: dict[str, list[np.ndarray]] = {part: [] for part in PARTS}
    for k in range(stimuli.n_conditions):
        shuffled = rng.permutation(stimuli.variants(k))
        n_test = max(1, round(shares["test"] * len(shuffled)))
        n_val = max(1, round(shares["val"] * len(shuffled)))
        parts["test"].append(shuffled[:n_test])
        parts["val"].append(shuffled[n_test : n_test + n_val])
        parts["train"].append(shuffled[n_test + n_val :])
    return {part: np.sort(np.concatenate(v)) for part, v in parts.items()}


def draw_variants(
    stimuli: StimulusSet, videos: np.ndarray, condition: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Draw one of the given videos for each condition (P,), with replacement; int (P,)."""
    if not len(condition):
        return condition
    of = stimuli.condition[videos]
    sizes = np.bincount(of, minlength=stimuli.n_conditions)
    first = np.cumsum(sizes) - sizes
    by_condition = videos[np.argsort(of, kind="stable")]
    return np.asarray(by_condition[first[condition] + rng.integers(0, sizes[condition])])


def videos_shown(recording: Recording) -> dict[str, np.ndarray] | None:
    """Number of the video of every trial, int (trials,) by session; ``None`` where not recorded.

    Trials have it in their column ``video``: an index into the videos of the stimulus set, which
    has to be one of the trial's own condition.
    """
    found: dict[str, np.ndarray] = {}
    of = recording.stimuli.condition
    for session in recording.sessions:
        if "video" not in session.trials.columns:
            return None
        video = session.trials["video"].to_numpy()
        known = video.dtype.kind in "iu" and video.min() >= 0 and video.max() < len(of)
        if not known or (of[video] != session.condition).any():
            return None
        found[session.name] = video.astype(np.int64)
    return found


def videos_of_parts(
    stimuli: StimulusSet, shown: Mapping[str, np.ndarray], split: Split
) -> dict[str, np.ndarray]:
    """Videos that the trials of each part were shown; all of a condition without a trial there."""
    parts: dict[str, np.ndarray] = {}
    for part in PARTS:
        seen = np.zeros(len(stimuli.videos), bool)
        for session, rows in split.trials[part].items():
            seen[shown[session][rows]] = True
        absent = np.setdiff1d(np.arange(stimuli.n_conditions), stimuli.condition[seen])
        parts[part] = np.flatnonzero(seen | np.isin(stimuli.condition, absent))
    return parts
