"""A network: made with the sizes of the data and the options of its config."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class LinearDecoder(nn.Module):
    """Every frame a linear map of the activity of all bins, through a bottleneck."""

    def __init__(
        self, n_sites: int, n_bins: int, frame_shape: tuple[int, int, int], *, width: int = 32
    ) -> None:
        super().__init__()
        self.n_bins, self.frame_shape = n_bins, tuple(frame_shape)
        channels, height, w = frame_shape
        self.net = nn.Sequential(
            nn.Flatten(),
            nn.Linear(n_sites * n_bins, width),
            nn.Linear(width, n_bins * channels * height * w),
        )

    def forward(self, spikes: Tensor) -> Tensor:
        """Decode standardised counts (B, T, N) to a video (B, C, T, H, W) in [0, 1]."""
        video = torch.sigmoid(self.net(spikes)).unflatten(1, (self.n_bins, *self.frame_shape))
        return video.transpose(1, 2)
