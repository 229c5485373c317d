"""The floor that ignores the spikes."""

from __future__ import annotations

import torch
from torch import Tensor

from mua_decode.models.floor import Batches, require_fitted, stream


class MeanVideo:
    """Returns the mean training video whatever the spikes: what no information scores."""

    name = "mean_video"

    def __init__(self) -> None:
        self._mean: Tensor | None = None

    def fit(self, train: Batches, val: Batches, videos: Tensor) -> None:  # noqa: ARG002
        """Average ``videos`` (K, C, T, H, W), each weighted by its number of training trials."""
        count = torch.zeros(len(videos), dtype=torch.float64, device=videos.device)
        for _, condition in stream(train, videos):
            count += torch.bincount(condition, minlength=len(videos))
        if not count.any():
            raise ValueError("floor 'mean_video': no training trial")
        trained = count > 0
        share = (count[trained] / count.sum()).to(videos.dtype)
        self._mean = torch.einsum("k,kcthw->cthw", share, videos[trained])

    def predict(self, spikes: Tensor) -> Tensor:
        """Return the mean video for each of the spikes (B, T, N): (B, C, T, H, W) in [0, 1]."""
        mean = require_fitted(self._mean, self.name)
        return mean.repeat(len(spikes), 1, 1, 1, 1)
