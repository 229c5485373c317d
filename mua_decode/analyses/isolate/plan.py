"""Options of training on regions alone."""

from __future__ import annotations

from dataclasses import dataclass, field

from mua_decode.types import InputError


@dataclass(frozen=True, kw_only=True)
class IsolatePlan:
    """Which networks are trained on regions alone, and how they are tested.

    Raises InputError if a number is below 1.

    Parameters
    ----------
    regions
        Regions to train on alone; ``None``: all of the run.
    groups
        Regions to train on together.
    equal_sites
        Give every region or group so many sites, drawn ``repeats`` times, so that a region's size
        is not mistaken for its role; a group's are shared out evenly over its regions.
    noise_inputs
        How many Gaussian noise inputs, of which chance is made; 0: none.
    permutations
        How often conditions are permuted; 0: not at all.
    correction
        Over the networks of each metric and test: holm, fdr_bh or none.
    """

    regions: tuple[str, ...] | None
    groups: tuple[tuple[str, ...], ...] | None = field(
        metadata={"expected": "lists of regions such as [[V4,MT]]"}
    )
    equal_sites: int | None
    repeats: int
    noise_inputs: int
    permutations: int
    correction: str

    def __post_init__(self) -> None:
        if self.equal_sites is not None and min(self.equal_sites, self.repeats) < 1:
            raise InputError(
                "isolate: equal_sites and repeats must be at least 1, found "
                f"{self.equal_sites}, {self.repeats}"
            )
