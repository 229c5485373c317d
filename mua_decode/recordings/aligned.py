"""From trials on a session's clock, with the spikes in each, to a recording.

What every reader of spike times shares: where a trial begins and ends, what its condition is, and
which video was shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from mua_decode.recordings.conditions import (
    chosen_rows,
    flags,
    match_conditions,
    require_columns,
    usable_trials,
)
from mua_decode.recordings.files import named
from mua_decode.types import InputError, Session, StimulusSet


@dataclass(frozen=True, kw_only=True)
class TrialTable:
    """Which rows of a table are trials, and which stretch of the clock each of them is.

    Parameters
    ----------
    condition
        Columns whose distinct combinations are the conditions; none: they are not known yet.
    align, offset_s, duration_s
        A trial runs from ``offset_s`` after the time in column ``align`` for ``duration_s``
        seconds; ``None``: until the earliest time in column ``stop``.
    bad_trial
        Column that is true in rows to leave out.
    where
        Column -> the value, or list of values, of the rows that are kept; all others are no trials.
    """

    condition: Sequence[str] = ()
    align: str = "start_time"
    stop: str = "stop_time"
    offset_s: float = 0.0
    duration_s: float | None = None
    bad_trial: str | None = None
    where: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not np.isfinite(self.offset_s):
            raise InputError(f"recording.offset_s: expected seconds, found {self.offset_s}")
        if self.duration_s is not None and not 0 < self.duration_s < np.inf:
            raise InputError(f"recording.duration_s: expected seconds > 0, found {self.duration_s}")

    @property
    def needed(self) -> list[str]:
        """Columns a table must have."""
        bad = [self.bad_trial] if self.bad_trial else []
        return [self.align, *self.condition, *bad, *self.where]

    def usable(self, table: pd.DataFrame, where: str) -> tuple[pd.DataFrame, list[str]]:
        """Return the trials that can be used, and notes of what was left out.

        Raises InputError naming ``where`` if a column is missing or no trial is left.
        """
        require_columns(table, self.needed, f"{where}, one value per trial")
        if not pd.api.types.is_numeric_dtype(table[self.align]):
            raise InputError(f"{where}: column '{self.align}' must hold seconds")
        kept = chosen_rows(table, self.where, where)
        notes = []
        if len(kept) < len(table):
            shown = ", ".join(f"{k}={v}" for k, v in self.where.items())
            notes.append(f"{len(kept)} of {len(table)} rows are trials ({shown})")
        table = table.iloc[kept].reset_index(drop=True)
        bad = None
        if self.bad_trial is not None:
            bad = flags(table[self.bad_trial], f"{where}: column '{self.bad_trial}'")
        rows, said = usable_trials(
            table,
            [self.align, *self.condition],
            bad=bad,
            called=f"bad ({self.bad_trial})",
            where=where,
        )
        return table.iloc[rows].reset_index(drop=True), notes + said

    def starts(self, trials: pd.DataFrame) -> np.ndarray:
        """Start of every trial in seconds, (trials,)."""
        return trials[self.align].to_numpy(float) + self.offset_s

    def length(self, trials: pd.DataFrame, where: str) -> float:
        """Seconds that every trial lasts."""
        if self.duration_s is not None:
            return float(self.duration_s)
        if self.stop not in trials.columns:
            raise InputError(
                f"{where}: no column '{self.stop}' says when a trial ends; set recording.duration_s"
            )
        shortest = float((trials[self.stop].to_numpy(float) - self.starts(trials)).min())
        if not shortest > 0:
            raise InputError(
                f"{where}: a trial stops {shortest:g} s after its start; set recording.duration_s"
            )
        return round(shortest, 9)  # times on a session's clock carry rounding errors


@dataclass(frozen=True, eq=False, kw_only=True)
class Part:
    """What one source gives: a session but for the numbers of its conditions.

    Parameters
    ----------
    source
        File or folder, for messages.
    given
        Further arguments of :class:`mua_decode.types.Session`: sites, and spikes or counts.
    made_up
        Columns of ``trials`` that are no knowledge about them.
    """

    source: object
    name: str
    trials: pd.DataFrame
    start_s: np.ndarray
    duration_s: float
    notes: tuple[str, ...]
    given: Mapping[str, Any]
    made_up: Sequence[str] = ()

    def session(self, condition: np.ndarray) -> Session:
        """Return the session with the condition of every trial, int (trials,)."""
        trials = self.trials.drop(columns=["condition", *self.made_up], errors="ignore")
        trials.insert(0, "condition", condition)
        with named(self.source):
            return Session(name=self.name, trials=trials, **self.given)


@dataclass(frozen=True, kw_only=True)
class Matching:
    """A stimulus set that was there before, and which trials column says what of it."""

    stimuli: StimulusSet
    match: Mapping[str, str]
    codes: Mapping[str, Mapping[object, object]] | None = None

    def rows(self, parts: Sequence[Part]) -> list[np.ndarray]:
        """Condition of every trial of each part."""
        return [
            match_conditions(
                p.trials, self.stimuli, match=self.match, codes=self.codes, where=str(p.source)
            )
            for p in parts
        ]
