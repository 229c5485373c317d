"""Baseline: a shallow image decoder for every time bin."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mua_decode.nn import check_input, check_sizes


class ShallowCNNDecoder(nn.Module):
    """A linear layer and four 3×3 convolutions per time bin, with two bilinear upsamplings.

    Baseline of doi 10.1038/s42003-025-09486-7. The first grid has ⌈H/4⌉ × ⌈W/4⌉ cells, the second
    ⌈H/2⌉ × ⌈W/2⌉. 602,115 parameters at 140 sites and frames (C, H, W) = (3, 32, 32). Raises
    ValueError on sizes below 1 or another number of channels than four.

    Parameters
    ----------
    channels
        Channels of the first grid and after each of the first three convolutions.
    """

    def __init__(
        self,
        n_sites: int,
        n_bins: int,
        frame_shape: tuple[int, int, int],
        *,
        channels: tuple[int, int, int, int] = (64, 32, 16, 8),
    ) -> None:
        super().__init__()
        self.frame_shape = check_sizes(n_sites, n_bins, frame_shape)
        self.n_sites, self.n_bins = n_sites, n_bins
        if len(channels) != 4:
            raise ValueError(f"channels: expected four numbers, found {len(channels)}")
        colours, height, width = self.frame_shape
        self.grid = (channels[0], -(-height // 4), -(-width // 4))
        self.middle = (-(-height // 2), -(-width // 2))
        self.seed = nn.Linear(n_sites, self.grid[0] * self.grid[1] * self.grid[2])
        self.convs = nn.ModuleList(
            nn.Conv2d(a, b, 3, padding=1)
            for a, b in zip(channels, (*channels[1:], colours), strict=True)
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(c) for c in channels[1:])

    def forward(self, spikes: Tensor) -> Tensor:
        """Decode `spikes` (B, T, N) to a video (B, C, T, H, W) in [0, 1]."""
        check_input(spikes, (self.n_bins, self.n_sites), name="spikes", axes="(B, T, N)")
        batch = spikes.shape[0]
        x = self.seed(spikes).reshape(batch * self.n_bins, *self.grid)
        sizes = (self.middle, self.frame_shape[1:], None)
        for conv, norm, size in zip(self.convs, self.norms, sizes, strict=False):
            x = F.relu(norm(conv(x)))
            if size is not None:
                x = F.interpolate(x, size=size, mode="bilinear", align_corners=False)
        x = torch.sigmoid(self.convs[-1](x))
        return x.unflatten(0, (batch, self.n_bins)).transpose(1, 2)
