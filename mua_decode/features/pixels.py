"""The pixels themselves."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from mua_decode.features.space import ImageFeatures
from mua_decode.types import InputError


class PixelFeatures(ImageFeatures):
    """Pixel values in [0, 1] after area averaging to ``size`` x ``size``; ``None``: every pixel."""

    name = "pixels"

    def __init__(self, *, size: int | None = 32) -> None:
        super().__init__()
        if size is not None and size < 1:
            raise InputError(f"features: size must be at least 1 pixel, found {size}")
        self.size = size

    def forward(self, images: Tensor) -> Tensor:
        """Flatten images (B, C, H, W) in [0, 1] into (B, D)."""
        if self.size is not None and self.size < min(images.shape[-2:]):
            images = F.adaptive_avg_pool2d(images, self.size)
        return images.flatten(1)
