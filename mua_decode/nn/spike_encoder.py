"""From spike counts to a first coarse video, one time bin at a time."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class SpikeEncoder(nn.Module):
    """Linear → BatchNorm over the time bins → ReLU → Linear → sigmoid, reshaped to a video.

    Input (B, T, N), frames (C, H, W), output (B, C, T, H, W) in [0, 1]. The last layer's features
    are ordered (H, W, C), so the video comes out in channels-last layout without a copy.
    """

    def __init__(
        self, n_sites: int, n_bins: int, frame_shape: tuple[int, int, int], *, hidden: int = 512
    ) -> None:
        super().__init__()
        channels, height, width = frame_shape
        self.frame_shape = (channels, height, width)
        self.hidden = nn.Linear(n_sites, hidden)
        self.norm = nn.BatchNorm1d(n_bins)
        self.frame = nn.Linear(hidden, channels * height * width)

    def logits(self, spikes: Tensor) -> Tensor:
        """Return the video (B, C, T, H, W) before the sigmoid."""
        channels, height, width = self.frame_shape
        x = self.frame(F.relu(self.norm(self.hidden(spikes))))
        return x.unflatten(2, (height, width, channels)).permute(0, 4, 1, 2, 3)

    def forward(self, spikes: Tensor) -> Tensor:
        """Return the coarse video (B, C, T, H, W) in [0, 1] of `spikes` (B, T, N)."""
        return torch.sigmoid(self.logits(spikes))
