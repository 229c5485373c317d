"""What a decoder is that says how sure it is of every pixel."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor


@runtime_checkable
class Uncertain(Protocol):
    """A decoder that states the variance of what it decodes."""

    def variance(self, spikes: Tensor) -> Tensor:
        """Variance of every pixel given spikes (B, T, N): (B, C, T, H, W), >= 0."""


def mixture_variance(weights: Tensor, videos: Tensor) -> Tensor:
    """Variance of every pixel of a video drawn from L with weights (B, L) that sum to 1.

    `videos` are (L, C, T, H, W); returns (B, C, T, H, W). About the mean of all L, so that float32
    does not cancel.
    """
    middle = videos.mean(0)
    apart = (videos - middle).flatten(1)
    mean = weights @ apart
    found = weights @ apart.square() - mean.square()
    return torch.unflatten(found.clamp(min=0), 1, videos.shape[1:])
