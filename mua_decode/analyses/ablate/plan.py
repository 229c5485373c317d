"""Options of an ablation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mua_decode.analyses.ablate.fill import FILLS
from mua_decode.runs.plan import check_part
from mua_decode.types import InputError


@dataclass(frozen=True, kw_only=True)
class EqualPlan:
    """Equal numbers of sites from every region, drawn ``repeats`` times."""

    n_sites: int | None
    repeats: int


@dataclass(frozen=True, kw_only=True)
class AblationPlan:
    """What is taken away, what stands in its place and how the loss is told; conf/ablate.yaml.

    Raises InputError if there is no such part or fill, or no ring of donors.
    """

    part: str
    fills: tuple[str, ...]
    donors: int
    regions: tuple[str, ...] | None
    groups: tuple[tuple[str, ...], ...] = field(
        metadata={"expected": "lists of regions such as [[LIP,PFC],[MT,V4]]"}
    )
    subsets: bool
    segments: bool
    equal: EqualPlan
    sites: bool
    trials_per_condition: int | None
    average_only: tuple[str, ...]
    guess: Mapping[str, float] | None
    correction: str
    mixed: bool
    seed: int

    def __post_init__(self) -> None:
        check_part(self.part)
        if self.regions is not None and len(set(self.regions)) < max(1, len(self.regions)):
            raise InputError(f"regions: expected names, each once, found {list(self.regions)}")
        if self.donors < 1:
            raise InputError(f"donors: expected >= 1, found {self.donors}")
        unknown = [f for f in self.fills if f not in FILLS]
        if unknown or not self.fills:
            raise InputError(
                f"fills: choose from {', '.join(FILLS)}, found {unknown or list(self.fills)}"
            )

    def rings(self, fill: str) -> int:
        """Rings of donor conditions that losses of regions and groups are averaged over."""
        return self.donors if fill == "shuffle" else 1
