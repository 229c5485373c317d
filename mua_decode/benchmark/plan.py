"""Options of the benchmark."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from mua_decode.benchmark.workloads import DTYPES
from mua_decode.types import InputError


@dataclass(frozen=True, kw_only=True)
class Scaling:
    """Sizes whose cost is measured one at a time, the others as published."""

    rounds: int
    batch: int
    sites: tuple[int, ...] | None = None
    bins: tuple[int, ...] | None = None
    frame: tuple[int, ...] | None = None
    batches: tuple[int, ...] | None = None
    trials: tuple[int, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class BenchmarkPlan:
    """What is measured, and how often; see ``conf/benchmark.yaml``.

    ``InputError`` if there is no such device or precision.
    """

    routes: tuple[str, ...]
    device: str
    precision: str
    threads: int | None
    batch: int
    rounds: int
    latency_rounds: int
    subset_trials: int
    measure_memory: bool
    measure_data: bool
    scaling: Scaling | None
    seed: int

    def __post_init__(self) -> None:
        if self.device.startswith("cuda") and not torch.cuda.is_available():
            raise InputError("device=cuda: there is no CUDA device here; GPU figures stay open")
        if self.precision not in DTYPES:
            raise InputError(f"precision={self.precision}: choose from {', '.join(DTYPES)}")

    def label(self, route: str) -> str:
        """What a route is called in the flat numbers: plain, fast, or its own name."""
        return {"baseline": "plain", self.routes[0]: "fast"}.get(route, route)
