"""Peak signal-to-noise ratio."""

from __future__ import annotations

from torch import Tensor

from mua_decode.metrics.mse import MSE
from mua_decode.metrics.protocol import Shown


class PSNR:
    """``10 log10(data_range² / MSE)`` in dB, from the mean squared error of the whole slice.

    Raises ValueError if ``data_range`` or ``cap_db`` is not positive.

    Parameters
    ----------
    data_range
        Largest minus smallest possible intensity; 1 for videos in [0, 1].
    cap_db
        Values above this are reported as this, so that the mean over trials stays finite where
        a floor returns exactly the video shown. Frames stored with 8 bits carry rounding noise
        of (1/255)²/12, which is 58.9 dB: nothing above can be told apart. ``None`` leaves
        infinity for a perfect copy.
    """

    name = "psnr"
    unit = "dB"
    higher_is_better = True
    segment = None

    def __init__(self, *, data_range: float, cap_db: float | None) -> None:
        if data_range <= 0 or (cap_db is not None and cap_db <= 0):
            raise ValueError(
                f"PSNR: data_range and cap_db must be positive, found {data_range} and {cap_db}"
            )
        self.data_range = data_range
        self.cap_db = cap_db
        self._mse = MSE()

    def __call__(self, predicted: Tensor, shown: Shown) -> Tensor:
        """Return the ratio of every trial in dB, (B,); NaN if a predicted pixel is NaN."""
        ratio = 10 * (self.data_range**2 / self._mse(predicted, shown)).log10()
        return ratio if self.cap_db is None else ratio.clamp(max=self.cap_db)
