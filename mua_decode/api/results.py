"""What a decoder gives back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from mua_decode.data import SiteMatch
from mua_decode.types import Segment


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """Videos that were shown and what was decoded, trial by trial.

    Parameters
    ----------
    true, decoded
        float32 (B, C, T, H, W) in [0, 1].
    condition, names
        int (B,): condition of every trial; its name, B of them.
    segments
        Named stretches of frames.
    frame_s
        Seconds from one frame to the next.
    """

    true: np.ndarray
    decoded: np.ndarray
    condition: np.ndarray
    names: tuple[str, ...]
    segments: tuple[Segment, ...]
    frame_s: float

    def __len__(self) -> int:
        return len(self.condition)


@dataclass(frozen=True, eq=False)
class DecodedTrials:
    """Decoded trials of a recording.

    Parameters
    ----------
    video
        float32 (B, C, T, H, W) in [0, 1].
    table
        One row per trial: ``session``, ``trial`` (row of the session's trials table),
        ``condition``, ``name``, ``sites`` (how many of the run's sites were recorded).
    match
        Which of the run's sites the recording has.
    """

    video: np.ndarray
    table: pd.DataFrame
    match: SiteMatch
