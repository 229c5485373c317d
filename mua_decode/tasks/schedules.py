"""Learning-rate schedules that need the length of the whole run."""

from __future__ import annotations

import math

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR


def warmup_cosine(
    optimizer: Optimizer, *, total_steps: int, warmup: float = 0.05, floor: float = 0.0
) -> LambdaLR:
    """Linear warm-up followed by a half cosine down to ``floor`` times the base rate.

    ``total_steps`` are the optimiser steps of the whole run, of which ``warmup`` is a share, 0..1.
    """
    n_warm = max(1, round(warmup * total_steps))

    def factor(step: int) -> float:
        if step < n_warm:
            return (step + 1) / n_warm
        done = min(1.0, (step - n_warm) / max(1, total_steps - n_warm))
        return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * done))

    return LambdaLR(optimizer, factor)
