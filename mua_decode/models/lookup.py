"""The floor that only names the condition."""

from __future__ import annotations

import torch
from torch import Tensor

from mua_decode.models.floor import Batches, require_fitted, stream


class LookupDecoder:
    """Nearest class mean in spike space; returns that class's mean video.

    Every (bin, site) feature is divided by its standard deviation over the training trials,
    features that never vary are left out, and the trial goes to the trained condition whose mean
    is nearest (Euclidean). By construction it can only return videos of trained conditions.
    """

    name = "lookup"

    def __init__(self) -> None:
        self._trained: Tensor | None = None  # (L,) conditions with training trials
        self._weight: Tensor | None = None  # (L, T*N)
        self._bias: Tensor | None = None  # (L,)
        self._videos: Tensor | None = None  # (K, C, T, H, W)

    def fit(self, train: Batches, val: Batches, videos: Tensor) -> None:  # noqa: ARG002
        """Take class means of spikes and the deviation of every feature in one pass."""
        count = torch.zeros(len(videos), dtype=torch.float64, device=videos.device)
        total = square = torch.zeros(0)
        for spikes, condition in stream(train, videos):
            if not len(total):
                total = count.new_zeros(len(videos), *spikes.shape[1:])
                square = count.new_zeros(spikes.shape[1:])
            total.index_add_(0, condition, spikes.to(total.dtype))
            square += spikes.to(square.dtype).square().sum(0)
            count += torch.bincount(condition, minlength=len(videos))
        if not count.any():
            raise ValueError("floor 'lookup': no training trial")
        self._trained = torch.nonzero(count)[:, 0]
        mean = total.sum(0) / count.sum()
        variance = square / count.sum() - mean.square()
        varies = variance > 1e-9 * (square / count.sum())
        centre = (total[self._trained] / count[self._trained, None, None]).flatten(1)
        precision = torch.where(varies, 1 / variance, 0).flatten()
        # |z - m|² is smallest where <z, m> - |m|²/2 is largest, with z and m in units of s.d.;
        # features are centred first so that float32 loses nothing.
        offset = centre - mean.flatten()
        weight = offset * precision
        self._bias = (-(weight * mean.flatten()).sum(1) - (weight * offset).sum(1) / 2).float()
        self._weight = weight.float()
        self._videos = videos

    def predict_condition(self, spikes: Tensor) -> Tensor:
        """Return the nearest trained condition of spikes (B, T, N): long (B,)."""
        weight = require_fitted(self._weight, self.name)
        flat = spikes.to(weight).flatten(1)
        nearest = (flat @ weight.T + require_fitted(self._bias, self.name)).argmax(1)
        return require_fitted(self._trained, self.name)[nearest]

    def predict(self, spikes: Tensor) -> Tensor:
        """Return the mean video of the nearest condition: (B, C, T, H, W) in [0, 1]."""
        return require_fitted(self._videos, self.name)[self.predict_condition(spikes)]
