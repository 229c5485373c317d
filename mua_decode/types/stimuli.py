"""The videos shown, each stored once, and what makes one condition differ from another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from mua_decode.types.errors import InputError
from mua_decode.types.names import composed


@dataclass(frozen=True)
class Segment:
    """A named stretch of frames ``start <= frame < stop`` with its weight in the loss."""

    name: str
    start: int
    stop: int
    weight: float = 1.0


@dataclass(frozen=True, eq=False)
class StimulusSet:
    """The videos of all conditions.

    Parameters
    ----------
    videos
        uint8 array (V, T, C, H, W), every distinct video once. C is 1 (grey) or 3 (RGB).
    condition
        int array (V,): the condition each video belongs to. Several videos of one condition are
        its *variants* (the same stimulus with other random dots, say).
    conditions
        One row per condition, row number = condition. Column ``name``, which tells every
        condition from the others, is required; other columns
        describe the condition (``cue``, ``colour``, ``direction_deg``, ``movie`` ...).
    segments
        Contiguous, in order, covering all T frames.
    frame_s
        Seconds from one frame to the next.
    """

    videos: np.ndarray
    condition: np.ndarray
    conditions: pd.DataFrame
    segments: tuple[Segment, ...]
    frame_s: float

    def __post_init__(self) -> None:
        v = self.videos
        if v.ndim != 5 or v.dtype != np.uint8 or v.shape[2] not in (1, 3):
            raise InputError(
                "stimuli: videos must be uint8 (V, T, C, H, W) with C = 1 or 3, "
                f"found {v.dtype} {v.shape}"
            )
        if not (np.isfinite(self.frame_s) and self.frame_s > 0):
            raise InputError(f"stimuli: frame_s must be > 0 seconds, found {self.frame_s}")
        if len(v) == 0 or self.condition.shape != (len(v),):
            raise InputError(
                f"stimuli: condition must be ({len(v)},), one per video, "
                f"found {self.condition.shape}"
            )
        if "name" not in self.conditions.columns:
            raise InputError("stimuli: conditions table has no column 'name'")
        self._check_names()
        without = np.setdiff1d(np.arange(len(self.conditions)), self.condition)
        if len(without):
            name = self.conditions["name"].iloc[without[0]]
            raise InputError(f"stimuli: condition {without[0]} ('{name}') has no video")
        if self.condition.min() < 0 or self.condition.max() >= len(self.conditions):
            raise InputError("stimuli: a video names a condition outside the conditions table")
        edges = [0, *(s.stop for s in self.segments)]
        if [s.start for s in self.segments] != edges[:-1] or edges[-1] != v.shape[1]:
            raise InputError(
                f"stimuli: segments must cover frames 0..{v.shape[1]} without gaps, found "
                f"{[(s.name, s.start, s.stop) for s in self.segments]}"
            )

    def _check_names(self) -> None:
        columns = [str(c) for c in self.conditions.columns]
        if len(set(columns)) < len(columns):
            raise InputError(f"stimuli: columns of the conditions table repeat: {columns}")
        given = self.conditions["name"].astype(str)
        if not given.map(str.isascii).all():
            conditions = self.conditions.assign(name=given.map(composed))
            object.__setattr__(self, "conditions", conditions)
        names = pd.Series(self.names)
        if (names.str.strip() == "").any():
            raise InputError("stimuli: a condition has an empty name")
        if names.duplicated().any():
            first, second = np.flatnonzero(names == names[names.duplicated()].iloc[0])[:2]
            raise InputError(
                f"stimuli: conditions {first} and {second} are both called '{names[first]}'; give "
                "every condition a name of its own"
            )

    @property
    def n_conditions(self) -> int:
        """Number of conditions K."""
        return len(self.conditions)

    @property
    def n_frames(self) -> int:
        """Frames per video, T."""
        return int(self.videos.shape[1])

    @property
    def frame_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of a frame, (C, H, W)."""
        c, h, w = self.videos.shape[2:]
        return int(c), int(h), int(w)

    @property
    def names(self) -> list[str]:
        """Condition names, in order."""
        return self.conditions["name"].astype(str).tolist()

    @property
    def frame_weights(self) -> np.ndarray:
        """Loss weight of every frame, float array (T,)."""
        return np.concatenate([np.full(s.stop - s.start, s.weight) for s in self.segments])

    def variants(self, condition: int) -> np.ndarray:
        """Indices into ``videos`` of the variants of a condition."""
        return np.flatnonzero(self.condition == condition)

    def mean_videos(self, videos: np.ndarray | None = None) -> np.ndarray:
        """Mean over variants for every condition, float32 (K, T, C, H, W) in [0, 1].

        Parameters
        ----------
        videos
            Indices of the videos that may be used (default: all); at least one per condition.
        """
        use = np.arange(len(self.videos)) if videos is None else np.asarray(videos)
        out = np.empty((self.n_conditions, *self.videos.shape[1:]), np.float32)
        for k in range(self.n_conditions):
            chosen = use[self.condition[use] == k]
            out[k] = self.videos[chosen].mean(axis=0, dtype=np.float32) / 255
        return out
