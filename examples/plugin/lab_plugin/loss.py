"""A loss: made with the weight of every frame; called with two videos, returns a scalar."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class L1Loss(nn.Module):
    """Absolute error, frames weighted by segment."""

    frame_weights: Tensor

    def __init__(self, frame_weights: Tensor, *, power: float = 1.0) -> None:
        super().__init__()
        self.register_buffer("frame_weights", torch.as_tensor(frame_weights), persistent=False)
        self.power = power

    def forward(self, predicted: Tensor, true: Tensor) -> Tensor:
        """Scalar loss of two videos (B, C, T, H, W)."""
        error = (predicted - true).abs().pow(self.power).mean(dim=(1, 3, 4))
        weights = self.frame_weights.to(error)
        return (error @ weights).mean() / weights.sum()
