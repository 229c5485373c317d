"""Options of the sampling rates."""

from __future__ import annotations

from dataclasses import dataclass

from mua_decode.types import InputError


@dataclass(frozen=True, kw_only=True)
class SamplingPlan:
    """At which steps of the counting window the video is decoded.

    Parameters
    ----------
    steps_s
        Steps in seconds (``data.window.step_s``), each a network of its own; the width of the
        window stays. The frame of a bin is the one on screen at the centre of its window.
    overrides
        Options of the run that all of these networks change.
    """

    steps_s: tuple[float, ...]
    overrides: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.steps_s or min(self.steps_s) <= 0:
            raise InputError(f"sampling: expected steps_s above 0, found {list(self.steps_s)}")
        if len(set(self.steps_s)) < len(self.steps_s):
            raise InputError(f"sampling: a step is named twice: {list(self.steps_s)}")
