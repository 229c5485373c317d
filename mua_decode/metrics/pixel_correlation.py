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


def unit_rows(videos: Tensor) -> Tensor:
    """Flat videos (B, D), float64, without their mean and of unit length, 0 where one is constant.

    Pearson's r of any two is the product of their rows.
    """
    rows = videos.flatten(1)
    apart = rows.double() - rows.double().mean(1, keepdim=True)
    norm = torch.linalg.vector_norm(apart, dim=1, keepdim=True)
    return (apart / norm).masked_fill(is_constant(rows)[:, None], 0)


def correlate(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Pearson correlation along the first axis of (D, ...) arrays, float64 (...), as `pearson`."""
    flat = [torch.from_numpy(np.array(a, float).reshape(len(a), -1).T) for a in (x, y)]
    return np.asarray(pearson(*flat).numpy().reshape(x.shape[1:]))


CHANNELS = ("red", "green", "blue")


class PixelCorrelation:
    """Pearson correlation over all C*T*H*W pixels of the frames given, or of one colour of them.

    The correlation of a segment is not the mean of its frames' correlations: pixels of all
    frames and channels enter one sum, so a change of brightness in time counts as signal.

    Parameters
    ----------
    channel
        ``red``, ``green`` or ``blue``: over the T*H*W pixels of that channel, under the name
        ``red_correlation`` and so on; undefined for grey videos. ``None``: all channels.
    """

    name = "pixel_correlation"
    unit = "1"
    higher_is_better = True
    segment: str | None = None
    _channel: int | None = None

    def __init__(self, channel: str | None = None) -> None:
        if channel is not None and channel not in CHANNELS:
            raise ValueError(f"channel: expected one of {', '.join(CHANNELS)}, found {channel}")
        if channel is not None:
            self.name = f"{channel}_correlation"
            self._channel = CHANNELS.index(channel)

    def __call__(self, predicted: Tensor, shown: Shown) -> Tensor:
        """Return the correlation of every trial, (B,); NaN if either video is constant."""
        check_pair(predicted, shown)
        pair = (predicted, shown.video)
        if self._channel is not None:
            if predicted.shape[1] != len(CHANNELS):
                return predicted.new_full((len(predicted),), float("nan"), dtype=torch.float32)
            pair = (predicted[:, self._channel], shown.video[:, self._channel])
        return pearson(*(v.float().flatten(1) for v in pair))
