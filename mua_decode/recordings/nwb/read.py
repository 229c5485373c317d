"""Sessions in Neurodata Without Borders files, one session per file.

Format: Rübel et al. 2022, doi 10.7554/eLife.78362. Only what is needed is read: the trials, the
units' spikes within trials, and the videos shown; raw signals are never touched.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd

from mua_decode.recordings.conditions import (
    flags,
    make_conditions,
    match_conditions,
    require_columns,
    usable_trials,
)
from mua_decode.recordings.files import check_dataset, named, open_hdf5, source_files
from mua_decode.recordings.names import unescaped
from mua_decode.recordings.nwb.spikes import read_spikes, read_units
from mua_decode.recordings.nwb.videos import MODULE, own_stimuli, read_series
from mua_decode.recordings.videos import VideoSource
from mua_decode.types import InputError, Recording, Session, StimulusSet

_LONGEST = 1 << 26  # bytes of what describes the session


def read_nwb(
    path: str | Sequence[str] | None,
    *,
    condition: Sequence[str] | str | None = None,
    align: str = "start_time",
    offset_s: float = 0.0,
    duration_s: float | None = None,
    region: str = "location",
    site: str | None = None,
    bad_trial: str | None = None,
    videos: VideoSource | None = None,
    stimuli: StimulusSet | None = None,
    match: Mapping[str, str] | None = None,
    codes: Mapping[str, Mapping[object, object]] | None = None,
) -> Recording:
    """Read NWB files: units, trials and the videos shown.

    Parameters
    ----------
    path
        A file, a folder of ``.nwb`` files, or a list of files; every file is a session.
    condition
        Columns of the trials table; every distinct combination of their values is a condition.
        ``None``: the file was written by ``write_nwb`` and says so itself.
    align, offset_s, duration_s
        A trial runs from ``offset_s`` after the time in column ``align`` for ``duration_s``
        seconds; ``None``: until the earliest ``stop_time``. Trials in which ``align`` or a
        condition column is empty are left out, with a note.
    region, site
        Column of the units table or, failing that, of the electrodes table; column of the units
        table with the sites' names, ``None``: ``site_id`` if there is one, or session and unit id.
    bad_trial
        Column of the trials table that is true in trials to leave out.
    videos
        Where the videos are and how frames are kept; default: in the file, as they are.
    stimuli, match, codes
        Instead of videos: a stimulus set, and which trials column says what; see
        :func:`mua_decode.recordings.conditions.match_conditions`.
    """
    files = source_files(path, "recording.path", ".nwb")
    columns = [condition] if isinstance(condition, str) else list(condition or ())
    window = _Window(align, float(offset_s), duration_s)
    parts = [_read_file(f, columns, window, region, site, bad_trial) for f in files]
    if stimuli is None:
        stimuli, rows = _videos_shown(parts, columns, videos or VideoSource())
    else:
        rows = [
            match_conditions(p.trials, stimuli, match=match or {}, codes=codes, where=str(p.path))
            for p in parts
        ]
    return _recording(parts, rows, stimuli)


def _recording(
    parts: Sequence[_Part], rows: Sequence[np.ndarray], stimuli: StimulusSet
) -> Recording:
    return Recording(
        name=parts[0].recording if len({p.recording for p in parts}) == 1 else "nwb",
        sessions=tuple(p.session(k) for p, k in zip(parts, rows, strict=True)),
        stimuli=stimuli,
        provenance={
            "reader": "nwb",
            "file": {p.name: f"{p.path} ({p.path.stat().st_size} bytes)" for p in parts},
            "identifier": {p.name: p.identifier for p in parts},
            "session_start_time": {p.name: p.started for p in parts},
        },
        notes=tuple(note for p in parts for note in p.notes),
    )


@dataclass(frozen=True)
class _Window:
    """Which stretch of the session's clock is a trial."""

    align: str
    offset_s: float
    duration_s: float | None

    def __post_init__(self) -> None:
        if not np.isfinite(self.offset_s):
            raise InputError(f"recording.offset_s: expected seconds, found {self.offset_s}")
        if self.duration_s is not None and not 0 < self.duration_s < np.inf:
            raise InputError(f"recording.duration_s: expected seconds > 0, found {self.duration_s}")

    def length(self, trials: pd.DataFrame, start_s: np.ndarray, where: str) -> float:
        if self.duration_s is not None:
            return float(self.duration_s)
        shortest = float((trials["stop_time"].to_numpy(float) - start_s).min())
        if not shortest > 0:
            raise InputError(
                f"{where}: a trial stops {shortest:g} s after its start; set recording.duration_s"
            )
        return round(shortest, 9)  # times on a session's clock carry rounding errors


@dataclass(frozen=True, eq=False)
class _Part:
    """What one file gives: everything but the numbers of its conditions."""

    path: Path
    name: str
    recording: str
    identifier: str
    started: str
    trials: pd.DataFrame
    start_s: np.ndarray
    notes: tuple[str, ...]
    given: Mapping[str, Any]
    stimuli: StimulusSet | None

    def session(self, condition: np.ndarray) -> Session:
        made_up = ["start_time", "stop_time"] if self.stimuli is not None else []
        trials = self.trials.drop(columns=["condition", *made_up], errors="ignore")
        trials.insert(0, "condition", condition)
        with named(self.path):
            return Session(name=self.name, trials=trials, **self.given)


def _read_file(
    path: Path,
    columns: list[str],
    window: _Window,
    region: str,
    site: str | None,
    bad_trial: str | None,
) -> _Part:
    with open_nwb(path) as nwb:
        name = str(nwb.session_id or path.stem)
        subject = str(nwb.subject.subject_id) if nwb.subject is not None else "unknown"
        table, notes = _trials(nwb, path, columns, window.align, bad_trial)
        start_s = table[window.align].to_numpy(float) + window.offset_s
        duration_s = window.length(table, start_s, str(path))
        sites = read_units(nwb, path, session=name, subject=subject, region=region, site=site)
        spikes = read_spikes(nwb, path, start_s=start_s, duration_s=duration_s)
        return _Part(
            path=path,
            name=name,
            recording=str(nwb.experiment_description or "nwb"),
            identifier=str(nwb.identifier),
            started=nwb.session_start_time.isoformat(),
            trials=table,
            start_s=start_s,
            notes=tuple(f"session {name}: {n}" for n in notes),
            given={"sites": sites, "spike_times": spikes},
            stimuli=None if columns else own_stimuli(nwb, path),
        )


@contextmanager
def open_nwb(path: Path) -> Iterator[Any]:
    """Open an NWB file for reading, lazily.

    An InputError if it is missing, damaged, or an HDF5 file of another kind.
    """
    from pynwb import NWBHDF5IO  # takes seconds to import, which other commands need not pay

    with open_hdf5(path) as file:
        if "nwb_version" not in file.attrs:
            raise InputError(f"{path}: is an HDF5 file but not an NWB file (no nwb_version)")
        file.visititems(partial(_check, path))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # columns called as attributes are; older versions
                nwb = NWBHDF5IO(file=file, mode="r", load_namespaces=True).read()
        except Exception as error:  # hdmf raises whatever the missing part causes
            raise InputError(f"{path}: is not a complete NWB file: {_reason(error)}") from error
        yield nwb


def _check(path: Path, name: str, item: object) -> None:
    if isinstance(item, h5py.Dataset):
        check_dataset(item, path, read=False)  # raw signals are not
        # What describes the session is read at once.
        if ("/" not in name or name.startswith("general/")) and item.nbytes > _LONGEST:
            raise InputError(f"{path}: {name} declares {item.nbytes / 2**20:.0f} MiB; refused")


def _reason(error: Exception) -> str:
    """Place and cause from an error of hdmf, which prints the whole object between them."""
    text = " ".join(str(error).split())
    place, _, _ = text.lstrip("(").partition(" GroupBuilder {")
    _, found, cause = text.rpartition(" due to: ")
    short = f"{place}: {cause}" if found and place != text.lstrip("(") else text
    return short.strip("\")'")[:200]


def _trials(
    nwb: Any, path: Path, columns: list[str], align: str, bad_trial: str | None
) -> tuple[pd.DataFrame, list[str]]:
    """Trials that can be used, and what was left out."""
    if nwb.trials is None or not len(nwb.trials):
        raise InputError(f"{path}: has no trials table")
    wanted = [align, *columns, *([bad_trial] if bad_trial else [])]
    known = list(nwb.trials.colnames)
    require_columns(known, wanted, f"{path}: trials table")
    plain, ours = {}, MODULE in nwb.processing
    for name in known:
        data = nwb.trials[name].data
        if getattr(data, "ndim", np.ndim(data)) == 1 and len(data) == len(nwb.trials):
            values = np.asarray(data[:])
            if values.dtype.kind in "biufSUO" and not _refers(values):
                column = unescaped(name) if ours else name
                plain[column] = [v.decode() if isinstance(v, bytes) else v for v in values.tolist()]
    table = pd.DataFrame(plain)
    require_columns(table, wanted, f"{path}: trials table, one value per trial")
    if not pd.api.types.is_numeric_dtype(table[align]):
        raise InputError(f"{path}: trials column '{align}' must hold seconds")
    bad = None
    if bad_trial is not None:
        bad = flags(table[bad_trial], f"{path}: trials column '{bad_trial}'")
    rows, notes = usable_trials(
        table, [align, *columns], bad=bad, called=f"bad ({bad_trial})", where=str(path)
    )
    return table.iloc[rows].reset_index(drop=True), notes


def _refers(values: np.ndarray) -> bool:
    return values.dtype.kind == "O" and not all(isinstance(v, str | bytes) for v in values)


def _videos_shown(
    parts: Sequence[_Part], columns: list[str], source: VideoSource
) -> tuple[StimulusSet, list[np.ndarray]]:
    """Videos as the files or a folder have them, and the condition of every trial of each file."""
    if not columns:
        return _written_by_us(parts)
    conditions, rows = make_conditions([p.trials for p in parts], columns)
    if source.folder is not None:
        return source.read_folder(conditions), rows
    return _from_series(parts, rows, conditions, source), rows


def _written_by_us(parts: Sequence[_Part]) -> tuple[StimulusSet, list[np.ndarray]]:
    found = []
    for part in parts:
        if part.stimuli is None:
            known = ", ".join(map(str, part.trials.columns))
            raise InputError(
                f"recording.condition is not set; name the trials columns that make up a "
                f"condition in {part.path}: {known}"
            )
        require_columns(part.trials, ["condition"], f"{part.path}: trials table")
        found.append(part.stimuli)
    for part, other in zip(parts, found, strict=True):
        if not (np.array_equal(found[0].videos, other.videos) and found[0].names == other.names):
            raise InputError(f"{part.path}: has other videos than {parts[0].path}")
    return found[0], [p.trials["condition"].to_numpy(int) for p in parts]


def _from_series(
    parts: Sequence[_Part],
    rows: Sequence[np.ndarray],
    conditions: pd.DataFrame,
    source: VideoSource,
) -> StimulusSet:
    """Videos from the series in the files; a condition missing from one may be in another."""
    found: dict[int, list[np.ndarray]] = {}
    frame_s, names = source.frame_s, conditions["name"].astype(str).tolist()
    for part, condition in zip(parts, rows, strict=True):
        present, first = np.unique(condition, return_index=True)
        starts = dict(zip(present.tolist(), part.start_s[first].tolist(), strict=True))
        duration_s = part.given["spike_times"].duration_s
        with open_nwb(part.path) as nwb:
            videos, seconds = read_series(
                nwb, part.path, starts=starts, duration_s=duration_s, names=names, source=source
            )
        for k, video in videos.items():
            found.setdefault(k, []).append(video)
        frame_s = frame_s or seconds
    assert frame_s is not None
    return source.assemble(found, conditions, frame_s)
