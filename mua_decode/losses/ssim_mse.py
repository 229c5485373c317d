"""Structural similarity, weighted by trial segment, plus squared error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from mua_decode.losses.ssim import Padding, ssim

Normalisation = Literal["sum", "mean"]


@dataclass(frozen=True)
class LossTerms:
    """A loss and what it is made of: ``total = dissimilarity + mse_weight * error``, scalars."""

    total: Tensor
    dissimilarity: Tensor
    error: Tensor


class SSIMMSELoss(nn.Module):
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

    frame_weights: Tensor

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
        frames = int(self.frame_weights.shape[0])
        if predicted.shape != true.shape or predicted.dim() != 5 or predicted.shape[2] != frames:
            raise ValueError(
                f"loss: expected two videos (B, C, T, H, W) with T = {frames}, found "
                f"{tuple(predicted.shape)} and {tuple(true.shape)}"
            )
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
