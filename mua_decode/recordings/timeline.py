"""Where the trials, conditions and videos of a source of spikes come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mua_decode.recordings.aligned import Matching, Part, TrialTable
from mua_decode.recordings.conditions import make_conditions
from mua_decode.recordings.files import load_csv
from mua_decode.recordings.videos import VideoSource
from mua_decode.types import InputError, StimulusSet, nearest_name

_STARTS = ("start_s", "start_time", "time_s")
_STOPS = ("stop_s", "stop_time")


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """Where trials, conditions and videos come from.

    Parameters
    ----------
    trials
        CSV file with a row per trial, the name of a table in the source itself (``events``), or a
        list with one for every session. In NWB files: name or wildcard pattern of the table of
        intervals that are trials, or several, which are joined.
    where
        Column of that table -> value, or values, of the rows that are trials; ``None``: all are.
    condition
        Columns of the trials; every distinct combination of their values is a condition. An empty
        list: all trials show the same.
    align, offset_s, duration_s
        A trial runs from ``offset_s`` after the time in column ``align`` for ``duration_s``
        seconds; ``None``: ``start_s``, ``start_time`` or ``time_s``, whichever there is, and until
        the earliest ``stop_s`` or ``stop_time``. Trials in which ``align`` or a condition column is
        empty are left out, with a note.
    bad_trial
        Column that is true in trials to leave out.
    videos
        Where the videos are and how frames are kept; default: in the source, as they are.
    stimuli, match, codes
        Instead of videos: a stimulus set, and which trials column says what; see
        :func:`mua_decode.recordings.conditions.match_conditions`.
    """

    trials: str | Sequence[str] | None = None
    where: Mapping[str, Any] | None = None
    condition: Sequence[str] | str | None = None
    align: str | None = None
    offset_s: float = 0.0
    duration_s: float | None = None
    bad_trial: str | None = None
    videos: VideoSource | None = None
    stimuli: StimulusSet | None = None
    match: Mapping[str, str] | None = None
    codes: Mapping[str, Mapping[object, object]] | None = None

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Timeline:
        """Take options by name; an InputError names one that does not exist."""
        known = [f.name for f in fields(cls)]
        for name in options:
            if name not in known:
                raise InputError(f"recording.{name}: no such option{nearest_name(name, known)}")
        return cls(**options)

    def sources(self, n: int) -> list[str | None]:
        """What ``trials`` says of each of ``n`` sessions."""
        given = self.trials
        if given is None or (isinstance(given, str) and (n == 1 or not given.endswith(".csv"))):
            return [given] * n
        listed = [given] if isinstance(given, str) else list(given)
        if len(listed) != n:
            raise InputError(
                f"recording.trials: expected a table for each of {n} sessions, found {len(listed)}"
            )
        return [str(name) for name in listed]

    def trials_of(
        self, name: str | None, tables: Mapping[str, pd.DataFrame], where: str
    ) -> tuple[pd.DataFrame, TrialTable]:
        """Return the table that ``name`` says, and which of its rows and columns are trials."""
        known = ", ".join(f"{n} ({len(t)})" for n, t in tables.items()) or "none"
        if name is None:
            raise InputError(
                f"{where}: recording.trials is not set; give a CSV file with a row per trial, or a "
                f"table of the source: {known}"
            )
        if name.endswith(".csv"):
            path = Path(name).expanduser()
            if not path.is_file():
                raise InputError(f"recording.trials: no such file: {path}")
            table = load_csv(path)
        elif name in tables:
            table = tables[name]
        else:
            raise InputError(
                f"{where}: has no table '{name}'{nearest_name(name, tables)}; found: {known}; or "
                "recording.trials=FILE.csv"
            )
        columns = list(map(str, table.columns))
        align = self.align or next((c for c in _STARTS if c in columns), None)
        if align is None:
            raise InputError(
                f"{where}: no column of the trials is called {', '.join(_STARTS)}; set "
                f"recording.align; found: {', '.join(columns)}"
            )
        if self.condition is None and self.stimuli is None:
            raise InputError(
                f"recording.condition is not set; name the trials columns that make up a condition "
                f"in {where}: {', '.join(columns)}; or [] where all trials show the same"
            )
        stop = next((c for c in _STOPS if c in columns), _STOPS[0])
        return table, self.table(align=align, stop=stop)

    @property
    def columns(self) -> list[str]:
        """Columns that make up a condition."""
        given = self.condition
        return [given] if isinstance(given, str) else list(given or ())

    def table(self, *, align: str, stop: str) -> TrialTable:
        """Which rows are trials, and when, by columns with their start and their end."""
        return TrialTable(
            condition=self.columns,
            align=align,
            stop=stop,
            offset_s=float(self.offset_s),
            duration_s=self.duration_s,
            bad_trial=self.bad_trial,
            where=self.where or {},
        )

    def matched(self, parts: Sequence[Part]) -> list[np.ndarray] | None:
        """Condition of every trial of each part in ``stimuli``; ``None`` without any."""
        if self.stimuli is None:
            return None
        return Matching(stimuli=self.stimuli, match=self.match or {}, codes=self.codes).rows(parts)

    def shown(self, parts: Sequence[Part]) -> tuple[StimulusSet, list[np.ndarray], tuple[str, ...]]:
        """Videos, the condition of every trial of each part, and what is to be known of them."""
        if self.stimuli is not None:
            return self.stimuli, self.matched(parts) or [], ()
        source = self.videos or VideoSource()
        conditions, rows = make_conditions([p.trials for p in parts], self.columns)
        stimuli = source.without_recording(conditions, parts[0].duration_s)
        if stimuli is None:
            raise InputError(
                "recording.videos.folder is not set; name the folder with a video per condition, "
                "or recording.videos.stand_in=blank to look at activity alone"
            )
        return stimuli, rows, source.notes
