"""Where a decoder stands beside chance and floors; said before anything is concluded from it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from mua_decode.scoring.chance import Chance, chance_of, known_number
from mua_decode.types import PARTS, STAND_IN, read_table

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
    chance
        Identification beside chance; ``None`` where it was not scored, or what is independent is
        not known.
    stand_in
        Whether blank pictures stand in for the videos, so that no score means anything.
    """

    part: str
    compared: tuple[Beside, ...]
    chance: Chance | None = None
    stand_in: bool = False

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

    @property
    def warnings(self) -> dict[str, str]:
        """What forbids conclusions, one line each, by a word or two; empty where nothing does."""
        if self.stand_in:
            return {
                "stand-in videos": "STAND-IN VIDEOS: NO SCORE MEANS ANYTHING (blank pictures stand "
                "in for what was shown), so conclusions on regions are withheld"
            }
        found = {}
        if self.chance is not None and not self.chance.above:
            found["not above chance"] = (
                f"NOT ABOVE CHANCE: {self.chance.said}, single trials, {self.part} part; "
                "conclusions on regions are withheld"
            )
        if self.below:
            found["below a floor"] = self.warning
        return found

    @property
    def withheld(self) -> bool:
        """Whether nothing is to be concluded from the decoder."""
        return bool(self.warnings)

    @property
    def good(self) -> bool:
        """Whether the decoder is above chance by a test and below no floor."""
        return not self.warnings and self.chance is not None

    @classmethod
    def of(
        cls,
        flat: Mapping[str, Any],
        *,
        table: pd.DataFrame | None = None,
        notes: Sequence[object] = (),
    ) -> Standing | None:
        """Take it from the flat numbers of a run; ``None`` where they hold no score to compare.

        Parameters
        ----------
        table
            ``results.csv``, asked where the numbers do not say what is independent.
        notes
            Those of the recording.
        """
        blank = flat.get("stand_in") is True or STAND_IN in notes
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
            chance = chance_of(flat, part, table)
            if compared or chance is not None:
                return cls(part, tuple(compared), chance, blank)
        return None

    @classmethod
    def read(cls, metrics: Path) -> Standing | None:
        """Take it from a ``metrics.json`` and what lies beside it.

        ``None`` where there is none, or no score to compare in it.
        """
        flat, about = _json(metrics), _json(metrics.with_name("recording.json"))
        notes = about.get("notes")
        notes = notes if isinstance(notes, list) else []
        found = cls.of(flat, notes=notes)
        if found is not None and found.chance is None:  # of an earlier version
            found = cls.of(flat, table=_table(metrics.with_name("results.csv")), notes=notes)
        return found


def _json(path: Path) -> dict[str, Any]:
    """Read a mapping; empty where it is missing, damaged or larger than such files are."""
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST:
            return {}
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _table(path: Path) -> pd.DataFrame | None:
    try:
        known = path.is_file() and path.stat().st_size <= _LARGEST
        return read_table(path) if known else None
    except (OSError, ValueError):  # pandas' own errors are ValueErrors
        return None
