"""Where a decoder stands beside its floors; said before anything is concluded from it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mua_decode.types import PARTS

COMPARED = {"identification": "identified", "pixel_correlation": "pixel r"}
_ROUNDING = 0.0005  # scores are printed with three digits
_LARGEST = 1 << 25  # bytes of a metrics.json


@dataclass(frozen=True)
class Beside:
    """A score of the decoder and that of the strongest floor, both over single trials."""

    metric: str
    value: float
    floor: str
    of_floor: float

    @property
    def below(self) -> bool:
        """Whether the decoder is worse, as printed with three digits."""
        return self.value < self.of_floor - _ROUNDING

    @property
    def said(self) -> str:
        """``identified 0.250, floor lookup 1.000``."""
        name, floor = COMPARED[self.metric], self.floor.replace("_", " ")
        return f"{name} {self.value:.3f}, floor {floor} {self.of_floor:.3f}"


@dataclass(frozen=True)
class Standing:
    """Identification and pixel correlation of single trials, each beside the strongest floor.

    Parameters
    ----------
    part
        Part of the split the scores are of.
    compared
        One entry per metric that decoder and a floor have.
    """

    part: str
    compared: tuple[Beside, ...]

    @property
    def below(self) -> bool:
        """Whether the decoder is below a floor."""
        return any(c.below for c in self.compared)

    @property
    def warning(self) -> str:
        """One line where the decoder is below a floor, else empty."""
        if not self.below:
            return ""
        scores = "; ".join(c.said for c in self.compared if c.below)
        return (
            f"THE DECODER IS BELOW A FLOOR ({scores}; single trials, {self.part} part): "
            "it shows less than a rule does that learns no video, so conclusions on regions "
            "are withheld"
        )

    @classmethod
    def of(cls, flat: Mapping[str, Any]) -> Standing | None:
        """Take it from the flat numbers of a run; ``None`` where they hold no floor."""
        for part in (p for p in ("test", "val", "train") if p in PARTS):
            compared = []
            for metric in COMPARED:
                value = known_number(flat.get(f"{part}/single_trial/{metric}"))
                tail = f"/single_trial/{metric}"
                floors = {
                    name.removeprefix("floor/").removesuffix(tail): found
                    for name, score in flat.items()
                    if name.startswith("floor/") and name.endswith(tail)
                    and (found := known_number(score)) is not None
                }  # fmt: skip
                if value is not None and floors:
                    best = max(floors, key=floors.__getitem__)
                    compared.append(Beside(metric, value, best, floors[best]))
            if compared:
                return cls(part, tuple(compared))
        return None

    @classmethod
    def read(cls, metrics: Path) -> Standing | None:
        """Take it from a ``metrics.json``; ``None`` where there is none, or no floor in it."""
        try:
            if metrics.stat().st_size > _LARGEST:
                return None
            flat = json.loads(metrics.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return None
        return cls.of(flat) if isinstance(flat, dict) else None


def known_number(value: object) -> float | None:
    """Return a finite number of a file, ``None`` for everything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:  # a whole number of hundreds of digits
        return None
