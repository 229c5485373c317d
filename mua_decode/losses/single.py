"""Losses of one term: similarity alone, squared error alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from mua_decode.losses.frame_loss import FrameLoss
from mua_decode.losses.ssim_mse import SSIMMSELoss


class SSIMLoss(SSIMMSELoss):
    """Σ_i η_i (1 − SSIM(frame_i)): :class:`SSIMMSELoss` without its squared error.

    Options are those of that loss, and so are shapes and errors.
    """

    def __init__(self, frame_weights: Sequence[float] | Tensor, **options: Any) -> None:
        super().__init__(frame_weights, **options, mse_weight=0.0)


class MSELoss(FrameLoss):
    """Squared error, weighted by segment: Σ_i η_i Σ (predicted − true)² over the frames i.

    Videos are (B, C, T, H, W); the loss of a batch is the mean of its samples' losses. Raises
    ValueError on weights that are negative, all zero or not one-dimensional, on an unknown
    normalisation, and on videos of other shapes.

    Parameters
    ----------
    frame_weights
        η, one weight per frame, (T,), none negative and not all zero.
    normalisation
        "mean" divides by Σ η and by the pixels and channels of a frame; "sum" does not.
    """

    def forward(self, predicted: Tensor, true: Tensor) -> Tensor:
        """Return the scalar loss of `predicted` and `true`, (B, C, T, H, W)."""
        self.check(predicted, true)
        squared = (predicted - true).square()
        weights = self.frame_weights.to(squared)
        if self.normalisation == "mean":
            return (squared.mean(dim=(1, 3, 4)) @ weights).mean() / weights.sum()
        return (squared.sum(dim=(1, 3, 4)) @ weights).mean()
