"""Stimulus videos from files: films, GIFs, arrays and numbered pictures, one per condition."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd

from mua_decode.limits import check_memory
from mua_decode.recordings.files import existing_folder
from mua_decode.recordings.pictures import FILMS, PICTURES, read_frames
from mua_decode.types import STAND_IN, InputError, Segment, StimulusSet, composed, nearest_name

_BLANK_GREY, _BLANK_PIXELS = 128, 32
_VIDEOS = (*FILMS, ".npy", *PICTURES)


@dataclass(frozen=True, kw_only=True)
class VideoSource:
    """Where the videos of the conditions are and how their frames are kept.

    Parameters
    ----------
    folder
        Folder with one video per condition, named after it: ``NAME.mp4`` (avi, mov, mkv, gif),
        ``NAME.npy`` with (T, H, W) or (T, H, W, C), ``NAME.png`` (a still), or a folder ``NAME``
        with numbered pictures, or with several videos, which are variants. ``None``: the videos
        are in the recording itself.
    column
        Condition column that holds the name of the file or folder; ``None``: the condition's name.
    series
        Name of the series in the recording that was on screen throughout the session.
    frame_size
        Height and width in pixels after area resampling; ``None`` keeps the size of the files.
    grey
        Keep luminance only (C = 1); ``None`` keeps the colour of the files.
    frame_s
        Seconds from frame to frame; ``None`` takes the rate of the series, and of stills in a
        folder the length of a trial.
    segments
        [name, number of frames, weight in the loss] of each; ``None``: all frames are one.
    rows_first
        Arrays are (T, H, W); otherwise (T, W, H).
    stand_in
        ``blank``: no videos; an even grey still stands for each, to look at activity alone.
    """

    folder: str | None = None
    column: str | None = None
    series: str | None = None
    frame_size: int | None = None
    grey: bool | None = None
    frame_s: float | None = None
    segments: Sequence[Sequence[Any]] | None = None
    rows_first: bool = True
    stand_in: str | None = None

    def __post_init__(self) -> None:
        size = self.frame_size
        if size is not None and (isinstance(size, bool) or not 2 <= int(size) <= 4096):
            raise InputError(f"videos.frame_size: expected 2 to 4096 pixels, found {size}")
        if self.frame_s is not None and not 0 < self.frame_s < np.inf:
            raise InputError(f"videos.frame_s: expected seconds > 0, found {self.frame_s}")
        if self.stand_in not in (None, "blank"):
            raise InputError(f"videos.stand_in: expected blank or null, found {self.stand_in}")
        if self.stand_in and (self.folder or self.series):
            raise InputError("videos: give either videos (folder, series) or stand_in, not both")

    @property
    def notes(self) -> tuple[str, ...]:
        """What has to be known of the videos, one line each."""
        if self.stand_in is None:
            return ()
        return (STAND_IN,)

    def without_recording(self, conditions: pd.DataFrame, duration_s: float) -> StimulusSet | None:
        """Videos of a folder, or stand-ins as long as a trial; ``None``: the recording has them."""
        if self.stand_in is not None:
            return self._blank(conditions, duration_s)
        return None if self.folder is None else self.read_folder(conditions, duration_s)

    def _blank(self, conditions: pd.DataFrame, duration_s: float) -> StimulusSet:
        frame_s = min(self.frame_s or duration_s, duration_s)
        size = self.frame_size or _BLANK_PIXELS
        shape = (max(1, int(duration_s / frame_s + 1e-6)), 1, size, size)
        check_memory(len(conditions) * int(np.prod(shape)), "recording.videos.stand_in")
        still = np.full(shape, _BLANK_GREY, np.uint8)
        return self.assemble({k: [still] for k in range(len(conditions))}, conditions, frame_s)

    def shape_frame(self, frame: np.ndarray, where: str) -> np.ndarray:
        """Return one frame (H, W) or (H, W, C) as uint8 (C, H, W) of the size and colour asked for.

        An InputError if values are neither whole numbers 0..255 nor floats 0..1.
        """
        if frame.ndim not in (2, 3) or (frame.ndim == 3 and frame.shape[2] not in (1, 3, 4)):
            raise InputError(f"{where}: frames must be (H, W[, 1|3|4]), found {frame.shape}")
        image = as_bytes(frame if frame.ndim == 3 else frame[:, :, None], where)[:, :, :3]
        if self.grey and image.shape[2] == 3:
            image = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY)[:, :, None]
        image = resize(np.ascontiguousarray(image), self.frame_size)
        image = image if image.ndim == 3 else image[:, :, None]
        return np.ascontiguousarray(image.transpose(2, 0, 1))

    def shape_video(self, frames: Iterable[np.ndarray], where: str) -> np.ndarray:
        """Return frames as one video, uint8 (T, C, H, W)."""
        shaped, n_bytes = [], 0
        for frame in frames:
            shaped.append(self.shape_frame(np.asarray(frame), where))
            n_bytes += shaped[-1].nbytes
            check_memory(2 * n_bytes, f"{where}: the first {len(shaped)} frames")
        if not shaped:
            raise InputError(f"{where}: holds no frame")
        if len({f.shape for f in shaped}) > 1:
            raise InputError(
                f"{where}: frames differ in shape: {sorted({f.shape for f in shaped})[:2]}"
            )
        return np.stack(shaped)

    def assemble(
        self, videos: Mapping[int, Sequence[np.ndarray]], conditions: pd.DataFrame, frame_s: float
    ) -> StimulusSet:
        """Return a stimulus set that stores every distinct video of a condition once.

        ``videos`` are those of every condition, uint8 (T, C, H, W).
        """
        distinct = {k: {digest(v): v for v in videos.get(k, ())} for k in range(len(conditions))}
        kept = [video for found in distinct.values() for video in found.values()]
        shapes = sorted({v.shape for v in kept})
        if len(shapes) > 1:
            raise InputError(
                f"videos: all must have one shape (T, C, H, W), found {shapes[0]} and {shapes[1]}; "
                "set videos.frame_size and videos.grey, or cut the files to one length"
            )
        return StimulusSet(
            videos=np.stack(kept),
            condition=np.repeat(list(distinct), [len(found) for found in distinct.values()]),
            conditions=conditions,
            segments=cut_segments(self.segments, shapes[0][0], "recording.videos.segments"),
            frame_s=frame_s,
        )

    def read_folder(self, conditions: pd.DataFrame, duration_s: float | None = None) -> StimulusSet:
        """Read the videos of all conditions from ``folder``.

        Stills last ``duration_s``, where ``frame_s`` does not say how long a frame lasts.
        """
        folder = existing_folder(self.folder, "recording.videos.folder")
        unknown = InputError("recording.videos.frame_s is not set; give the seconds of a frame")
        if self.frame_s is None and duration_s is None:
            raise unknown
        column = self.column or "name"
        if column not in conditions.columns:
            raise InputError(
                f"recording.videos.column: conditions have no column '{column}'"
                f"{nearest_name(column, map(str, conditions.columns))}"
            )
        videos = {
            k: [self.shape_video(self._oriented(p), str(p)) for p in _find(folder, str(name))]
            for k, name in enumerate(conditions[column])
        }
        still = all(len(video) == 1 for found in videos.values() for video in found)
        frame_s = duration_s if self.frame_s is None and still else self.frame_s
        if frame_s is None:
            raise unknown
        return self.assemble(videos, conditions, frame_s)

    def _oriented(self, path: Path) -> Iterator[np.ndarray]:
        turn = path.suffix == ".npy" and not self.rows_first
        return (f.swapaxes(0, 1) if turn else f for f in read_frames(path))


def cut_segments(
    segments: Sequence[Sequence[Any]] | None, n_frames: int, where: str
) -> tuple[Segment, ...]:
    """Return segments given as [name, number of frames, weight in the loss]; ``None``: one.

    An InputError if they are anything else, or do not cover ``n_frames`` frames.
    """
    out: list[Segment] = []
    for given in segments or [["stimulus", n_frames, 1.0]]:
        try:
            name, frames, weight = given
            frames, weight = int(frames), float(weight)
        except (TypeError, ValueError) as error:
            raise InputError(f"{where}: expected [name, frames, weight], found {given}") from error
        if frames < 1 or not 0 <= weight < np.inf:
            raise InputError(f"{where}: expected frames >= 1 and weight >= 0, found {given}")
        start = out[-1].stop if out else 0
        out.append(Segment(str(name), start, start + frames, weight))
    if out[-1].stop != n_frames:
        raise InputError(f"{where}: cover {out[-1].stop} frames, but the videos have {n_frames}")
    return tuple(out)


def segments_table(stimuli: StimulusSet) -> pd.DataFrame:
    """Return the segments as a table that :func:`segments_of` reads."""
    return pd.DataFrame([vars(s) for s in stimuli.segments])


def segments_of(table: pd.DataFrame) -> tuple[Segment, ...]:
    """Return the segments a file holds as a table, one row each."""
    return tuple(
        Segment(str(s["name"]), int(s["start"]), int(s["stop"]), float(s["weight"]))
        for s in table.to_dict("records")
    )


def resize(frame: np.ndarray, size: int | None) -> np.ndarray:
    """Return a frame (H, W) or (H, W, C) of ``size`` x ``size`` pixels, averaged over areas."""
    if size is None or frame.shape[:2] == (size, size):
        return frame
    return np.asarray(cv2.resize(frame, (int(size), int(size)), interpolation=cv2.INTER_AREA))


def digest(video: np.ndarray) -> str:
    """SHA-256 of the shape and contents of an array."""
    found = hashlib.sha256(str((video.shape, video.dtype.str)).encode())
    found.update(np.ascontiguousarray(video).data.cast("B"))
    return found.hexdigest()


def as_bytes(frame: np.ndarray, where: str) -> np.ndarray:
    """Return grey levels as uint8: whole numbers 0..255 as they are, floats 0..1 times 255.

    An InputError for any other range or type.
    """
    if frame.dtype == np.uint8:
        return frame
    if frame.dtype.kind not in "fiub":
        raise InputError(f"{where}: frames must be numbers, found {frame.dtype}")
    low, high = (frame.min(), frame.max()) if frame.size else (0, 0)
    top = 1 if frame.dtype.kind in "fb" else 255
    if not (low >= 0 and high <= top):
        raise InputError(
            f"{where}: frames must be whole numbers 0..255 or floats 0..1, found {frame.dtype} "
            f"from {low:g} to {high:g}"
        )
    scale = 255 if top == 1 else 1
    return np.rint(frame.astype(np.float32) * scale).astype(np.uint8)


def _find(folder: Path, name: str) -> list[Path]:
    """Videos of one condition: one file, one folder of pictures, or a folder of variants."""
    if Path(name).name != name:
        raise InputError(f"condition '{name}' cannot name a file; set recording.videos.column")
    if not name.isascii():  # a Mac's disk gives names back with their accents apart
        there = {composed(n): n for p in folder.iterdir() for n in (p.stem, p.name)}
        name = there.get(composed(name), name)
    named = [name] if Path(name).suffix.lower() in _VIDEOS else []
    for file in (*named, *(f"{name}{suffix}" for suffix in _VIDEOS)):
        if (folder / file).is_file():
            return [folder / file]
    inside = folder / name
    if inside.is_dir():
        films = [p for p in sorted(inside.iterdir()) if p.suffix.lower() in (*FILMS, ".npy")]
        if films:
            return films
        if any(p.suffix.lower() in PICTURES for p in inside.iterdir()):
            return [inside]
    known = sorted(p.stem if p.is_file() else p.name for p in folder.iterdir())
    raise InputError(f"{folder}: no video of condition '{name}'{nearest_name(name, known)}")
