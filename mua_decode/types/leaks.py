"""Whether recorded data of the test part can reach training; there are three answers, not two."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum


class LeakState(Enum):
    """What is known of a split; the value is what is said of it.

    Neither true nor false: that "unknown" is not taken for "no leak", a state is compared, and
    asking for its truth is a TypeError.
    """

    FREE = "free of leaks"
    LEAKING = "LEAKING (pooled before the split)"
    UNKNOWN = "leaks unknown: pooled before they were stored, or weights trained elsewhere"

    def __bool__(self) -> bool:
        raise TypeError("a LeakState is one of three; compare it with LeakState.FREE")

    @classmethod
    def of(cls, unit: str, *, stored: bool) -> LeakState:
        """State of a split by its unit; ``stored``: trials were pooled before they were stored."""
        if unit == "pseudo_trial":
            return cls.LEAKING
        return cls.UNKNOWN if stored else cls.FREE

    @classmethod
    def of_flag(cls, flag: bool | str) -> LeakState:
        """State that a ``metrics.json`` names."""
        return cls.UNKNOWN if flag == "unknown" else cls.LEAKING if flag else cls.FREE

    @classmethod
    def worst(cls, flags: Iterable[bool | str]) -> LeakState:
        """State of several splits that are told together, by what ``metrics.json`` says of each."""
        states = {cls.of_flag(flag) for flag in flags}
        return next((s for s in (cls.LEAKING, cls.UNKNOWN) if s in states), cls.FREE)

    @classmethod
    def of_label(cls, part: str) -> LeakState:
        """State that the column ``split`` of a table of results names."""
        marked = [s for s in (cls.LEAKING, cls.UNKNOWN) if s.label("") in part]
        return marked[0] if marked else cls.FREE

    @property
    def flag(self) -> bool | str:
        """``leaking`` of ``metrics.json``: true, false, or ``"unknown"``."""
        return "unknown" if self is LeakState.UNKNOWN else self is LeakState.LEAKING

    def label(self, part: str) -> str:
        """Name a part of the split in a table: ``test``, ``test (leaking)`` ..."""
        return (
            part + {"FREE": "", "LEAKING": " (leaking)", "UNKNOWN": " (leaks unknown)"}[self.name]
        )

    @property
    def mark(self) -> str:
        """What a short title says of it; nothing of a split without leaks."""
        return {"FREE": "", "LEAKING": ", LEAKING", "UNKNOWN": ", LEAKS UNKNOWN"}[self.name]

    @property
    def stamp(self) -> str:
        """What the title of a figure says of it; nothing of a split without leaks."""
        said = {"LEAKING": "LEAKING: pooled before the split", "UNKNOWN": self.value}
        return f" - {said[self.name]}" if self.name in said else ""
