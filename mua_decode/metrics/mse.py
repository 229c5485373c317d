"""Mean squared error of the pixels."""

from __future__ import annotations

from torch import Tensor

from mua_decode.metrics.protocol import Shown, check_pair


class MSE:
    """Mean over all C*T*H*W pixels of the squared difference; intensities in [0, 1]."""

    name = "mse"
    unit = "intensity²"
    higher_is_better = False
    segment = None

    def __call__(self, predicted: Tensor, shown: Shown) -> Tensor:
        """Return the error of every trial, (B,) >= 0; NaN if a predicted pixel is NaN."""
        check_pair(predicted, shown)
        return (predicted.float() - shown.video.float()).square().flatten(1).mean(1)
