"""Videos inside NWB files: series shown throughout a session, or one series per condition."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mua_decode.limits import check_memory
from mua_decode.recordings.files import named
from mua_decode.recordings.names import unescaped
from mua_decode.recordings.nwb.tables import text_of
from mua_decode.recordings.pictures import read_frames
from mua_decode.recordings.videos import VideoSource, segments_of
from mua_decode.types import InputError, StimulusSet, nearest_name

MODULE = "stimulus_set"
SERIES = "stimulus_videos"
_TOLERANCE = 1e-6


def own_stimuli(nwb: Any, path: Path) -> StimulusSet | None:
    """Return the stimulus set as :func:`mua_decode.recordings.write_nwb` stores it, if it does."""
    if MODULE not in nwb.processing or SERIES not in nwb.stimulus_template:
        return None
    module = nwb.processing[MODULE]
    with named(f"{path}: {MODULE}", KeyError, ValueError, TypeError, AttributeError):
        tables = {n: _table(module[n]) for n in ("conditions", "videos", "segments")}
        frames = _all_of(nwb.stimulus_template[SERIES], path)
        frames = frames if frames.ndim == 4 else frames[..., None]
        videos = frames.reshape(len(tables["videos"]), -1, *frames.shape[1:])
        return StimulusSet(
            videos=np.ascontiguousarray(videos.transpose(0, 1, 4, 2, 3)),
            condition=tables["videos"]["condition"].to_numpy(int),
            conditions=tables["conditions"],
            segments=segments_of(tables["segments"]),
            frame_s=round(1 / float(nwb.stimulus_template[SERIES].rate), 9),
        )


def read_series(
    nwb: Any,
    path: Path,
    *,
    starts: Mapping[int, float],
    duration_s: float,
    offset_s: float,
    names: Sequence[str],
    source: VideoSource,
) -> tuple[dict[int, np.ndarray], float]:
    """Read one video per condition, from the first trial that showed it.

    ``starts`` are those of the first trial of each condition, seconds on the session's clock,
    ``offset_s`` after what trials are aligned to. With ``source.series``, frames are cut from that
    series by time, or, of a template, which has no place on the clock, from what a trial is aligned
    to on; without, every condition has a series of its own name, or an external film, whose frames
    up to the trial's end are taken.
    Returns condition -> uint8 (T, C, H, W), and the seconds of a frame.
    """
    known = {**nwb.stimulus_template, **nwb.stimulus}
    frame_s = source.frame_s
    if source.series is not None:
        series = _named(known, source.series, path)
        times = _times(series, path)
        if _is_template(nwb, series, times, starts.values()):
            # Its timestamps may be mere numbers of frames: those of the user come first.
            times = np.arange(len(times)) * (frame_s or _step(times))
            starts = dict.fromkeys(starts, offset_s)
        frame_s = frame_s or _step(times)
        n_frames = max(1, int(duration_s / frame_s + _TOLERANCE))
        wanted = {
            k: _frames_on_screen(times, t + (np.arange(n_frames) + 0.5) * frame_s, series, path)
            for k, t in starts.items()
        }
    else:
        series, wanted = None, {}
    videos = {}
    for k in starts:
        film = None if series is not None or names[k] in known else _film(known, names[k], path)
        if film is not None:
            if frame_s is None:
                raise InputError(f"{path}: set videos.frame_s, the seconds of a frame of {film}")
            frames = islice(read_frames(film), max(1, int(duration_s / frame_s + _TOLERANCE)))
            videos[k] = source.shape_video(frames, str(film))
            continue
        one = _named(known, names[k], path) if series is None else series
        if frame_s is None:
            times = _times(one, path)
            if len(times) < 2:
                raise InputError(f"{path}: series '{one.name}' has one frame; set videos.frame_s")
            frame_s = _step(times)
        where = f"{path}: series '{one.name}'"
        found = _frames(one, wanted.get(k), path, where)
        videos[k] = source.shape_video(
            (f if source.rows_first else f.swapaxes(0, 1) for f in found), where
        )
    assert frame_s is not None
    return videos, frame_s


def _film(known: Mapping[str, Any], name: str, path: Path) -> Path | None:
    """The external film that a condition is named after, of whichever series; up to its trial."""
    for series in known.values():
        if _is_external(series):
            for film in external_films(series, path):
                if name in (film.name, film.stem):
                    _refuse_missing(series, path)
                    return film
    return None


def _named(known: Mapping[str, Any], name: str, path: Path) -> Any:
    if name not in known:
        found = ", ".join(list(known)[:20]) or "none"
        raise InputError(
            f"{path}: has no stimulus series '{name}'{nearest_name(name, known)}; found: {found}; "
            "or set recording.videos.folder, or recording.videos.stand_in=blank to look at "
            "activity alone"
        )
    return known[name]


def _times(series: Any, path: Path) -> np.ndarray:
    """Start of every frame, seconds on the session's clock."""
    if series.timestamps is not None:
        times = np.asarray(series.timestamps[:], float)
        if not (np.diff(times) > 0).all():
            raise InputError(f"{path}: series '{series.name}': timestamps are not in order")
        return times
    if not series.rate:
        raise InputError(f"{path}: series '{series.name}' has neither rate nor timestamps")
    if not _is_external(series):
        n = len(series.data)
    elif getattr(series, "num_samples", None):  # not in files written before pynwb 4
        n = int(series.num_samples)
    else:
        n = sum(1 for _ in _external(series, path))
    return float(series.starting_time or 0) + np.arange(n) / float(series.rate)


def _is_template(nwb: Any, series: Any, times: np.ndarray, starts: Iterable[float]) -> bool:
    """Whether a series is a film that trials show from its start, not what was on screen when."""
    if series.name in nwb.stimulus or hasattr(series, "indexed_timeseries"):
        return False
    # Some put what was on screen there all the same, with the times it was.
    return not (times[0] > 0 and times[0] <= min(starts) and max(starts) <= times[-1])


def _step(times: np.ndarray) -> float:
    return round(float(np.median(np.diff(times))), 9)


def _is_external(series: Any) -> bool:
    return getattr(series, "external_file", None) is not None


def _frames_on_screen(times: np.ndarray, at: np.ndarray, series: Any, path: Path) -> np.ndarray:
    """Index of the frame shown at each moment: the last that started by then."""
    index = np.searchsorted(times, at, side="right") - 1
    last = times[-1] + 2 * np.median(np.diff(times)) if len(times) > 1 else np.inf
    if index[0] < 0 or at[-1] > last:
        raise InputError(
            f"{path}: series '{series.name}' spans {times[0]:g} to {times[-1]:g} s, but a trial "
            f"needs frames from {at[0]:g} to {at[-1]:g} s"
        )
    return index


def _frames(series: Any, index: np.ndarray | None, path: Path, where: str) -> list[np.ndarray]:
    """Frames (H, W) or (H, W, C) at ``index`` (in order of time; repeats allowed), or all."""
    if hasattr(series, "indexed_timeseries"):
        picture = np.asarray(series.data[:], int)
        picture = picture if index is None else picture[index]
        if series.indexed_timeseries is not None:
            return _frames(series.indexed_timeseries, picture, path, where)
        images = list(series.indexed_images.order_of_images.data[:])
        if picture.min() < 0 or picture.max() >= len(images):
            raise InputError(f"{where}: names image {picture.max()} of {len(images)}")
        return [np.asarray(images[i].data[:]) for i in picture]
    if _is_external(series):
        wanted = None if index is None else set(index.tolist())
        film = enumerate(_external(series, path))
        kept = {i: frame for i, frame in film if wanted is None or i in wanted}
        order = range(len(kept)) if index is None else index.tolist()
        if any(i not in kept for i in order):
            raise InputError(f"{where}: external film has fewer frames than its timestamps")
        return [kept[i] for i in order]
    if index is None:
        return list(_all_of(series, path))
    unique, back = np.unique(index, return_inverse=True)
    if unique[0] < 0 or unique[-1] >= len(series.data):
        raise InputError(f"{where}: names frame {unique[-1]} of {len(series.data)}")
    return list(np.asarray(series.data[unique])[back])


def _all_of(series: Any, path: Path) -> np.ndarray:
    """Every frame of a series, if memory holds them."""
    check_memory(int(getattr(series.data, "nbytes", 0)), f"{path}: series '{series.name}'")
    return np.asarray(series.data[:])


def _external(series: Any, path: Path) -> Any:
    """Yield the frames of external files beside the NWB file; addresses are not fetched."""
    _refuse_missing(series, path)
    for film in external_films(series, path):
        yield from read_frames(film)


def _refuse_missing(series: Any, path: Path) -> None:
    missing = missing_films(series, path)
    if missing:
        some = ", ".join(str(m) for m in missing[:3]) + (", ..." if len(missing) > 3 else "")
        n = len(series.external_file)
        raise InputError(
            f"{path}: series '{series.name}': no such external file: {some} ({len(missing)} of {n} "
            "missing; put them there, or in a folder named by recording.videos.folder, or "
            "recording.videos.stand_in=blank looks at activity alone)"
        )


def external_films(series: Any, path: Path) -> list[Path]:
    """Files that a series names, relative ones beside the NWB file."""
    named_ = [Path(text_of(name)) for name in list(series.external_file[:])]
    return [name if name.is_absolute() else path.parent / name for name in named_]


def missing_films(series: Any, path: Path) -> list[Path]:
    """Files that a series names and that are not there."""
    return [film for film in external_films(series, path) if not film.is_file()]


def _table(table: Any) -> pd.DataFrame:
    """Return the columns as plain lists, so that text is text and numbers are numbers."""
    columns = {unescaped(c): np.asarray(table[c].data[:]).tolist() for c in table.colnames}
    return pd.DataFrame(columns)
