"""Scores of masks, and their files: the decoder runs once per mask, an interrupted run goes on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mua_decode.files import whole
from mua_decode.scoring.guesses import with_guesses
from mua_decode.types import SiteMask

TRIALS = ("single_trial", "trial_average")
_KINDS = ("single", "undefined", "average")


@dataclass(frozen=True, eq=False, kw_only=True)
class MaskScores:
    """Scores of one mask under one fill, condition by condition.

    Parameters
    ----------
    mask, fill
        What was taken away, and what masked sites showed instead.
    single
        Metric to float (K,): mean over the single trials of each condition in which the metric
        is defined, NaN where it never is.
    undefined
        Metric to float (K,): share of single trials in which it is undefined.
    average
        Metric to float (K,): score of the video averaged over the trials of a condition.
    ring
        Number of the ring of donor conditions.
    predicted
        uint8 (K, C, T, H, W): decoded video averaged over trials; ``None`` where it was let go.
    file
        Where the scores are kept.
    """

    mask: SiteMask
    fill: str
    single: Mapping[str, np.ndarray]
    undefined: Mapping[str, np.ndarray]
    average: Mapping[str, np.ndarray]
    ring: int = 0
    predicted: np.ndarray | None = None
    file: Path | None = None

    def score(
        self, metric: str, trial: str, guess: Mapping[str, float]
    ) -> tuple[np.ndarray, np.ndarray] | None:
        """Score of every condition (K,), and the share of its trials in which it is undefined.

        Undefined trials count as guesses where one is named; ``None``: not computed.
        """
        if trial == "trial_average":
            value = self.average[metric]
            undefined = np.isnan(value).astype(float)
        elif metric in self.single:
            value, undefined = self.single[metric], self.undefined[metric]
        else:
            return None
        return with_guesses(value, undefined, guess=guess.get(metric)), undefined

    def video(self) -> np.ndarray:
        """Read the mean decoded video from the file, uint8 (K, C, T, H, W)."""
        assert self.file is not None, "not kept"
        with np.load(self.file, allow_pickle=False) as file:
            return np.asarray(file["predicted"])

    def save(self, path: Path, *, video: bool) -> MaskScores:
        """Keep scores, with the mean video where asked for; return them without it."""
        arrays = {f"{kind}/{m}": v for kind in _KINDS for m, v in getattr(self, kind).items()}
        if video and self.predicted is not None:
            arrays["predicted"] = self.predicted
        with whole(path) as partial, partial.open("wb") as file:
            np.savez_compressed(file, **arrays)
        return replace(self, predicted=None, file=path)

    @classmethod
    def load(cls, path: Path, mask: SiteMask, *, fill: str, video: bool) -> MaskScores | None:
        """Read scores; ``None`` where the file is missing, damaged or lacks a video asked for.

        The video itself stays on disk.
        """
        kinds: dict[str, Any] = {kind: {} for kind in _KINDS}
        try:
            with np.load(path, allow_pickle=False) as file:
                if video and "predicted" not in file.files:
                    return None
                for name in (n for n in file.files if n != "predicted"):
                    kind, _, metric = name.partition("/")
                    kinds[kind][metric] = file[name]
        except Exception:  # zipfile and zlib have errors of their own for cut files
            return None
        return cls(mask=mask, fill=fill, file=path, **kinds)
