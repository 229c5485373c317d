"""The project's own file: one HDF5 file per recording.

The first 512 bytes are a line of text with length and SHA-256 of all that follows, checked before
HDF5 looks at the file. Files written before there was this line carry a checksum of their arrays
alone (attribute sha256), which is kept for them, and for those who read a new file with an old
version. Links, and arrays that lie in other files, are refused always.

Layout (version 1)::

    /                     attributes format, version, name, notes, provenance (JSON), sha256
    /stimuli/videos       uint8 (V, T, C, H, W); attribute frame_s
    /stimuli/condition    int (V,)
    /stimuli/conditions/COLUMN, /stimuli/segments/COLUMN     tables, one dataset per column
    /sessions/NAME/counts (trials, bins, N); attributes bin_s, window_s, measure
    /sessions/NAME/spike_times/{time_s,trial,site}           instead of counts; attribute duration_s
    /sessions/NAME/spike_times/observed                      bool (trials, N), where not all is True
    /sessions/NAME/trials/COLUMN, /sessions/NAME/sites/COLUMN
    /truth/TABLE/COLUMN   what a simulator planted

What HDF5 cannot have in a name stands there as in an address: ``choice%2Freward`` (attribute
``names`` = "percent"; files without it have their names as they are).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd

from mua_decode.files import whole
from mua_decode.recordings.blocks import new_hdf5
from mua_decode.recordings.files import check_dataset, named, open_hdf5, require_numbers
from mua_decode.recordings.names import PERCENT, escaped, kept_values, unescaped
from mua_decode.recordings.seal import SEAL_BYTES, check_seal, seal
from mua_decode.recordings.videos import segments_of, segments_table
from mua_decode.types import InputError, Recording, Session, SiteTable, SpikeTimes, StimulusSet
from mua_decode.types.checksum import checksum

_FORMAT = "mua_decode recording"
_VERSION = 1


def read_native(path: str | Path | None, *, verify: bool = True) -> Recording:
    """Read a file written by :func:`write_recording`.

    A file that is damaged, of another format or a newer version is refused; with ``verify`` also
    one that does not have the checksum it was stored with.
    """
    if not path:
        raise InputError("recording.path is not set; give the file: recording.path=FILE.h5")
    source = Path(path).expanduser()
    sealed = verify and check_seal(source)
    with open_hdf5(source, soft_links=False, sealed=sealed) as file:
        if file.attrs.get("format") != _FORMAT:
            raise InputError(f"{source}: is not a recording written by mua-decode")
        _check_contents(file, source)
        if int(file.attrs["version"]) > _VERSION:
            raise InputError(
                f"{source}: has format version {file.attrs['version']}, this mua-decode reads "
                f"up to {_VERSION}; update mua-decode"
            )
        if verify and not sealed and _digest(file) != file.attrs["sha256"]:
            raise InputError(f"{source}: contents do not match their checksum; copy it again")
        try:
            with named(source, ValueError, TypeError, AttributeError):
                return _read(file)
        except KeyError as error:
            raise InputError(f"{source}: incomplete, {error.args[0]}") from error


def write_recording(recording: Recording, path: Path) -> None:
    """Write a recording to one HDF5 file, whole or not at all; it is read back first.

    Raises InputError if the file would hold something else, OSError if it cannot be written.
    """
    with whole(path) as partial:
        made = new_hdf5(partial, userblock_size=SEAL_BYTES)
        with named(f"{path}: cannot be written", ValueError), made as file:
            _write(recording, file)
            attributes = {"format": _FORMAT, "version": _VERSION, "names": PERCENT}
            file.attrs.update(attributes, sha256=_digest(file))
        seal(partial)
        try:
            same = _content(read_native(partial)) == _content(recording)
        except InputError as error:
            reason = str(error).removeprefix(f"{partial}: ")
            raise InputError(f"{path}: not written, it could not be read back: {reason}") from error
        if not same:
            raise InputError(f"{path}: not written, what was read back is another recording")


def _content(recording: Recording) -> str:
    """Checksum of what a file keeps of a recording; what is no number is kept as text."""
    sessions = [replace(s, trials=_as_kept(s.trials)) for s in recording.sessions]
    stimuli = replace(recording.stimuli, conditions=_as_kept(recording.stimuli.conditions))
    truth = [[name, _as_kept(frame)] for name, frame in sorted(recording.truth.items())]
    return checksum([recording.name, *recording.notes, *sessions, stimuli, truth])


def _as_kept(frame: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({str(c): kept_values(frame[c]) for c in frame.columns}, index=frame.index)


def _check_contents(file: h5py.File, source: Path) -> None:
    """Refuse a file whose attributes are missing or whose arrays are not what they should be."""
    for name in ("version", "sha256", "name", "notes", "provenance"):
        if name not in file.attrs:
            raise InputError(f"{source}: incomplete, it lacks the attribute '{name}'")
    if not isinstance(file.attrs["version"], int | np.integer):
        raise InputError(f"{source}: format version must be a whole number")

    def check(_: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            text = h5py.check_string_dtype(item.dtype) is not None
            check_dataset(item, source) if text else require_numbers(item, source)

    file.visititems(check)


def _write(recording: Recording, file: h5py.File) -> None:
    file.attrs["name"] = recording.name
    file.attrs["notes"] = json.dumps(list(recording.notes))
    file.attrs["provenance"] = json.dumps(dict(recording.provenance), default=str)
    stimuli = recording.stimuli
    group = file.create_group("stimuli")
    _write_array(group, "videos", stimuli.videos, chunks=(1, *stimuli.videos.shape[1:]))
    group.attrs["frame_s"] = stimuli.frame_s
    _write_array(group, "condition", stimuli.condition)
    _write_table(group, "conditions", stimuli.conditions)
    _write_table(group, "segments", segments_table(stimuli))
    sessions = file.create_group("sessions", track_order=True)
    for session in recording.sessions:
        group = sessions.create_group(escaped(session.name))
        _write_table(group, "trials", session.trials)
        _write_table(group, "sites", session.sites.to_frame())
        if session.counts is not None:
            _write_array(group, "counts", session.counts, chunks=(1, *session.counts.shape[1:]))
            group.attrs.update(bin_s=session.bin_s, window_s=session.window_s)
            group.attrs["measure"] = session.measure
        elif session.spike_times is not None:
            spikes = group.create_group("spike_times")
            for name in ("time_s", "trial", "site"):
                _write_array(spikes, name, getattr(session.spike_times, name))
            if session.spike_times.observed is not None:
                _write_array(spikes, "observed", session.spike_times.observed)
            spikes.attrs["duration_s"] = session.spike_times.duration_s
    truth = file.create_group("truth")
    for name, frame in recording.truth.items():
        _write_table(truth, name, frame)


def _write_array(
    group: h5py.Group, name: str, values: np.ndarray, chunks: tuple[int, ...] | None = None
) -> None:
    small = values.size == 0
    options = {} if small else {"compression": "gzip", "compression_opts": 1, "shuffle": True}
    group.create_dataset(
        escaped(name), data=values, chunks=None if small else chunks or True, **options
    )


def _write_table(group: h5py.Group, name: str, frame: pd.DataFrame) -> None:
    table = group.create_group(escaped(name), track_order=True)
    for column in frame.columns:
        values = kept_values(frame[column])
        if values.dtype.kind == "O":
            table.create_dataset(escaped(str(column)), data=values, dtype=h5py.string_dtype())
        else:
            _write_array(table, str(column), values)


def _read(file: h5py.File) -> Recording:
    stimuli = file["stimuli"]
    sessions = tuple(_read_session(name, group) for name, group in _items(file["sessions"]))
    return Recording(
        name=str(file.attrs["name"]),
        sessions=sessions,
        stimuli=StimulusSet(
            videos=stimuli["videos"][()],
            condition=stimuli["condition"][()],
            conditions=_read_table(stimuli["conditions"]),
            segments=segments_of(_read_table(stimuli["segments"])),
            frame_s=float(stimuli.attrs["frame_s"]),
        ),
        provenance=json.loads(file.attrs["provenance"]),
        truth={name: _read_table(group) for name, group in _items(file["truth"])},
        notes=tuple(json.loads(file.attrs["notes"])),
    )


def _read_session(name: str, group: h5py.Group) -> Session:
    sites = _read_table(group["sites"])
    given: dict[str, Any] = {}
    if "counts" in group:
        given["counts"] = group["counts"][()]
        given["bin_s"] = float(group.attrs["bin_s"])
        given["window_s"] = float(group.attrs["window_s"])
        given["measure"] = str(group.attrs.get("measure", "counts"))
    else:
        spikes = group["spike_times"]
        arrays = {n: spikes[n][()] for n in ("time_s", "trial", "site", "observed") if n in spikes}
        given["spike_times"] = SpikeTimes(**arrays, duration_s=float(spikes.attrs["duration_s"]))
    return Session(
        name=name,
        sites=SiteTable(
            **{c: sites[c].to_numpy() for c in ("site_id", "region", "session", "subject")}
        ),
        trials=_read_table(group["trials"]),
        **given,
    )


def _read_table(group: h5py.Group) -> pd.DataFrame:
    columns = {}
    for name, dataset in _items(group):
        is_text = h5py.check_string_dtype(dataset.dtype) is not None
        columns[name] = dataset.asstr()[()] if is_text else dataset[()]
    return pd.DataFrame(columns)


def _items(group: h5py.Group) -> Iterator[tuple[str, Any]]:
    """Yield what a group holds under the names that were given."""
    percent = group.file.attrs.get("names") == PERCENT
    for name, item in group.items():
        yield (unescaped(name) if percent else name), item


def _digest(file: h5py.File) -> str:
    """SHA-256 over names, shapes and contents of every dataset, in name order."""
    digest = hashlib.sha256()
    names: list[str] = []
    file.visititems(lambda n, o: names.append(n) if isinstance(o, h5py.Dataset) else None)
    for name in sorted(names):
        dataset = file[name]
        digest.update(f"{name}{dataset.shape}".encode())
        if h5py.check_string_dtype(dataset.dtype) is not None:
            digest.update("\0".join(dataset.asstr()[()].ravel()).encode())
        else:
            step = max(1, (1 << 26) // max(1, dataset[:1].nbytes)) if dataset.size else 1
            for first in range(0, len(dataset) if dataset.size else 0, step):
                digest.update(np.ascontiguousarray(dataset[first : first + step]).data)
    return digest.hexdigest()
