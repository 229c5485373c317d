"""Sessions as MATLAB files: a trials x units cell array of spike times and three tables.

The layout of the multi-area recordings of Siegel, Buschman & Miller 2015 (doi
10.1126/science.aab0551) as the lab's own Python tools (spynal) read it: ``spikeTimes`` in one
``.mat`` file per session, with ``trialInfo``, ``unitInfo`` and ``electrodeInfo`` in it or beside
it as CSV. Names of fields and the meaning of codes are options, since they differ between files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mua_decode.files import sha256
from mua_decode.recordings.conditions import flags, match_conditions, require_columns, usable_trials
from mua_decode.recordings.files import load_csv, named, reading, source_files
from mua_decode.recordings.matlab import read_mat, spike_cells
from mua_decode.recordings.sites import Labels, numbered, site_table
from mua_decode.types import InputError, Recording, Session, SiteTable, SpikeTimes, StimulusSet


@dataclass(frozen=True, kw_only=True)
class LabFields:
    """What variables and columns are called in the files.

    Parameters
    ----------
    spike_times, trials, units, electrodes
        Variables of the ``.mat`` file; a table that is not in it is looked for as
        ``SESSION_NAME.csv`` beside it. Case does not matter.
    bad_trial
        Trials column that is true in trials to leave out; ``None``: there is none.
    align
        Trials column with the time of cue onset, in seconds on the clock of the spike times;
        ``None``: spike times are already relative to it.
    area
        Column of the units table, or else of the electrodes table.
    unit_electrode, electrode
        Columns of the units and of the electrodes table that name the electrode.
    unit
        Units column with the sites' names; ``None`` numbers them.
    subject
        Trials or units column with the animal; ``None``: unknown.
    keep
        Other trials columns to keep, new name -> name in the file.
    """

    spike_times: str = "spikeTimes"
    trials: str = "trialInfo"
    units: str = "unitInfo"
    electrodes: str = "electrodeInfo"
    bad_trial: str | None = "badTrials"
    align: str | None = None
    area: str = "area"
    unit_electrode: str = "electrode"
    electrode: str = "electrode"
    unit: str | None = None
    subject: str | None = None
    keep: Mapping[str, str] = field(default_factory=dict)


def read_lab_sessions(
    path: str | Sequence[str] | None,
    *,
    stimuli: StimulusSet | None,
    fields: LabFields | None = None,
    match: Mapping[str, str],
    codes: Mapping[str, Mapping[object, object]] | None = None,
    offset_s: float = -0.5,
    duration_s: float = 4.5,
) -> Recording:
    """Read one ``.mat`` file per session.

    Parameters
    ----------
    path
        A file, a folder of ``.mat`` files, or a list of files; the session is named after it.
    stimuli
        The videos, rendered or read from a folder; trials are matched to its conditions.
    match, codes
        Which trials column says what, and what its codes mean; see
        :func:`mua_decode.recordings.conditions.match_conditions`.
    offset_s, duration_s
        A trial runs from ``offset_s`` after cue onset for ``duration_s`` seconds. Spikes outside
        it are left out.
    """
    names = fields or LabFields()
    if stimuli is None:
        raise InputError("recording.stimuli is not set; name the videos of the task")
    if not (np.isfinite(offset_s) and 0 < duration_s < np.inf):
        raise InputError(
            f"recording: offset_s {offset_s} and duration_s {duration_s} must be seconds, > 0"
        )
    sessions, notes = [], []
    files = source_files(path, "recording.path", ".mat")
    for file in files:
        with reading(file):
            cells, tables = _variables(file, names)
            rows, left_out = _usable(file, tables[names.trials], names, match)
            trials = tables[names.trials].iloc[rows].reset_index(drop=True)
            condition = match_conditions(
                trials, stimuli, match=match, codes=codes, where=f"{file}: {names.trials}"
            )
            kept = {new: trials[old].to_numpy() for new, old in names.keep.items()}
            table = pd.DataFrame({"condition": condition, **kept})
            sites = _sites(file, tables, names)
            zero = trials[names.align].to_numpy(float) if names.align else np.zeros(len(trials))
            place = np.full(len(tables[names.trials]), -1)
            place[rows] = np.arange(len(rows))
            window = (zero + offset_s, float(duration_s))
            times = _cut(cells, f"{file}: {names.spike_times}", len(sites), place, window)
            sessions.append(Session(name=file.stem, sites=sites, trials=table, spike_times=times))
        notes += [f"session {file.stem}: {n}" for n in left_out]
    return Recording(
        name="lab_sessions",
        sessions=tuple(sessions),
        stimuli=stimuli,
        provenance={"reader": "lab_sessions", "sha256": {f.name: sha256([f]) for f in files}},
        notes=tuple(notes),
    )


def _variables(path: Path, names: LabFields) -> tuple[Any, dict[str, pd.DataFrame]]:
    """Spike times and tables, from the file or from CSV files beside it."""
    wanted = (names.spike_times, names.trials, names.units, names.electrodes)
    found = read_mat(path, wanted)
    if names.spike_times not in found:
        raise InputError(f"{path}: has no variable '{names.spike_times}'")
    beside = {p.name.lower(): p for p in path.parent.glob("*.csv")}
    tables = {}
    for name in wanted[1:]:
        csv = beside.get(f"{path.stem}_{name}.csv".lower())
        if name in found:
            tables[name] = found[name]
            if not isinstance(found[name], pd.DataFrame):
                raise InputError(f"{path}: {name} must be a struct of columns, found an array")
        elif csv is not None:
            tables[name] = load_csv(csv)
        elif name != names.electrodes:
            raise InputError(f"{path}: no table '{name}', nor {path.stem}_{name}.csv beside it")
    return found[names.spike_times], tables


def _usable(
    path: Path, table: pd.DataFrame, names: LabFields, match: Mapping[str, str]
) -> tuple[np.ndarray, list[str]]:
    """Rows of the usable trials, and what was left out."""
    where = f"{path}: {names.trials}"
    needed = [*match.values(), *([names.align] if names.align else [])]
    flag = [names.bad_trial] if names.bad_trial else []
    require_columns(table, [*needed, *flag, *names.keep.values()], where)
    bad = flags(table[flag[0]], f"{where}.{flag[0]}") if flag else None
    return usable_trials(table, needed, bad=bad, called="bad", where=where)


def _sites(path: Path, tables: Mapping[str, pd.DataFrame], names: LabFields) -> SiteTable:
    units = tables[names.units]
    where = f"{path}: {names.units}"
    if names.area in units.columns:
        area = units[names.area]
    elif names.electrodes in tables:
        electrodes = tables[names.electrodes]
        require_columns(units, [names.unit_electrode], where)
        require_columns(electrodes, [names.electrode, names.area], f"{path}: {names.electrodes}")
        place = electrodes.set_index(names.electrode)[names.area]
        if not place.index.is_unique:
            raise InputError(f"{path}: {names.electrodes}.{names.electrode} repeats")
        area = units[names.unit_electrode].map(place)
        if area.isna().any():
            lost = units[names.unit_electrode][area.isna()].iloc[0]
            raise InputError(f"{path}: electrode {lost} of {names.units} is not among the others")
    else:
        raise InputError(
            f"{where}: has no column '{names.area}', and there is no table '{names.electrodes}'"
        )
    session = path.stem
    ids = numbered(session, len(units))
    if names.unit is not None:
        require_columns(units, [names.unit], where)
        ids = [f"{session}-{v}" for v in units[names.unit]]
    subject: Labels = "unknown"
    if names.subject in units.columns:
        subject = units[names.subject].astype(str).tolist()
    elif names.subject is not None:
        require_columns(tables[names.trials], [names.subject], f"{path}: {names.trials}")
        subject = str(tables[names.trials][names.subject].iloc[0])
    with named(path):
        return site_table(session, ids, region=area.astype(str).to_numpy(str), subject=subject)


def _cut(
    cells: Any, where: str, n_sites: int, place: np.ndarray, window: tuple[np.ndarray, float]
) -> SpikeTimes:
    """Spikes of the usable trials, in seconds from the start of the trial.

    ``place`` is every trial's number among the usable ones, or -1; ``window`` holds the starts of
    the usable trials and the length of all, in seconds.
    """
    (start_s, duration_s), shape = window, (len(place), n_sites)
    if np.shape(cells) != shape:
        raise InputError(
            f"{where}: expected (trials, units) = {shape} as in the tables, found {np.shape(cells)}"
        )
    times, trial, site = [np.empty(0)], [np.empty(0, int)], [np.empty(0, int)]
    for row, unit, seconds in spike_cells(cells, where):
        new = int(place[row])
        if new < 0:
            continue
        inside = seconds - start_s[new]
        inside = inside[(inside >= 0) & (inside < duration_s)]
        times.append(inside)
        trial.append(np.full(len(inside), new))
        site.append(np.full(len(inside), unit))
    return SpikeTimes(
        np.concatenate(times), np.concatenate(trial), np.concatenate(site), duration_s
    )
