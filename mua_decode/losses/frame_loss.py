"""What losses over the frames of a video share: their weights, their scale, their shapes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor, nn

Normalisation = Literal["sum", "mean"]


class FrameLoss(nn.Module):
    """A loss of videos (B, C, T, H, W) with one weight per frame.

    Raises ValueError on weights that are negative, all zero or not one-dimensional, and on an
    unknown normalisation.

    Parameters
    ----------
    frame_weights
        η, one weight per frame, (T,), none negative and not all zero.
    normalisation
        "sum" adds up frames and pixels, "mean" divides by Σ η and by the pixels.
    """

    frame_weights: Tensor

    def __init__(
        self, frame_weights: Sequence[float] | Tensor, *, normalisation: Normalisation
    ) -> None:
        super().__init__()
        weights = torch.as_tensor(frame_weights, dtype=torch.float64).detach().clone()
        if weights.dim() != 1 or bool((weights < 0).any()) or not float(weights.sum()) > 0:
            raise ValueError(
                "frame_weights: expected one weight per frame, none negative and not all zero, "
                f"found {weights.tolist()}"
            )
        if normalisation not in get_args(Normalisation):
            raise ValueError(f"normalisation: expected sum or mean, found {normalisation!r}")
        self.register_buffer("frame_weights", weights, persistent=False)
        self.normalisation = normalisation

    def check(self, predicted: Tensor, true: Tensor) -> None:
        """Raise ValueError unless both are (B, C, T, H, W) with as many frames as weights."""
        frames = int(self.frame_weights.shape[0])
        if predicted.shape != true.shape or predicted.dim() != 5 or predicted.shape[2] != frames:
            raise ValueError(
                f"loss: expected two videos (B, C, T, H, W) with T = {frames}, found "
                f"{tuple(predicted.shape)} and {tuple(true.shape)}"
            )
