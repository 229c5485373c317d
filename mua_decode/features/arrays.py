"""Vectors the user supplies, one per condition: embeddings of captions, ratings, anything."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from mua_decode.features.space import FeatureSpace
from mua_decode.types import InputError, StimulusSet, composed, nearest_name


class ArrayFeatures(FeatureSpace):
    """Read one row of numbers per condition.

    A ``.npy`` array (K, D), or (K, T, D) with one vector per frame, or a ``.csv`` table, in the
    order of the conditions; a column ``image`` of a table holds the conditions' names, and its rows
    stand in any order. ``name``, such as ``semantic``, is that in tables and figures.
    """

    def __init__(self, *, path: str | None, name: str = "arrays") -> None:
        if not path:
            raise InputError(
                "features: path is not set; give the .npy or .csv file: features.NAME.path="
            )
        self.name = name
        self.path = Path(path).expanduser()
        self.images: list[str] | None = None
        try:
            values = self._table() if self.path.suffix == ".csv" else self._array()
        except FileNotFoundError as error:
            raise InputError(f"features: no such file: {self.path}") from error
        if values.ndim not in (2, 3) or values.dtype.kind not in "uif" or not values.size:
            raise InputError(
                f"{self.path}: must be numbers (K, D) or (K, T, D), "
                f"found {values.dtype} {values.shape}"
            )
        if not np.isfinite(values).all():
            raise InputError(f"{self.path}: holds NaN or infinite numbers")
        self.values = values.astype(np.float32)

    def _array(self) -> np.ndarray:
        try:
            return np.asarray(np.load(self.path, allow_pickle=False))
        except FileNotFoundError:
            raise
        except (ValueError, OSError, EOFError) as error:
            raise InputError(f"{self.path}: is damaged or not a numeric .npy file") from error

    def _table(self) -> np.ndarray:
        try:
            table = pd.read_csv(self.path)
        except FileNotFoundError:
            raise
        except (ValueError, OSError) as error:
            raise InputError(f"{self.path}: is damaged or not a .csv table") from error
        if "image" in table:
            self.images = [composed(name) for name in table.pop("image").astype(str)]
        words = [str(c) for c in table if table[c].dtype.kind not in "uifb"]
        if words:
            raise InputError(
                f"{self.path}: column '{words[0]}' holds more than numbers; names of images belong "
                "into a column 'image'"
            )
        return table.to_numpy(float)

    def of_stimuli(self, stimuli: StimulusSet, frames: np.ndarray) -> np.ndarray:
        """Return the rows, float32 (K, F, D); one vector serves all frames of a condition."""
        values = self.values if self.images is None else self.values[self._rows(stimuli.names)]
        if len(values) != stimuli.n_conditions:
            raise InputError(
                f"{self.path}: has {len(values)} rows, expected one per condition "
                f"({stimuli.n_conditions})"
            )
        if values.ndim == 2:
            return np.repeat(values[:, None], len(frames), axis=1)
        if values.shape[1] != stimuli.n_frames:
            raise InputError(
                f"{self.path}: has {values.shape[1]} frames, expected {stimuli.n_frames}"
            )
        return values[:, frames]

    def _rows(self, names: list[str]) -> list[int]:
        """Row of every condition."""
        assert self.images is not None
        row = {image: i for i, image in enumerate(self.images)}
        if len(row) < len(self.images):
            twice = next(i for i in row if self.images.count(i) > 1)
            raise InputError(f"{self.path}: image '{twice}' stands in it twice")
        missing = [n for n in names if n not in row]
        if missing:
            raise InputError(
                f"{self.path}: has no row for image '{missing[0]}'{nearest_name(missing[0], row)}, "
                f"and {len(missing)} of {len(names)} lack one"
            )
        return [row[n] for n in names]
