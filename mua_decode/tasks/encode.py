"""Video in, activity out."""

from __future__ import annotations

import torch
from torch import Tensor

from mua_decode.tasks.decode import DecodeVideo, DecodingBatch


class EncodeVideo(DecodeVideo):
    """The same training with input and output exchanged: predict activity from the video.

    The loss maps (predicted, recorded) activity to a scalar.
    """

    def forward(self, video: Tensor) -> Tensor:
        """Predict standardised activity (B, T, N) from video (B, C, T, H, W) in [0, 1]."""
        activity: Tensor = self.model(video)
        return activity

    def _loss_of(self, batch: DecodingBatch) -> Tensor:
        predicted = self(batch.video)
        with torch.autocast(predicted.device.type, enabled=False):
            loss: Tensor = self.loss(predicted.float(), batch.spikes)
        return loss
