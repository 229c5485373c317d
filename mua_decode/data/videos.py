"""The videos as a population sees them: one frame per bin, variants dealt out to the parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from mua_decode.data.windows import frame_of_bin
from mua_decode.types import PARTS, Recording, Segment, Split, StimulusSet, Stream, TrialPool


def one_frame_per_bin(stimuli: StimulusSet, pool: TrialPool) -> StimulusSet:
    """Repeat or leave out frames so that every bin has the frame shown at its centre."""
    frame = frame_of_bin(stimuli, n_bins=pool.n_bins, bin_s=pool.bin_s, window_s=pool.window_s)
    if np.array_equal(frame, np.arange(stimuli.n_frames)):
        return stimuli
    segments: list[Segment] = []
    for segment in stimuli.segments:
        inside = np.flatnonzero((frame >= segment.start) & (frame < segment.stop))
        if len(inside):
            segments.append(replace(segment, start=int(inside[0]), stop=int(inside[-1]) + 1))
    return replace(
        stimuli,
        videos=np.ascontiguousarray(stimuli.videos[:, frame]),
        segments=tuple(segments),
        frame_s=pool.bin_s,
    )


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
