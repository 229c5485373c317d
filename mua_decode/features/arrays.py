"""Vectors the user supplies, one per condition: embeddings of captions, ratings, anything."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mua_decode.features.space import FeatureSpace
from mua_decode.types import InputError, StimulusSet


class ArrayFeatures(FeatureSpace):
    """Read a ``.npy`` array (K, D), or (K, T, D) with one vector per frame, row k of condition k.

    ``name``, such as ``semantic``, is that in tables and figures.
    """

    def __init__(self, *, path: str | None, name: str = "arrays") -> None:
        if not path:
            raise InputError("features: path is not set; give the .npy file: features.NAME.path=")
        self.name = name
        self.path = Path(path).expanduser()
        try:
            values = np.load(self.path, allow_pickle=False)
        except FileNotFoundError as error:
            raise InputError(f"features: no such file: {self.path}") from error
        except (ValueError, OSError, EOFError) as error:
            raise InputError(f"{self.path}: is damaged or not a numeric .npy file") from error
        if values.ndim not in (2, 3) or values.dtype.kind not in "uif":
            raise InputError(
                f"{self.path}: must be numbers (K, D) or (K, T, D), "
                f"found {values.dtype} {values.shape}"
            )
        if not np.isfinite(values).all():
            raise InputError(f"{self.path}: holds NaN or infinite numbers")
        self.values = values.astype(np.float32)

    def of_stimuli(self, stimuli: StimulusSet, frames: np.ndarray) -> np.ndarray:
        """Return the rows, float32 (K, F, D); one vector serves all frames of a condition."""
        if len(self.values) != stimuli.n_conditions:
            raise InputError(
                f"{self.path}: has {len(self.values)} rows, expected one per condition "
                f"({stimuli.n_conditions})"
            )
        if self.values.ndim == 2:
            return np.repeat(self.values[:, None], len(frames), axis=1)
        if self.values.shape[1] != stimuli.n_frames:
            raise InputError(
                f"{self.path}: has {self.values.shape[1]} frames, expected {stimuli.n_frames}"
            )
        return self.values[:, frames]
