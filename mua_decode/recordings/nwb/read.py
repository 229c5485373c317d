"""Sessions in Neurodata Without Borders files, one session per file.

Format: Rübel et al. 2022, doi 10.7554/eLife.78362. Only what is needed is read: tables of
intervals, the units' spikes within trials, and the videos shown; raw signals are never touched.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mua_decode.recordings.aligned import Part, TrialTable
from mua_decode.recordings.conditions import make_conditions, require_columns
from mua_decode.recordings.nwb.open import NwbSource, nwb_sources, open_nwb
from mua_decode.recordings.nwb.spikes import read_spikes, read_units
from mua_decode.recordings.nwb.tables import read_intervals, text_of
from mua_decode.recordings.nwb.videos import MODULE, own_stimuli, read_series
from mua_decode.recordings.timeline import Timeline
from mua_decode.recordings.videos import VideoSource
from mua_decode.types import InputError, Recording, StimulusSet


def read_nwb(
    path: str | Sequence[str] | None,
    *,
    region: str = "location",
    everywhere: str | None = None,
    site: str | None = None,
    stream: str | None = None,
    **timeline: Any,
) -> Recording:
    """Read NWB files: units, trials and the videos shown.

    Parameters
    ----------
    path
        A file, a folder of ``.nwb`` files, or a list of files; every file is a session.
    region, site
        Column of the units table or, failing that, of the electrodes table; column of the units
        table with the sites' names, ``None``: ``site_id`` if there is one, or session and unit id.
    everywhere
        The one region of all units, where the file knows none.
    stream
        ``fsspec`` or ``remfile``: ``path`` may be an address, which that library reads; ``None``:
        addresses are refused.
    timeline
        Trials, conditions and videos, as :class:`mua_decode.recordings.timeline.Timeline` has
        them, by default those of the table ``trials`` from ``start_time`` on. Without
        ``condition`` and ``stimuli`` the file was written by ``write_nwb`` and says so itself. A
        series that is a stimulus template begins with every trial's ``align``.
    """
    given = Timeline.of(timeline)
    plan = _Plan(
        tables=given.trials or "trials",
        trials=given.table(align=given.align or "start_time", stop="stop_time"),
        region=region,
        everywhere=everywhere,
        site=site,
    )
    found = [_read_file(source, plan) for source in nwb_sources(path, stream)]
    rows = given.matched([f.part for f in found])
    if rows is not None:
        assert given.stimuli is not None
        return _recording(found, rows, given.stimuli, ())
    videos = given.videos or VideoSource()
    columns = None if given.condition is None else given.columns
    stimuli, rows = _videos_shown(found, columns, videos, offset_s=float(given.offset_s))
    return _recording(found, rows, stimuli, () if columns is None else videos.notes)


@dataclass(frozen=True, kw_only=True)
class _Plan:
    """What of a file is read, and how."""

    tables: str | Sequence[str]
    trials: TrialTable
    region: str
    everywhere: str | None
    site: str | None


@dataclass(frozen=True, eq=False)
class _File:
    """A session and what its file says of itself."""

    source: NwbSource
    part: Part
    recording: str
    identifier: str
    started: str
    stimuli: StimulusSet | None


def _recording(
    files: Sequence[_File],
    rows: Sequence[np.ndarray],
    stimuli: StimulusSet,
    notes: tuple[str, ...],
) -> Recording:
    return Recording(
        name=files[0].recording if len({f.recording for f in files}) == 1 else "nwb",
        sessions=tuple(f.part.session(k) for f, k in zip(files, rows, strict=True)),
        stimuli=stimuli,
        provenance={
            "reader": "nwb",
            "file": {f.part.name: f.source.described for f in files},
            "identifier": {f.part.name: f.identifier for f in files},
            "session_start_time": {f.part.name: f.started for f in files},
        },
        notes=(*notes, *(note for f in files for note in f.part.notes)),
    )


def _read_file(source: NwbSource, plan: _Plan) -> _File:
    path = source.path
    with open_nwb(source) as nwb:
        name = text_of(nwb.session_id or path.stem)
        subject = text_of(nwb.subject.subject_id) if nwb.subject is not None else "unknown"
        every = read_intervals(nwb, path, plan.tables, escaped=MODULE in nwb.processing)
        trials = plan.trials
        table, notes = trials.usable(every, f"{path}: trials table")
        start_s = trials.starts(table)
        duration_s = trials.length(table, str(path))
        sites = read_units(
            nwb, path, session=name, subject=subject, region=plan.region,
            everywhere=plan.everywhere, site=plan.site,
        )  # fmt: skip
        spikes = read_spikes(nwb, path, start_s=start_s, duration_s=duration_s)
        stimuli = None if trials.condition else own_stimuli(nwb, path)
        part = Part(
            source=path,
            name=name,
            trials=table,
            start_s=start_s,
            duration_s=duration_s,
            notes=tuple(f"session {name}: {n}" for n in notes),
            given={"sites": sites, "spike_times": spikes},
            made_up=["start_time", "stop_time"] if stimuli is not None else [],
        )
        return _File(
            source=source,
            part=part,
            recording=text_of(nwb.experiment_description or "nwb"),
            identifier=text_of(nwb.identifier),
            started=nwb.session_start_time.isoformat(),
            stimuli=stimuli,
        )


def _videos_shown(
    files: Sequence[_File], columns: list[str] | None, source: VideoSource, *, offset_s: float
) -> tuple[StimulusSet, list[np.ndarray]]:
    """Videos as the files or a folder have them, and the condition of every trial of each file."""
    if columns is None:
        return _written_by_us(files)
    parts = [f.part for f in files]
    conditions, rows = make_conditions([p.trials for p in parts], columns)
    elsewhere = source.without_recording(conditions, parts[0].duration_s)
    if elsewhere is not None:
        return elsewhere, rows
    return _from_series(files, rows, conditions, source, offset_s=offset_s), rows


def _written_by_us(files: Sequence[_File]) -> tuple[StimulusSet, list[np.ndarray]]:
    found = []
    for file in files:
        trials = file.part.trials
        if file.stimuli is None:
            known = ", ".join(map(str, trials.columns))
            raise InputError(
                f"recording.condition is not set; name the trials columns that make up a "
                f"condition in {file.source.path}: {known}; or [] where all trials show the same"
            )
        require_columns(trials, ["condition"], f"{file.source.path}: trials table")
        found.append(file.stimuli)
    for file, other in zip(files, found, strict=True):
        if not (np.array_equal(found[0].videos, other.videos) and found[0].names == other.names):
            raise InputError(f"{file.source.path}: has other videos than {files[0].source.path}")
    return found[0], [f.part.trials["condition"].to_numpy(int) for f in files]


def _from_series(
    files: Sequence[_File],
    rows: Sequence[np.ndarray],
    conditions: pd.DataFrame,
    source: VideoSource,
    *,
    offset_s: float,
) -> StimulusSet:
    """Videos from the series in the files; a condition missing from one may be in another."""
    found: dict[int, list[np.ndarray]] = {}
    frame_s, names = source.frame_s, conditions["name"].astype(str).tolist()
    for file, condition in zip(files, rows, strict=True):
        part = file.part
        present, first = np.unique(condition, return_index=True)
        starts = dict(zip(present.tolist(), part.start_s[first].tolist(), strict=True))
        with open_nwb(file.source) as nwb:
            videos, seconds = read_series(
                nwb,
                file.source.path,
                starts=starts,
                duration_s=part.duration_s,
                offset_s=offset_s,
                names=names,
                source=source,
            )
        for k, video in videos.items():
            found.setdefault(k, []).append(video)
        frame_s = frame_s or seconds
    assert frame_s is not None
    return source.assemble(found, conditions, frame_s)
