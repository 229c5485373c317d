"""A long film cut into stretches of equal length, each a condition of its own."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from mua_decode.data.split_plan import SplitPlan
from mua_decode.data.videos import FramePlan, one_frame_at
from mua_decode.data.windows import Window, bins_of, window_session
from mua_decode.types import InputError, Recording, Segment, Session, StimulusSet

_TOLERANCE = 1e-6


@dataclass(frozen=True, kw_only=True)
class Cut:
    """How a film is cut.

    Parameters
    ----------
    length_s
        Length of a stretch in seconds, a whole number of bins.
    step_s
        From the start of one stretch to the next; less than ``length_s`` where they overlap.
        ``None``: ``length_s``, so that they tile the film.
    """

    length_s: float
    step_s: float | None = None

    def __post_init__(self) -> None:
        for name in ("length_s", "step_s"):
            seconds = getattr(self, name)
            if seconds is not None and not 0 < seconds < np.inf:
                raise InputError(f"data.cut.{name}: expected seconds above 0, found {seconds}")

    def starts(self, n_bins: int, bin_s: float) -> tuple[np.ndarray, int]:
        """First bin of every stretch, int (S,), and the number of bins of each.

        Raises InputError if a length is no whole number of bins, or the film too short.
        """
        step_s = self.length_s if self.step_s is None else self.step_s
        length, step = (_whole(s, bin_s) for s in (self.length_s, step_s))
        if 2 * length > n_bins:
            raise InputError(
                f"data.cut.length_s={self.length_s:g}: a film of {n_bins * bin_s:g} s is not cut "
                "into two such stretches; make it shorter"
            )
        return np.arange(0, n_bins - length + 1, step), length


def cut_up(
    recording: Recording,
    split: SplitPlan,
    *,
    cut: Cut | None,
    window: Window | None,
    plan: FramePlan,
) -> tuple[Recording, SplitPlan, Window | None, FramePlan | None]:
    """Cut a recording where it is to be, with a guard for its split; else all stays as it is.

    What was cut is counted and paired with frames, so that neither a window nor a plan of frames
    is left to apply.
    """
    if cut is None:
        return recording, split, window, plan
    found = cut_film(recording, cut, window, plan)
    guard_s = float(found.sessions[0].window_s or 0) + abs(plan.lag_s)
    return found, split.guarded(guard_s), None, None


def cut_film(recording: Recording, cut: Cut, window: Window | None, shown: FramePlan) -> Recording:
    """Cut what was shown and recorded into stretches, after counting and pairing with frames.

    Windows slide, frames are resampled and the lag is taken on the whole film, so that no stretch
    has an edge that the film lacks. Every stretch of every condition becomes a condition, with
    columns ``film`` (the name of the condition it was cut from), ``start_s`` and ``stop_s``
    (seconds of the trial from the start of its first window to the end of its last). Stretches of
    one trial keep its presentation. Spikes are counts in the bins of ``window`` then, and every
    bin has its frame.

    Raises InputError if windows, frames, or stretches do not fit.
    """
    n_bins, bin_s, _ = _bins(recording, window)
    starts, length = cut.starts(n_bins, bin_s)
    bins_of_stretch = starts[:, None] + np.arange(length)
    sessions = tuple(
        _cut_session(session, window, bins_of_stretch) for session in recording.sessions
    )
    stimuli, notes = _cut_videos(recording, cut, window, shown)
    notes = [
        f"the film is cut into {len(starts)} stretches of {length * bin_s:g} s "
        f"({length} bins), each a condition",
        *notes,
    ]
    return replace(
        recording,
        sessions=sessions,
        stimuli=stimuli,
        notes=(*recording.notes, *notes),
    )


def cut_videos(
    recording: Recording, cut: Cut, window: Window | None, shown: FramePlan
) -> StimulusSet:
    """Return the stimuli of :func:`cut_film` without the spikes; errors as there."""
    return _cut_videos(recording, cut, window, shown)[0]


def _cut_videos(
    recording: Recording, cut: Cut, window: Window | None, shown: FramePlan
) -> tuple[StimulusSet, list[str]]:
    n_bins, bin_s, window_s = _bins(recording, window)
    starts, length = cut.starts(n_bins, bin_s)
    stimuli, notes = one_frame_at(
        recording.stimuli, shown, n_bins=n_bins, bin_s=bin_s, window_s=window_s
    )
    first_s = starts * bin_s
    last_s = first_s + (length - 1) * bin_s + window_s
    bins = starts[:, None] + np.arange(length)
    return _cut_stimuli(stimuli, bins, bin_s, first_s, last_s), notes


def _bins(recording: Recording, window: Window | None) -> tuple[int, float, float]:
    """Bins of a trial, their step and their width, the same in every session."""
    bins = {s.name: bins_of(s, window) for s in recording.sessions}
    if len(set(bins.values())) > 1:
        raise InputError(f"sessions differ in (bins, step, window): {bins}")
    return next(iter(bins.values()))


def shift_responses(recording: Recording, shift_s: float) -> Recording:
    """Turn the responses round the film: what was recorded at time t now stands at t + shift.

    Every trial is a ring; spikes are moved past its end to its beginning, so that rates, bursts
    and correlations between sites stay and only their place in the film is lost. Recorded bins
    are moved by the nearest whole number of them.
    """
    return replace(recording, sessions=tuple(_shifted(s, shift_s) for s in recording.sessions))


def _shifted(session: Session, shift_s: float) -> Session:
    spikes = session.spike_times
    if spikes is not None:
        time_s = np.mod(spikes.time_s + shift_s, spikes.duration_s)
        return replace(session, spike_times=replace(spikes, time_s=time_s))
    assert session.counts is not None
    assert session.bin_s is not None
    return replace(session, counts=np.roll(session.counts, round(shift_s / session.bin_s), axis=1))


def _cut_session(session: Session, window: Window | None, bins: np.ndarray) -> Session:
    """Session whose trials are (trial, stretch) in that order; ``bins`` is int (S, L)."""
    counted = window_session(session, window)
    counts, n = counted.counts, len(bins)
    if not counted.observed.all():
        counts = np.where(counted.observed[:, None], counts, np.float32(np.nan))
    cut = counts[:, bins].reshape(-1, bins.shape[1], counts.shape[2])
    trials = session.trials.loc[session.trials.index.repeat(n)].reset_index(drop=True)
    stretch = np.tile(np.arange(n), session.n_trials)
    return replace(
        session,
        counts=cut,
        spike_times=None,
        trials=trials.assign(condition=trials["condition"].astype(int) * n + stretch),
        bin_s=counted.bin_s,
        window_s=counted.window_s,
    )


def _cut_stimuli(
    stimuli: StimulusSet, bins: np.ndarray, bin_s: float, start_s: np.ndarray, stop_s: np.ndarray
) -> StimulusSet:
    n, length = bins.shape
    table = stimuli.conditions.loc[stimuli.conditions.index.repeat(n)].reset_index(drop=True)
    table = table.assign(
        film=table["name"],
        start_s=np.tile(start_s, stimuli.n_conditions),
        stop_s=np.tile(stop_s, stimuli.n_conditions),
    )
    names = [f"{f} {s:.6g} s" for f, s in zip(table["film"], table["start_s"], strict=True)]
    return StimulusSet(
        videos=np.ascontiguousarray(stimuli.videos[:, bins]).reshape(
            -1, length, *stimuli.videos.shape[2:]
        ),
        condition=(stimuli.condition[:, None] * n + np.arange(n)).ravel(),
        conditions=pd.DataFrame(table).assign(name=names),
        segments=(Segment("film", 0, length),),
        frame_s=bin_s,
    )


def _whole(seconds: float, bin_s: float) -> int:
    bins = round(seconds / bin_s)
    if bins < 1 or abs(bins * bin_s - seconds) > _TOLERANCE:
        raise InputError(
            f"data.cut: {seconds:g} s is not a whole number of bins of {bin_s:g} s; "
            "change data.cut or data.window"
        )
    return bins
