"""Structural similarity, weighted by trial segment, plus squared error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from torch import Tensor

from mua_decode.losses.frame_loss import FrameLoss, Normalisation
from mua_decode.losses.ssim import Padding, ssim


@dataclass(frozen=True)
class LossTerms:
    """A loss and what it is made of: ``total = dissimilarity + mse_weight * error``, scalars."""

    total: Tensor
    dissimilarity: Tensor
    error: Tensor


class SSIMMSELoss(FrameLoss):
    """Σ_i η_i (1 − SSIM(frame_i)) + squared error (doi 10.1038/s42003-025-09486-7).

    Videos are (B, C, T, H, W); the similarity of a frame is averaged over its channels. The loss of
    a batch is the mean of its samples' losses, so it does not depend on the batch size. The other
    options are those of :func:`mua_decode.losses.ssim`. Raises ValueError on weights that are
    negative, all zero or not one-dimensional, and on unknown names.

    Parameters
    ----------
    frame_weights
        η, one weight per frame, (T,), none negative and not all zero.
    normalisation
        "sum" is the published formula: the weighted sum over the frames and the sum of squared
        errors over a video. "mean" is the form of the authors' code: the weighted sum divided by
        Σ η and the mean squared error. Both are averaged over the batch.
    """

    def __init__(
        self,
        frame_weights: Sequence[float] | Tensor,
        *,
        data_range: float,
        normalisation: Normalisation,
        window_size: int = 11,
        sigma: float = 1.5,
        padding: Padding = "valid",
        mse_weight: float = 1.0,
        compiled: bool = True,
    ) -> None:
        super().__init__(frame_weights, normalisation=normalisation)
        self.mse_weight = mse_weight
        self._ssim = partial(
            ssim,
            data_range=data_range,
            window_size=window_size,
            sigma=sigma,
            padding=padding,
            compiled=compiled,
        )

    def terms(self, predicted: Tensor, true: Tensor) -> LossTerms:
        """Return the loss with its two terms for videos (B, C, T, H, W).

        Raises ValueError if the shapes differ, or the frames are not as many as the weights.
        """
        self.check(predicted, true)
        similarity = self._ssim(predicted, true)
        weights = self.frame_weights.to(similarity)
        dissimilarity = ((1 - similarity.mean(dim=1)) @ weights).mean()
        squared = (predicted - true).to(similarity.dtype).square()
        if self.normalisation == "sum":
            error = squared.sum() / predicted.shape[0]
        else:
            error = squared.mean()
            dissimilarity = dissimilarity / weights.sum()
        return LossTerms(dissimilarity + self.mse_weight * error, dissimilarity, error)

    def forward(self, predicted: Tensor, true: Tensor) -> Tensor:
        """Return the scalar loss of `predicted` and `true`, (B, C, T, H, W)."""
        return self.terms(predicted, true).total
