"""Videos side by side that play in the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mua_decode.types import InputError, Segment


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
