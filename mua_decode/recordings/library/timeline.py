"""Trials, conditions and videos of sources that know spikes alone."""

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
        list with one for every session.
    align
        Column with the time of every trial on the recording's clock; ``None``: ``start_s``,
        ``start_time`` or ``time_s``, whichever there is.
    where, condition, offset_s, duration_s, bad_trial, videos, stimuli, match, codes
        As :func:`mua_decode.recordings.read_nwb` has them.
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
                f"recording.trials: expected one table for each of {n} sessions, found {len(listed)}"
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
        condition = self.condition
        chosen = [condition] if isinstance(condition, str) else list(condition or ())
        if not chosen and self.stimuli is None:
            raise InputError(
                f"recording.condition is not set; name the trials columns that make up a condition "
                f"in {where}: {', '.join(columns)}"
            )
        return table, TrialTable(
            condition=chosen,
            align=align,
            stop=next((c for c in _STOPS if c in columns), _STOPS[0]),
            offset_s=float(self.offset_s),
            duration_s=self.duration_s,
            bad_trial=self.bad_trial,
            where=self.where or {},
        )

    def shown(self, parts: Sequence[Part]) -> tuple[StimulusSet, list[np.ndarray], tuple[str, ...]]:
        """Videos, the condition of every trial of each part, and what is to be known of them."""
        if self.stimuli is not None:
            matching = Matching(stimuli=self.stimuli, match=self.match or {}, codes=self.codes)
            return self.stimuli, matching.rows(parts), ()
        source = self.videos or VideoSource()
        condition = self.condition
        columns = [condition] if isinstance(condition, str) else list(condition or ())
        conditions, rows = make_conditions([p.trials for p in parts], columns)
        stimuli = source.without_recording(conditions, parts[0].duration_s)
        if stimuli is None:
            raise InputError(
                "recording.videos.folder is not set; name the folder with a video per condition, "
                "or recording.videos.stand_in=blank to look at activity alone"
            )
        return stimuli, rows, source.notes
