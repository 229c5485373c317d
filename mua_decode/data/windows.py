"""Spike times or fine counts -> counts in a sliding window."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mua_decode.types import InputError, Session, SpikeTimes, StimulusSet

_TOLERANCE = 1e-6


@dataclass(frozen=True)
class Window:
    """Sliding counting window.

    Parameters
    ----------
    width_s
        Width in seconds; at least ``step_s``, so that no spike falls between windows.
    step_s
        From the start of one window to the next, in seconds.
    """

    width_s: float
    step_s: float

    def __post_init__(self) -> None:
        for name in ("width_s", "step_s"):
            if not 0 < getattr(self, name) < np.inf:
                raise InputError(f"window: {name} must be > 0 seconds, found {getattr(self, name)}")
        if self.width_s < self.step_s - _TOLERANCE:
            raise InputError(
                f"window: width_s ({self.width_s:g}) must be at least step_s ({self.step_s:g}); "
                "a narrower window would drop spikes between bins"
            )

    def n_bins(self, duration_s: float, where: str) -> int:
        """Number of whole windows in a trial of ``duration_s`` seconds."""
        if self.width_s > duration_s + _TOLERANCE:
            raise InputError(
                f"{where}: window width_s={self.width_s:g} is longer than the trial "
                f"({duration_s:g} s)"
            )
        return int(np.floor((duration_s - self.width_s) / self.step_s + _TOLERANCE)) + 1


@dataclass(frozen=True, eq=False)
class WindowedSession:
    """Counts (trials, T, N) of a session; ``observed`` (trials, N) is False where any is missing.

    Missing counts are 0 in ``counts``. Of a session whose measure is ``standardised`` they are
    real numbers of any sign.
    """

    session: Session
    counts: np.ndarray
    observed: np.ndarray
    bin_s: float
    window_s: float


def window_session(session: Session, window: Window | None) -> WindowedSession:
    """Count spikes of one session in a sliding window.

    Raises InputError if the window does not fit the trial or the recorded bins.

    Parameters
    ----------
    session
        With spike times, or counts in bins that divide the window's width and step.
    window
        ``None`` takes recorded counts as they are.
    """
    if session.spike_times is not None:
        n_bins, _, _ = bins_of(session, window)
        assert window is not None
        counts = _count_spikes(session.spike_times, session, window, n_bins)
        observed = session.spike_times.observed
        if observed is None:
            observed = np.ones((session.n_trials, len(session.sites)), bool)
        return WindowedSession(session, _smallest(counts), observed, window.step_s, window.width_s)
    assert session.counts is not None
    assert session.bin_s is not None
    assert session.window_s is not None
    n_bins, _, _ = bins_of(session, window)
    counts, bin_s, window_s = session.counts, session.bin_s, session.window_s
    missing = np.isnan(counts).any(axis=1) if counts.dtype.kind == "f" else None
    observed = np.ones(counts.shape[::2], bool) if missing is None else ~missing
    if missing is not None and missing.any():
        counts = np.where(missing[:, None, :], 0, counts)
    if session.measure == "standardised":
        return WindowedSession(session, counts.astype(np.float32), observed, bin_s, window_s)
    if window is None:
        return WindowedSession(session, _smallest(counts), observed, bin_s, window_s)
    width, step = (round(seconds / bin_s) for seconds in (window.width_s, window.step_s))
    starts = np.arange(n_bins) * step
    dtype = np.float64 if counts.dtype.kind == "f" else np.uint32
    wide = np.zeros((counts.shape[0], counts.shape[1] + 1, counts.shape[2]), dtype)
    np.cumsum(counts, axis=1, out=wide[:, 1:])
    windowed = wide[:, starts + width] - wide[:, starts]
    return WindowedSession(session, _smallest(windowed), observed, window.step_s, window.width_s)


def bins_of(session: Session, window: Window | None) -> tuple[int, float, float]:
    """Number of bins of a session in a window, their step and their width in seconds.

    Raises InputError if the window does not fit the trial or the recorded bins.
    """
    where = f"session '{session.name}'"
    if session.spike_times is not None:
        if window is None:
            raise InputError(f"{where}: spike times need data.window.width_s and step_s (seconds)")
        duration_s = session.spike_times.duration_s
        return window.n_bins(duration_s, where), window.step_s, window.width_s
    assert session.counts is not None
    assert session.bin_s is not None
    assert session.window_s is not None
    bin_s, window_s, n_bins = session.bin_s, session.window_s, session.counts.shape[1]
    if window is None:
        return n_bins, bin_s, window_s
    if session.measure == "standardised":
        raise InputError(
            f"{where}: activity was standardised before it was stored and cannot be counted "
            "again; set data.window=null"
        )
    if abs(window_s - bin_s) > _TOLERANCE:
        raise InputError(
            f"{where}: counts were recorded in {window_s:g} s windows every "
            f"{bin_s:g} s and cannot be counted again; set data.window=null"
        )
    for name in ("width_s", "step_s"):
        _whole_bins(getattr(window, name), bin_s, where, name)
    return window.n_bins(n_bins * bin_s, where), window.step_s, window.width_s


def frame_of_bin(
    stimuli: StimulusSet, *, n_bins: int, bin_s: float, window_s: float, lag_s: float = 0.0
) -> np.ndarray:
    """Index of the frame on screen ``lag_s`` before the centre of every bin, int (T,).

    The first frame stands for what was shown before it, the last for what came behind. Raises
    InputError if trials and videos differ in length by more than a frame and a window, or the lag
    is as long as they are.
    """
    centre_s = np.arange(n_bins) * bin_s + window_s / 2
    frame = np.floor(centre_s / stimuli.frame_s + _TOLERANCE).astype(int)
    video_s = stimuli.n_frames * stimuli.frame_s
    trial_s = (n_bins - 1) * bin_s + window_s
    slack_s = stimuli.frame_s + max(window_s, bin_s) - _TOLERANCE
    if frame[-1] >= stimuli.n_frames or video_s - trial_s >= slack_s:
        raise InputError(
            f"frames do not match the bins: {n_bins} bins of {bin_s:g} s (window {window_s:g} s) "
            f"span {trial_s:g} s, but the videos have {stimuli.n_frames} frames of "
            f"{stimuli.frame_s:g} s = {video_s:g} s; trials as long as the videos would fit "
            f"(recording.duration_s={video_s:g}, where a reader has it)"
        )
    if not lag_s:
        return frame
    if abs(lag_s) >= video_s:
        raise InputError(f"data.lag_s={lag_s:g}: the videos last {video_s:g} s")
    shifted = np.floor((centre_s - lag_s) / stimuli.frame_s + _TOLERANCE).astype(int)
    return np.clip(shifted, 0, stimuli.n_frames - 1)


def _whole_bins(seconds: float, bin_s: float, where: str, name: str) -> None:
    bins = round(seconds / bin_s)
    if bins < 1 or abs(bins * bin_s - seconds) > _TOLERANCE:
        raise InputError(
            f"{where}: window {name}={seconds:g} is not a whole number of recorded bins "
            f"({bin_s:g} s)"
        )


def _count_spikes(spikes: SpikeTimes, session: Session, window: Window, n_bins: int) -> np.ndarray:
    shape = (session.n_trials, n_bins, len(session.sites))
    counts = np.zeros(shape, np.uint32)
    # A spike lies in every window that starts at most width_s before it.
    last = np.floor(spikes.time_s / window.step_s + _TOLERANCE).astype(int)
    for back in range(int(np.ceil(window.width_s / window.step_s - _TOLERANCE))):
        start = last - back
        inside = (start >= 0) & (start < n_bins)
        inside &= spikes.time_s < start * window.step_s + window.width_s - _TOLERANCE / 1e3
        np.add.at(counts, (spikes.trial[inside], start[inside], spikes.site[inside]), 1)
    return counts


def _smallest(counts: np.ndarray) -> np.ndarray:
    """Store whole numbers in the smallest unsigned type, others as float32."""
    if counts.dtype.kind == "f" and not np.array_equal(counts, np.round(counts)):
        return counts.astype(np.float32)
    top = counts.max(initial=0)
    return counts.astype(np.min_scalar_type(int(top)))
