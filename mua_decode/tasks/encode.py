"""Video in, activity out."""

from __future__ import annotations

from torch import Tensor

from mua_decode.tasks.decode import DecodeVideo, DecodingBatch


class EncodeVideo(DecodeVideo):
    """The same training with input and output exchanged: predict activity from the video.

    The model maps video (B, C, T, H, W) in [0, 1] to standardised activity (B, T, N), the loss
    (predicted, recorded) activity to a scalar.
    """

    def _pair(self, batch: DecodingBatch) -> tuple[Tensor, Tensor]:
        return batch.video, batch.spikes
