"""Options of the scores of an encoding model."""

from __future__ import annotations

from dataclasses import dataclass

from mua_decode.analyses.encode.bands import Band
from mua_decode.statistics import CORRECTIONS
from mua_decode.types import InputError


@dataclass(frozen=True, kw_only=True)
class EncodePlan:
    """How an encoding model is scored; see ``score`` and ``bands`` of ``conf/encode.yaml``."""

    splits: int
    noise_videos: int  # published: 100
    alpha: float
    correction: str
    bands: tuple[Band, ...]

    def __post_init__(self) -> None:
        for name in ("splits", "noise_videos"):
            if getattr(self, name) < 1:
                raise InputError(f"{name}: expected at least 1, found {getattr(self, name)}")
        if not 0 < self.alpha < 1:
            raise InputError(f"alpha: expected between 0 and 1, found {self.alpha:g}")
        if self.correction not in CORRECTIONS:
            known = ", ".join(CORRECTIONS)
            raise InputError(f"correction: choose from {known}; found {self.correction}")
