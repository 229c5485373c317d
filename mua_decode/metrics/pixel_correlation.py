"""Pearson correlation of the pixels."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from mua_decode.metrics.protocol import Shown, check_pair


def is_constant(rows: Tensor) -> Tensor:
    """Return bool (B,): every value of the row (B, D) is the same but for rounding."""
    low, high = rows.aminmax(dim=1)
    return high - low <= 4 * torch.finfo(rows.dtype).eps * torch.maximum(high.abs(), low.abs())


def pearson(x: Tensor, y: Tensor) -> Tensor:
    """Pearson correlation of matching rows of float tensors (B, D), (B,) in [-1, 1].

    NaN where a row is constant or holds NaN.
    """
    dx = x - x.mean(1, keepdim=True)
    dy = y - y.mean(1, keepdim=True)
    norm = torch.linalg.vector_norm(dx, dim=1) * torch.linalg.vector_norm(dy, dim=1)
    r = torch.linalg.vecdot(dx, dy, dim=1) / norm
    undefined = is_constant(x) | is_constant(y)
    return r.clamp(-1, 1).masked_fill(undefined, float("nan"))


def correlate(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Pearson correlation along the first axis of (D, ...) arrays, float64 (...), as `pearson`."""
    flat = [torch.from_numpy(np.array(a, float).reshape(len(a), -1).T) for a in (x, y)]
    return np.asarray(pearson(*flat).numpy().reshape(x.shape[1:]))


class PixelCorrelation:
    """Pearson correlation over all C*T*H*W pixels of the frames given.

    The correlation of a segment is not the mean of its frames' correlations: pixels of all
    frames and channels enter one sum, so a change of brightness in time counts as signal.
    """

    name = "pixel_correlation"
    unit = "1"
    higher_is_better = True
    segment: str | None = None

    def __call__(self, predicted: Tensor, shown: Shown) -> Tensor:
        """Return the correlation of every trial, (B,); NaN if either video is constant."""
        check_pair(predicted, shown)
        return pearson(predicted.float().flatten(1), shown.video.float().flatten(1))
