"""Options of the repetition from other seeds."""

from __future__ import annotations

from dataclasses import dataclass

from mua_decode.types import InputError


@dataclass(frozen=True, kw_only=True)
class RepeatPlan:
    """From how many seeds a run is trained, its own among them; whether mixed models are fitted."""

    n_seeds: int
    mixed: bool

    def __post_init__(self) -> None:
        if self.n_seeds < 2:
            raise InputError(f"n_seeds: expected at least 2, found {self.n_seeds}")
