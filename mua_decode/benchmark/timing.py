"""Times of several programs, taken in turn so that a busy machine slows all of them alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch


@dataclass(frozen=True)
class Timing:
    """Times of one program, one per round."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """Median in seconds."""
        return float(np.median(self.seconds))

    @property
    def spread(self) -> float:
        """Distance between the quartiles over the median."""
        low, high = np.quantile(self.seconds, [0.25, 0.75])
        return float((high - low) / self.median)

    def ratio_to(self, other: Timing) -> float:
        """How many times longer `other` takes: the median of the ratios round by round."""
        pairs = zip(other.seconds, self.seconds, strict=True)
        return float(np.median([a / b for a, b in pairs]))


def time_alternately(
    programs: Mapping[str, Callable[[], object]], *, rounds: int, device: str = "cpu"
) -> dict[str, Timing]:
    """Run all programs once to warm up, then `rounds` times in turn.

    On "cuda" the device is waited for around every run.
    """

    def wait() -> None:
        if device.startswith("cuda"):
            torch.cuda.synchronize()

    for program in programs.values():
        program()
    found: dict[str, list[float]] = {name: [] for name in programs}
    for _ in range(rounds):
        for name, program in programs.items():
            wait()
            start = time.perf_counter()
            program()
            wait()
            found[name].append(time.perf_counter() - start)
    return {name: Timing(tuple(seconds)) for name, seconds in found.items()}
