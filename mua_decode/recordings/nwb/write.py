"""A recording as Neurodata Without Borders files, one per session."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mua_decode.files import whole
from mua_decode.recordings.blocks import new_hdf5
from mua_decode.recordings.files import named
from mua_decode.recordings.names import escaped, kept_values
from mua_decode.recordings.nwb.read import read_nwb
from mua_decode.recordings.nwb.videos import MODULE, SERIES
from mua_decode.recordings.videos import digest, segments_table
from mua_decode.types import InputError, Recording, Session, SpikeTimes, StimulusSet

_RESERVED = ("id", "start_time", "stop_time", "tags", "timeseries", "timeseries_index")
_GAP_S = 1.0  # between trials laid end to end; whole, so that adding starts costs no precision


def write_nwb(
    recording: Recording, folder: Path, *, species: str | None = None, age: str | None = None
) -> list[Path]:
    """Write ``SESSION.nwb`` for every session, each read back first; return the files.

    The trials of a session are laid end to end on one clock, since a recording does not keep when
    they happened. Counts become as many spikes, spread evenly over their bin, which the file says;
    what a simulator planted (``truth``) has no place in the format and is left out. What the format
    cannot have in the name of a column or a region stands there as in an address
    (``choice%2Freward``). Raises InputError if a session holds anything but spikes (averages,
    standardised activity, or counts in windows with gaps or overlaps), or a file would hold
    something else; OSError if it cannot be written.

    Parameters
    ----------
    species
        Latin binomial of the animals, such as ``Macaca mulatta``.
    age
        ISO 8601 duration such as ``P7Y``, or a range ``P5Y/P9Y``; ``None`` writes ``P0D/``,
        the format's way to say that nothing is known.
    """
    spikes = [as_spike_times(s) for s in recording.sessions]
    files = nwb_files(recording, folder)
    sums = [digest(v) for v in recording.stimuli.videos]
    animal = {"species": species, "age": age or "P0D/"}

    def write(place: Path, path: Path, session: Session, times: SpikeTimes) -> None:
        with named(f"{path}: cannot be written", ValueError):
            _write(recording, session, times, sums, animal, place)
        _read_back(place, path, session, times, recording.stimuli)

    # All sessions take their names together: some of them would look like a whole recording.
    with ExitStack() as stack:
        fresh = not folder.exists() or not any(folder.iterdir())
        place = stack.enter_context(whole(folder)) if fresh else folder
        if fresh:
            place.mkdir()
        for path, session, times in zip(files, recording.sessions, spikes, strict=True):
            target = place / path.name
            write(target if fresh else stack.enter_context(whole(target)), path, session, times)
    return files


def nwb_files(recording: Recording, folder: Path) -> list[Path]:
    """Files that :func:`write_nwb` writes, one per session; an InputError if two are one."""
    names = [re.sub(r"^\.+|[^\w.-]+", "_", s.name) for s in recording.sessions]
    if len({n.casefold() for n in names}) < len(names):
        raise InputError(f"recording '{recording.name}': session names give equal files: {names}")
    return [folder / f"{name}.nwb" for name in names]


def _read_back(
    partial: Path, path: Path, session: Session, spikes: SpikeTimes, stimuli: StimulusSet
) -> None:
    """Refuse a file that is not read as what was written."""
    try:
        found = read_nwb([str(partial)])
    except InputError as error:
        reason = str(error).removeprefix(f"{partial}: ")
        raise InputError(f"{path}: not written, it could not be read back: {reason}") from error
    back, shown = found.sessions[0], found.stimuli
    assert back.spike_times is not None
    trials = session.trials.rename(columns=_trial_columns(session.trials))
    kept = {
        "session": back.name == session.name,
        "trials": _same(trials, back.trials),
        "sites": _same(session.sites.to_frame(), back.sites.to_frame(), but=("subject",)),
        "spikes": len(back.spike_times.time_s) == len(spikes.time_s),
        "conditions": _same(stimuli.conditions, shown.conditions),
        "videos": np.array_equal(stimuli.videos, shown.videos),
    }
    for what, same in kept.items():
        if not same:
            raise InputError(f"{path}: not written, its {what} would be read back as others")


def _same(given: pd.DataFrame, found: pd.DataFrame, *, but: Sequence[str] = ()) -> bool:
    given, found = (f.drop(columns=[c for c in but if c in f]) for f in (given, found))
    if set(map(str, given.columns)) != set(found.columns) or len(given) != len(found):
        return False
    pairs = [(kept_values(given[c]), kept_values(found[str(c)])) for c in given.columns]
    return all(
        np.array_equal(a, b, equal_nan=a.dtype.kind == b.dtype.kind == "f") for a, b in pairs
    )


def as_spike_times(session: Session) -> SpikeTimes:
    """Spike times of a session; counts become as many spikes, spread evenly over their bin.

    An InputError if it holds anything but spikes.
    """
    if session.spike_times is not None:
        return session.spike_times
    counts, where = session.counts, f"session '{session.name}'"
    assert counts is not None
    assert session.bin_s is not None
    assert session.window_s is not None
    if session.measure != "counts" or abs(session.window_s - session.bin_s) > 1e-9:
        raise InputError(
            f"{where}: NWB holds spikes; {session.measure} in windows of {session.window_s:g} s "
            f"every {session.bin_s:g} s cannot be written as such"
        )
    observed = None
    if counts.dtype.kind == "f":
        missing = np.isnan(counts)
        observed = ~missing.any(axis=1)
        counts = np.where(missing, 0, counts)
        if not np.array_equal(counts, np.rint(counts)):
            raise InputError(f"{where}: NWB holds spikes; averaged counts cannot be written")
        observed = None if observed.all() else observed
    trial, bins, site = np.nonzero(counts)
    number = counts[trial, bins, site].astype(np.int64)
    within = np.arange(number.sum()) - np.repeat(np.cumsum(number) - number, number)
    place = (within + 0.5) / np.repeat(number, number)
    return SpikeTimes(
        time_s=(np.repeat(bins, number) + place) * session.bin_s,
        trial=np.repeat(trial, number),
        site=np.repeat(site, number),
        duration_s=round(counts.shape[1] * session.bin_s, 9),
        observed=observed,
    )


def _write(
    recording: Recording,
    session: Session,
    spikes: SpikeTimes,
    sums: list[str],
    animal: Mapping[str, str | None],
    path: Path,
) -> None:
    from pynwb import NWBHDF5IO, NWBFile
    from pynwb.file import Subject

    note = f"spikes of {recording.name}, session {session.name}"
    if session.counts is not None:
        note += f"; only their {session.bin_s:g} s bin is known, spread evenly within it"
    started = dict(recording.provenance.get("session_start_time") or {}).get(session.name)
    nwb = NWBFile(
        session_description=f"{note}; trials laid end to end",
        identifier=f"{recording.name}/{session.name}/{sums[0][:16]}",
        session_start_time=_date(started),
        session_id=session.name,
        experiment_description=recording.name,
        notes="\n".join(recording.notes) or None,
    )
    subjects = " ".join(dict.fromkeys(session.sites.subject.tolist()))
    nwb.subject = Subject(subject_id=subjects, sex="U", **animal)
    start_s = np.arange(session.n_trials) * (np.ceil(spikes.duration_s) + _GAP_S)
    _add_trials(nwb, session.trials, start_s, spikes.duration_s)
    _add_units(nwb, session, spikes, start_s)
    with warnings.catch_warnings():
        # A column called name is reached as table["name"], which is how it is read here.
        warnings.filterwarnings("ignore", message="An attribute 'name' already exists")
        _add_stimuli(nwb, recording.stimuli, sums)
    with new_hdf5(path) as file, NWBHDF5IO(file=file, mode="w") as io:
        io.write(nwb)


def _date(text: object) -> datetime:
    """When the session began; 2000-01-01 where that is not known."""
    try:
        return datetime.fromisoformat(str(text))
    except ValueError:
        return datetime(2000, 1, 1, tzinfo=UTC)


def _add_trials(nwb: Any, trials: pd.DataFrame, start_s: np.ndarray, duration_s: float) -> None:
    columns = {escaped(name): c for c, name in _trial_columns(trials).items()}
    for name in columns:
        nwb.add_trial_column(name, f"{name} of the trial")
    values = {name: kept_values(trials[c]).tolist() for name, c in columns.items()}
    for row, start in enumerate(start_s.tolist()):
        given = {name: column[row] for name, column in values.items()}
        nwb.add_trial(start_time=start, stop_time=start + duration_s, **given)


def _trial_columns(trials: pd.DataFrame) -> dict[Any, str]:
    """Column of the trials -> its name in the file, which has some of its own."""
    return {c: f"source_{c}" if c in _RESERVED else str(c) for c in trials.columns}


def _add_units(nwb: Any, session: Session, spikes: SpikeTimes, start_s: np.ndarray) -> None:
    from hdmf.common import DynamicTableRegion, VectorData, VectorIndex
    from pynwb.misc import Units

    device = nwb.create_device(name="electrodes", description="not described by the recording")
    groups = {
        region: nwb.create_electrode_group(
            name=escaped(region),
            description=f"sites in {region}",
            location=region,
            device=device,
        )
        for region in dict.fromkeys(session.sites.region.tolist())
    }
    for region in session.sites.region.tolist():
        nwb.add_electrode(location=region, group=groups[region])
    n = len(session.sites)
    order = np.lexsort((spikes.time_s, spikes.trial, spikes.site))
    times = (spikes.time_s + start_s[spikes.trial])[order]
    ends = np.searchsorted(spikes.site[order], np.arange(n), side="right")
    about = "seconds from the start of the first trial"
    group = [groups[r] for r in session.sites.region.tolist()]
    columns = [
        VectorData(name="site_id", description="name of the site", data=session.sites.site_id),
        VectorData(name="subject", description="animal", data=session.sites.subject),
        *_ragged("spike_times", f"spike times, {about}", times, ends),
        VectorData(name="electrode_group", description="region of the site", data=group),
    ]
    electrodes = DynamicTableRegion(
        name="electrodes", data=list(range(n)), description="one per site", table=nwb.electrodes
    )
    index = VectorIndex(name="electrodes_index", data=np.arange(1, n + 1), target=electrodes)
    columns += [index, electrodes]
    if spikes.observed is not None:
        spans = [_spans(start_s[column], spikes.duration_s) for column in spikes.observed.T]
        text = f"trials in which the site was recorded, {about}"
        last = np.cumsum([len(v) for v in spans])
        columns += _ragged("obs_intervals", text, np.concatenate(spans), last)
    nwb.units = Units(name="units", description="one unit per site", columns=columns)


def _ragged(name: str, description: str, data: np.ndarray, ends: np.ndarray) -> list[Any]:
    from hdmf.common import VectorData, VectorIndex

    column = VectorData(name=name, description=description, data=data)
    return [VectorIndex(name=f"{name}_index", data=ends.astype(np.uint64), target=column), column]


def _spans(start_s: np.ndarray, duration_s: float) -> np.ndarray:
    """Intervals of the trials, (trials, 2); a site never recorded has one that holds no trial."""
    if not len(start_s):
        return np.array([[-2.0, -1.0]])
    return np.stack([start_s, start_s + duration_s], axis=1)


def _add_stimuli(nwb: Any, stimuli: StimulusSet, sums: list[str]) -> None:
    from hdmf.common import DynamicTable, VectorData
    from pynwb import H5DataIO
    from pynwb.image import ImageSeries

    frames = stimuli.videos.transpose(0, 1, 3, 4, 2)
    frames = frames.reshape(-1, *frames.shape[2:])
    frames = frames[..., 0] if frames.shape[-1] == 1 else frames
    chunks = (stimuli.n_frames, *frames.shape[1:])
    nwb.add_stimulus_template(
        ImageSeries(
            name=SERIES,
            data=H5DataIO(frames, compression="gzip", compression_opts=1, chunks=chunks),
            unit="grey level 0..255",
            starting_time=0.0,
            rate=1 / stimuli.frame_s,
            description="every distinct video once, one after another: (frames, H, W[, RGB])",
        )
    )
    module = nwb.create_processing_module(
        MODULE, "conditions, the videos of each, and segments of the videos in frames"
    )
    videos = pd.DataFrame({"condition": stimuli.condition})
    videos["first_frame"] = np.arange(len(stimuli.videos)) * stimuli.n_frames
    tables = {
        "conditions": stimuli.conditions,
        "videos": videos.assign(sha256=sums),
        "segments": segments_table(stimuli),
    }
    for name, frame in tables.items():
        columns = [
            VectorData(
                name=escaped(str(c)),
                description=f"{c} of the {name}",
                data=kept_values(frame[c]).tolist(),
            )
            for c in frame.columns
        ]
        module.add(DynamicTable(name=name, description=f"one row per {name[:-1]}", columns=columns))
