"""Options of a cross-validation."""

from __future__ import annotations

from dataclasses import dataclass

from mua_decode.types import InputError


@dataclass(frozen=True, kw_only=True)
class CrossvalPlan:
    """Into how many folds the trials are divided; each is tested by a network of its own."""

    n_folds: int

    def __post_init__(self) -> None:
        if self.n_folds < 2:
            raise InputError(f"n_folds: expected at least 2, found {self.n_folds}")
