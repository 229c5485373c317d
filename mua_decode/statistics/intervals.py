"""What an interval is, and what stands in its place where there is none."""

from __future__ import annotations

from typing import NamedTuple


class Interval(NamedTuple):
    """An estimate with the ends of its 95 % confidence interval, NaN where there is none."""

    estimate: float
    low: float = float("nan")
    high: float = float("nan")

    @property
    def reason(self) -> str:
        """Why there is no interval; empty where there is one."""
        return ""


class NoInterval(Interval):
    """An estimate alone, with the reason in one line why it has no interval."""

    _why: str

    def __new__(cls, estimate: float, why: str) -> NoInterval:
        """Take the estimate, NaN where there is none either, and the reason."""
        self = super().__new__(cls, estimate)
        self._why = why
        return self

    @property
    def reason(self) -> str:
        """Why there is no interval."""
        return self._why
