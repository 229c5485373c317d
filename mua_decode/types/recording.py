"""What every reader and the simulator return: sessions, stimuli and where they came from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

import mua_decode
from mua_decode.types.checksum import checksum
from mua_decode.types.errors import InputError, nearest_name
from mua_decode.types.names import composed
from mua_decode.types.sites import SiteTable
from mua_decode.types.stimuli import StimulusSet

# Trials column of the part (train, val, test) in which whoever pooled a trial stored it.
STORED_PART = "published_part"
MEASURES = ("counts", "standardised")
# Note of a recording without videos: every reader that puts blank pictures in their place says it,
# and scores of runs on it are told by it.
STAND_IN = (
    "blank pictures stand in for the videos (recording.videos.stand_in): no score of a decoded "
    "video means anything"
)


@dataclass(frozen=True, eq=False)
class SpikeTimes:
    """Spike times of one session, flat, in seconds from the start of the trial.

    Parameters
    ----------
    time_s
        float array (S,), one entry per spike.
    trial, site
        int arrays (S,): the row of the trials table and of the site table.
    duration_s
        Length of every trial in seconds.
    observed
        bool (trials, N): False where a site was not recorded throughout a trial, so that its
        missing spikes are no silence; ``None``: all sites were recorded in all trials.
    """

    time_s: np.ndarray
    trial: np.ndarray
    site: np.ndarray
    duration_s: float
    observed: np.ndarray | None = None

    def __post_init__(self) -> None:
        shapes = {n: getattr(self, n).shape for n in ("time_s", "trial", "site")}
        if len(set(shapes.values())) != 1 or self.time_s.ndim != 1:
            raise InputError(f"spike times: arrays must share one shape (S,), found {shapes}")
        if not np.isfinite(self.time_s).all():
            raise InputError("spike times: NaN or infinite time")
        if self.time_s.size and self.time_s.min() < 0:
            raise InputError(f"spike times: negative time {self.time_s.min():.4g} s")
        for name in ("trial", "site"):
            index = getattr(self, name)
            if index.dtype.kind not in "ui" or (index.size and index.min() < 0):
                raise InputError(f"spike times: {name} must be whole numbers >= 0")
        if not (np.isfinite(self.duration_s) and self.duration_s > 0):
            raise InputError(f"spike times: duration_s must be > 0 s, found {self.duration_s}")
        if self.observed is not None and self.observed.dtype != bool:
            raise InputError(f"spike times: observed must be true or false, found {self.observed}")


@dataclass(frozen=True, eq=False)
class Session:
    """One simultaneous recording of N sites; its name is unique among the sessions.

    Raises InputError, naming the session, the array, what was expected and what was found.

    Parameters
    ----------
    trials
        One row per recorded trial. Column ``condition`` (int) is required. Column
        ``presentation`` (any label; default: the row number) names trials that share recorded
        data: rows with the same label are always put in the same part of a split.
    counts
        Spike counts, shape (trials, bins, N): an unsigned integer type, or float with NaN
        where a site was not recorded. Exactly one of ``counts`` and ``spike_times`` is given.
    spike_times
        Of all sites, instead of counts.
    bin_s
        Time from the start of one bin of ``counts`` to the next, in seconds.
    window_s
        Width of the counting window in seconds; default ``bin_s``. It can be narrower (gaps
        between bins) or wider (overlapping windows).
    measure
        ``"counts"``: ``counts`` holds spike counts. ``"standardised"``: it holds real numbers of
        any sign that were standardised before they reached us; they are used as they are and
        cannot be counted again.
    """

    name: str
    sites: SiteTable
    trials: pd.DataFrame
    counts: np.ndarray | None = None
    spike_times: SpikeTimes | None = None
    bin_s: float | None = None
    window_s: float | None = None
    measure: str = "counts"

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", composed(self.name))
        where = f"session '{self.name}'"
        if (self.counts is None) == (self.spike_times is None):
            raise InputError(f"{where}: give either counts or spike times")
        if self.measure not in MEASURES or (self.spike_times and self.measure != "counts"):
            raise InputError(
                f"{where}: measure must be 'counts', or 'standardised' without spike times, "
                f"found '{self.measure}'"
            )
        if "condition" not in self.trials.columns:
            raise InputError(f"{where}: trials table has no column 'condition'")
        if len(self.trials) == 0:
            raise InputError(f"{where}: no usable trial")
        columns = [str(c) for c in self.trials.columns]
        if len(set(columns)) < len(columns):
            raise InputError(f"{where}: columns of the trials repeat: {columns}")
        condition = pd.to_numeric(self.trials["condition"], errors="coerce").to_numpy(float)
        if not (np.isfinite(condition) & (condition == np.floor(condition))).all():
            raise InputError(f"{where}: trials column 'condition' must hold whole numbers")
        if len(self.sites) == 0 or (self.sites.session != self.name).any():
            raise InputError(
                f"{where}: the site table must list this session's sites, at least one"
            )
        if "presentation" not in self.trials.columns:
            trials = self.trials.assign(presentation=np.arange(len(self.trials)))
            object.__setattr__(self, "trials", trials)
        if self.counts is not None:
            self._check_counts(where, self.counts)
        elif self.spike_times is not None:
            self._check_spike_times(where, self.spike_times)

    def _check_spike_times(self, where: str, st: SpikeTimes) -> None:
        shape = (len(self.trials), len(self.sites))
        if st.observed is not None and st.observed.shape != shape:
            raise InputError(
                f"{where}: observed must be (trials, sites) = {shape}, found {st.observed.shape}"
            )
        if not st.time_s.size:
            return
        if st.trial.max() >= len(self.trials) or st.site.max() >= len(self.sites):
            raise InputError(
                f"{where}: spike times name trial {st.trial.max()} and site {st.site.max()}, "
                f"but there are {len(self.trials)} trials and {len(self.sites)} sites"
            )

    def _check_counts(self, where: str, counts: np.ndarray) -> None:
        if self.window_s is None:
            object.__setattr__(self, "window_s", self.bin_s)
        for name in ("bin_s", "window_s"):
            seconds = getattr(self, name)
            if seconds is None or not (np.isfinite(seconds) and seconds > 0):
                raise InputError(f"{where}: counts need {name} > 0 (seconds), found {seconds}")
        n_bins = counts.shape[1] if counts.ndim == 3 else "bins"
        expected = (len(self.trials), n_bins, len(self.sites))
        if counts.shape != expected:
            raise InputError(
                f"{where}: counts must be (trials, bins, sites) = {expected}, found {counts.shape}"
            )
        if counts.dtype.kind not in "uif":
            raise InputError(f"{where}: counts must be numbers, found {counts.dtype}")
        if counts.dtype.kind != "u" and counts.size:
            low, high = np.nanmin(counts, initial=0), np.nanmax(counts, initial=0)
            if self.measure == "standardised":
                if counts.dtype.kind != "f" or not np.isfinite([low, high]).all():
                    raise InputError(
                        f"{where}: standardised activity must be finite floats or NaN (missing), "
                        f"found {counts.dtype} from {low:g} to {high:g}"
                    )
                return
            if low < 0:
                raise InputError(f"{where}: counts must be >= 0, found {low:g}")
            if not high < 2**31:
                raise InputError(f"{where}: counts must be < 2^31 or NaN (missing), found {high:g}")

    @property
    def n_trials(self) -> int:
        """Number of recorded trials."""
        return len(self.trials)

    @property
    def condition(self) -> np.ndarray:
        """Condition of every trial, int array (trials,)."""
        return self.trials["condition"].to_numpy(dtype=np.int64)


@dataclass(frozen=True, eq=False)
class Recording:
    """A set of sessions, at least one, recorded with one stimulus set.

    Parameters
    ----------
    provenance
        Source files with checksums, reader, licence text; free form, shown by ``inspect``.
    truth
        What a simulator planted, one DataFrame per table; empty for real recordings.
    notes
        Problems found while reading, one line each, with numbers.
    """

    name: str
    sessions: tuple[Session, ...]
    stimuli: StimulusSet
    provenance: Mapping[str, Any] = field(default_factory=dict)
    truth: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.sessions:
            raise InputError(f"recording '{self.name}': no session")
        names = [s.name for s in self.sessions]
        if len(set(names)) != len(names):
            raise InputError(f"recording '{self.name}': session names repeat: {names}")
        SiteTable.concat([s.sites for s in self.sessions])  # site ids are unique over sessions
        for session in self.sessions:
            out = (session.condition < 0) | (session.condition >= self.stimuli.n_conditions)
            if out.any():
                raise InputError(
                    f"session '{session.name}': condition {session.condition[out][0]} has no "
                    f"video; the stimulus set has conditions 0..{self.stimuli.n_conditions - 1}"
                )

    @classmethod
    def from_nwb(cls, path: str | Sequence[str], **options: Any) -> Recording:
        """Read NWB files; options and errors are those of :func:`mua_decode.read_nwb`."""
        return _read("read_nwb", path, options)

    @classmethod
    def from_path(cls, path: str, **options: Any) -> Recording:
        """Read a file or folder of any kind as :func:`mua_decode.read_recording` does."""
        return _read("read_recording", path, options)

    @property
    def stored(self) -> bool:
        """Whether the trials of a session were pooled and divided before they were stored."""
        return any(STORED_PART in s.trials.columns for s in self.sessions)

    @property
    def sites(self) -> SiteTable:
        """All sites of all sessions, in session order."""
        return SiteTable.concat([s.sites for s in self.sessions])

    @cached_property
    def checksum(self) -> str:
        """SHA-256 of what decoding depends on: sessions and stimuli, every value of them.

        Name, provenance, truth and notes do not count: the same content read from another place
        has the same checksum.
        """
        return checksum([self.sessions, self.stimuli])

    def select_sessions(self, names: Sequence[str]) -> Recording:
        """Return the recording restricted to the named sessions."""
        known = {s.name: s for s in self.sessions}
        names = [composed(n) for n in names]
        missing = [n for n in names if n not in known]
        if missing:
            raise InputError(
                f"session '{missing[0]}' is not in recording '{self.name}'"
                f"{nearest_name(missing[0], known)}; found: {', '.join(known)}"
            )
        return replace(self, sessions=tuple(known[n] for n in names))


def _read(reader: str, path: object, options: Mapping[str, Any]) -> Recording:
    # Readers know the types, not the other way round: looked up at the package's front door.
    found: Recording = getattr(mua_decode, reader)(path, **options)
    return found
