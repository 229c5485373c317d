"""Pearson's r of pixels over the time of a block: what a static picture cannot have."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from mua_decode.analyses.film.decoded import Decoded

METRIC = "time_correlation"
BEST = "best_pixel_time_correlation"


def pixel_correlations(true: Tensor, decoded: Tensor) -> Tensor:
    """Pearson's r over time of every pixel.

    Parameters
    ----------
    true
        float (T, P).
    decoded
        float (..., T, P).

    Returns
    -------
    float64 (..., P): NaN where the true pixel never changes, 0 where the decoded one does not.
    """
    one = true.double() - true.double().mean(-2, keepdim=True)
    other = decoded.double() - decoded.double().mean(-2, keepdim=True)
    norm = torch.linalg.vector_norm
    length, own = norm(one, dim=-2), norm(other, dim=-2)
    r = (one * other).sum(-2) / (length * own).clamp(min=1e-12)
    flat = 1e-6 * len(true) ** 0.5
    r = torch.where(own > flat, r, 0.0)
    return torch.where(length > flat, r, float("nan"))


def over_time(videos: Tensor) -> Tensor:
    """Stretches (..., Q, C, T, H, W) one after the other: (..., Q * T, C * H * W)."""
    moved = videos.movedim(-3, -4)  # (..., Q, T, C, H, W)
    *lead, q, t, c, h, w = moved.shape
    return moved.reshape(*lead, q * t, c * h * w)


def block_scores(found: dict[str, Decoded], blocks: np.ndarray) -> pd.DataFrame:
    """Scores of every decoder in every block of time, int (K,) by condition.

    Returns
    -------
    DataFrame with columns run, block (its number), trial, metric, value (mean over pixels and
    trials, or of the best pixel, of averages alone) and n (trials).
    """
    rows = []
    for name, decoded in found.items():
        own = blocks[decoded.conditions]
        for block in np.unique(own):
            part = decoded.select(np.flatnonzero(own == block))
            true = over_time(part.true)
            about = {"run": name, "block": int(block), "n": len(part.trials)}
            single = pixel_correlations(true, over_time(part.trials))
            average = pixel_correlations(true, over_time(part.average)).numpy()
            if np.isnan(average).all():  # nothing moves in this block
                continue
            values = {
                ("single_trial", METRIC): float(single.nanmean()),
                ("trial_average", METRIC): float(np.nanmean(average)),
                ("trial_average", BEST): float(np.nanmax(average)),
            }
            for (trial, metric), value in values.items():
                rows.append({**about, "trial": trial, "metric": metric, "value": value})
    return pd.DataFrame(rows, columns=["run", "block", "n", "trial", "metric", "value"])
