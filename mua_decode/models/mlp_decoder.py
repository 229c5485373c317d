"""Baseline: a perceptron for every time bin."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mua_decode.nn import check_input, check_sizes


class MLPDecoder(nn.Module):
    """Three linear layers per time bin (baseline of doi 10.1038/s42003-025-09486-7).

    Batch normalisation over the time bins and ReLU follow the first two layers, a sigmoid the
    third. 3,746,484 parameters at 140 sites, 45 bins and frames (C, H, W) = (3, 32, 32). Raises
    ValueError on sizes below 1 or another number of hidden layers than two.
    """

    def __init__(
        self,
        n_sites: int,
        n_bins: int,
        frame_shape: tuple[int, int, int],
        *,
        hidden_sizes: tuple[int, int] = (512, 1024),
    ) -> None:
        super().__init__()
        self.frame_shape = check_sizes(n_sites, n_bins, frame_shape)
        self.n_sites, self.n_bins = n_sites, n_bins
        if len(hidden_sizes) != 2:
            raise ValueError(f"hidden_sizes: expected two layers, found {len(hidden_sizes)}")
        first, second = hidden_sizes
        channels, height, width = self.frame_shape
        self.first = nn.Linear(n_sites, first)
        self.first_norm = nn.BatchNorm1d(n_bins)
        self.second = nn.Linear(first, second)
        self.second_norm = nn.BatchNorm1d(n_bins)
        self.frame = nn.Linear(second, channels * height * width)

    def forward(self, spikes: Tensor) -> Tensor:
        """Decode `spikes` (B, T, N) to a video (B, C, T, H, W) in [0, 1]."""
        check_input(spikes, (self.n_bins, self.n_sites), name="spikes", axes="(B, T, N)")
        channels, height, width = self.frame_shape
        x = F.relu(self.first_norm(self.first(spikes)))
        x = F.relu(self.second_norm(self.second(x)))
        video = torch.sigmoid(self.frame(x)).unflatten(2, (height, width, channels))
        return video.permute(0, 4, 1, 2, 3)
