"""Options of the correlations of trials."""

from __future__ import annotations

from dataclasses import dataclass

from mua_decode.types import InputError


@dataclass(frozen=True, kw_only=True)
class SimilarityPlan:
    """How many trials are compared.

    Parameters
    ----------
    trials
        Trials of every condition that are compared, where there are as many; whole subsets.
    subset
        Trials of every condition compared with each other at once (published: subsets of
        64 conditions × 12 trials); trials of two subsets are not compared, which bounds the memory.
    """

    trials: int
    subset: int

    def __post_init__(self) -> None:
        if not 2 <= self.subset <= self.trials:
            raise InputError(
                f"similarity: expected 2 <= subset <= trials, found subset={self.subset} and "
                f"trials={self.trials}"
            )
