"""Videos side by side that play in the page."""

from __future__ import annotations

import json
import math
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mua_decode.files import whole
from mua_decode.limits import check_packed
from mua_decode.report.encoding import as_bytes
from mua_decode.types import InputError, Segment

_ABOUT, _ROW = "about", "row/"
_MOST_BYTES = 1 << 29  # of all rows of a file, unpacked
_MOST_ROWS, _MOST_CONDITIONS = 64, 4096


@dataclass(frozen=True, eq=False)
class Films:
    """Videos of the same conditions, one picture per row name, played in step.

    Raises InputError if there is no row, or shapes disagree.

    Parameters
    ----------
    rows
        Name to videos (K, T, C, H, W), C = 1 or 3: uint8, or float in [0, 1] (values outside are
        cut). Rows may differ in C, H and W.
    conditions
        K names, for the menu.
    segments
        Named stretches of frames; the name at the present time is printed.
    """

    rows: Mapping[str, np.ndarray]
    conditions: Sequence[str]
    segments: Sequence[Segment]
    frame_s: float
    caption: str = ""
    title: str = ""

    def __post_init__(self) -> None:
        if not self.rows:
            raise InputError("films: no videos")
        n_frames = next(iter(self.rows.values())).shape[1:2]
        for name, videos in self.rows.items():
            check_videos(videos, f"films: '{name}'", n_conditions=len(self.conditions))
            if videos.shape[1:2] != n_frames:
                raise InputError(
                    f"films: '{name}' has {videos.shape[1]} frames, others have {n_frames[0]}"
                )
        check_times(self.segments, self.frame_s, "films")

    def save(self, path: Path) -> None:
        """Write an ``.npz`` that :meth:`load` reads, uint8, whole or not at all."""
        about = {
            "conditions": list(self.conditions),
            "segments": [[s.name, s.start, s.stop] for s in self.segments],
            "frame_s": self.frame_s,
            "caption": self.caption,
            "title": self.title,
        }
        arrays = {f"{_ROW}{name}": as_bytes(videos) for name, videos in self.rows.items()}
        arrays[_ABOUT] = np.frombuffer(json.dumps(about).encode(), np.uint8)
        # Names may hold a slash: arrays are numbered in the file.
        kept = {str(i): array for i, array in enumerate(arrays.values())}
        kept["names"] = np.frombuffer(json.dumps(list(arrays)).encode(), np.uint8)
        with whole(path) as partial, partial.open("wb") as file:
            np.savez_compressed(file, **kept)  # type: ignore[arg-type]

    @classmethod
    def load(cls, path: Path) -> Films:
        """Read what :meth:`save` wrote, which may come from elsewhere.

        Raises InputError if it is no such file, is damaged, or unpacks to more than films do.
        """
        try:
            with zipfile.ZipFile(path) as archive:
                parts = archive.infolist()
                for part in parts:
                    check_packed(part.file_size, part.compress_size, path)
                size = sum(part.file_size for part in parts)
                if size > _MOST_BYTES or len(parts) > _MOST_ROWS:
                    raise InputError(f"{path}: unpacks to {size / 2**20:.0f} MiB of films; refused")
            with np.load(path, allow_pickle=False) as file:
                names = json.loads(bytes(file["names"]))
                arrays = {str(name): file[str(i)] for i, name in enumerate(names)}
            return cls._of(arrays)
        except InputError:
            raise
        except Exception as error:  # zipfile, zlib, numpy and json have errors of their own
            raise InputError(f"{path}: holds no films") from error

    @classmethod
    def _of(cls, arrays: Mapping[str, np.ndarray]) -> Films:
        about: dict[str, Any] = json.loads(bytes(arrays[_ABOUT]))
        conditions = [str(name)[:200] for name in about["conditions"]]
        if len(conditions) > _MOST_CONDITIONS:
            raise InputError(f"films: {len(conditions)} conditions; refused")
        return cls(
            rows={k.removeprefix(_ROW)[:200]: v for k, v in arrays.items() if k != _ABOUT},
            conditions=conditions,
            segments=[Segment(str(n)[:200], int(a), int(b)) for n, a, b in about["segments"]],
            frame_s=float(about["frame_s"]),
            caption=str(about["caption"])[:2000],
            title=str(about["title"])[:200],
        )


def within_budget(n_conditions: int, bytes_each: int, budget: int = 24 << 20) -> list[int]:
    """Conditions to keep so that one row takes at most ``budget`` bytes, spread evenly."""
    n = max(1, min(n_conditions, budget // max(1, bytes_each)))
    return [math.floor(i * n_conditions / n) for i in range(n)]


def check_videos(videos: np.ndarray, what: str, *, n_conditions: int) -> None:
    """Raise ``InputError`` unless ``videos`` is (n_conditions, T, C, H, W), uint8 or float."""
    good = (
        videos.ndim == 5
        and videos.shape[0] == n_conditions
        and videos.shape[2] in (1, 3)
        and min(videos.shape) > 0
        and (videos.dtype == np.uint8 or np.issubdtype(videos.dtype, np.floating))
    )
    if not good:
        raise InputError(
            f"{what}: videos must be uint8 or float ({n_conditions}, T, C, H, W) with C = 1 or 3, "
            f"found {videos.dtype} {videos.shape}"
        )


def check_times(segments: Sequence[Segment], frame_s: float, what: str) -> None:
    """Raise ``InputError`` unless frames last a positive time and segments are in order."""
    if not (np.isfinite(frame_s) and frame_s > 0):
        raise InputError(f"{what}: frame_s must be > 0 seconds, found {frame_s}")
    edges = [e for s in segments for e in (s.start, s.stop)]
    if edges != sorted(edges):
        found = [(s.name, s.start, s.stop) for s in segments]
        raise InputError(f"{what}: segments must follow one another, found {found}")
