"""One long film, shown once or many times: spikes and frames in one NumPy archive per session."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mua_decode.files import sha256
from mua_decode.limits import check_memory, check_packed
from mua_decode.recordings.arrays import NamedArrays
from mua_decode.recordings.files import reading, source_files
from mua_decode.recordings.sites import numbered, site_table
from mua_decode.recordings.videos import as_bytes, resize
from mua_decode.types import InputError, Recording, Segment, Session, StimulusSet

_PLACES = 32  # bytes for the times of a frame and the places found for them


def read_film(
    path: str | Sequence[str] | None,
    *,
    frame_size: int | None = None,
    region: str = "V1",
    subject: str = "unknown",
) -> Recording:
    """Read ``.npz`` archives, one per session, each of all presentations of one film.

    An archive holds ``spikes``, counts (repeats, sites, bins), or (sites, bins) of a film shown
    once; ``frames``, grey levels (F, H, W) or colours (F, H, W, 3); ``bin_s``; and ``frame_s``, or
    ``frame_times``, the frame clock: seconds (F,) from the start of the first bin, rising. Frames
    of an uneven clock are laid on an even one of its median step, on which every moment has the
    frame that was on screen. The film is one condition: cut it with ``data.cut``.

    Parameters
    ----------
    path
        Archives, a folder of them, or a wildcard pattern; all show the same film.
    frame_size
        Height and width in pixels after area resampling; ``None`` keeps those of the file.
    region, subject
        Of all sites.

    Raises InputError if an array is missing or has another shape, or films differ.
    """
    sources = source_files(path, "recording.path", ".npz")
    sessions, notes, film = [], [], None
    for source in sources:
        with reading(source):
            arrays = NamedArrays(source, {"arrays": source.name})
            video, frame_s, said = _frames(arrays, frame_size)
            sessions.append(_session(source.stem, arrays, region=region, subject=subject))
        notes += said
        if film is not None and not (film[1] == frame_s and np.array_equal(film[0], video)):
            raise InputError(f"{source}: shows another film than {sources[0]}; read them apart")
        film = video, frame_s
    assert film is not None
    stimuli = StimulusSet(
        videos=film[0][None],
        condition=np.zeros(1, int),
        conditions=pd.DataFrame({"name": ["film"]}),
        segments=(Segment("film", 0, len(film[0])),),
        frame_s=film[1],
    )
    return Recording(
        name=sources[0].stem if len(sources) == 1 else sources[0].parent.name,
        sessions=tuple(sessions),
        stimuli=stimuli,
        provenance={"reader": "film", "sha256": {s.name: sha256([s]) for s in sources}},
        notes=tuple(notes),
    )


def _frames(arrays: NamedArrays, size: int | None) -> tuple[np.ndarray, float, list[str]]:
    """Frames uint8 (F, C, H, W), seconds from one to the next, and notes."""
    source = arrays.source
    frames = arrays.get("frames", "frames")
    if frames.ndim not in (3, 4) or not frames.size or frames.shape[3:] not in ((), (1,), (3,)):
        raise InputError(
            f"{source}: frames must be (F, H, W) or (F, H, W, 3), found {frames.shape}"
        )
    if size is not None and size < 2:
        raise InputError(f"recording.frame_size must be at least 2 pixels, found {size}")
    frames = np.stack([resize(f, size) for f in as_bytes(frames, f"{source}: frames")])
    video = frames[:, None] if frames.ndim == 3 else frames.transpose(0, 3, 1, 2)
    if "frame_times" not in arrays:
        return np.ascontiguousarray(video), _seconds(arrays, "frame_s"), []
    clock = np.asarray(arrays.get("frame_times", "frame_times"), float)
    if clock.shape != (len(video),) or len(clock) < 2 or not (np.diff(clock) > 0).all():
        raise InputError(f"{source}: frame_times must be {len(video)} rising seconds")
    step = float(np.median(np.diff(clock)))
    # One long gap among short steps would be filled with frames without end.
    n_bytes = int(min(clock[-1] / step, 1e15)) * (_PLACES + video[0].nbytes)
    check_packed(n_bytes, video.nbytes, f"{source}: frame_times")
    check_memory(n_bytes, f"{source}: frame_times")
    even = np.arange(0, clock[-1] + step / 2, step) + step / 2
    shown = np.clip(np.searchsorted(clock, even, side="right") - 1, 0, len(clock) - 1)
    off = float(np.abs(np.diff(clock) - step).max())
    note = f"{source.name}: frames on an even clock of {step:.6g} s, {off:.2g} s off at most"
    return np.ascontiguousarray(video[shown]), step, [note]


def _session(name: str, arrays: NamedArrays, *, region: str, subject: str) -> Session:
    spikes = arrays.get("spikes", "spikes")
    spikes = spikes[None] if spikes.ndim == 2 else spikes
    if spikes.ndim != 3 or not spikes.size:
        raise InputError(
            f"{arrays.source}: spikes must be (repeats, sites, bins), found {spikes.shape}"
        )
    ids = numbered(name, spikes.shape[1], first=0)
    return Session(
        name=name,
        sites=site_table(name, ids, region=region, subject=subject),
        trials=pd.DataFrame({"condition": 0, "repeat": np.arange(len(spikes))}),
        counts=np.ascontiguousarray(spikes.transpose(0, 2, 1)),
        bin_s=_seconds(arrays, "bin_s"),
    )


def _seconds(arrays: NamedArrays, key: str) -> float:
    found = np.asarray(arrays.get(key, key))
    if found.size != 1 or found.dtype.kind not in "iuf" or not 0 < float(found.ravel()[0]) < np.inf:
        raise InputError(f"{arrays.source}: {key} must be one number above 0 (seconds)")
    return float(found.ravel()[0])
