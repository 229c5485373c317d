"""Structural similarity of frames."""

from __future__ import annotations

import torch
from pytorch_msssim import ssim
from torch import Tensor

from mua_decode.metrics.protocol import Shown, check_pair


def fitting_window(height: int, width: int, *, largest: int = 11) -> int:
    """Return the largest odd window <= ``largest`` that fits a frame of ``height`` x ``width``.

    Raises ValueError if the frame is smaller than 3 pixels: it has no local variance to measure.
    """
    side = min(height, width, largest)
    if side < 3:
        raise ValueError(f"SSIM: frames must be at least 3 x 3 pixels, found {height} x {width}")
    return side if side % 2 else side - 1


class SSIM:
    """Structural similarity (Wang et al. 2004, doi:10.1109/TIP.2003.819861), mean over frames.

    Gaussian window of ``win_size`` pixels and ``win_sigma``, only where it lies wholly inside the
    frame ('valid': an 11-pixel window leaves 22 x 22 of 32 x 32 positions), biased covariances,
    K1 = 0.01, K2 = 0.03; averaged over positions, channels and frames. On frames smaller than the
    window the largest odd window that fits is used (:func:`fitting_window`). Raises ValueError if
    ``data_range`` or ``win_sigma`` is not positive or ``win_size`` not odd and >= 3.

    Parameters
    ----------
    data_range
        Largest minus smallest possible intensity; 1 for videos in [0, 1].
    win_size
        Side of the window in pixels, odd.
    win_sigma
        Standard deviation of the Gaussian in pixels.
    """

    name = "ssim"
    unit = "1"
    higher_is_better = True
    segment = None

    def __init__(self, *, data_range: float, win_size: int, win_sigma: float) -> None:
        if data_range <= 0 or win_sigma <= 0:
            raise ValueError(
                "SSIM: data_range and win_sigma must be positive, "
                f"found {data_range} and {win_sigma}"
            )
        if win_size < 3 or win_size % 2 == 0:
            raise ValueError(f"SSIM: win_size must be odd and at least 3, found {win_size}")
        self.data_range = data_range
        self.win_size = win_size
        self.win_sigma = win_sigma

    def __call__(self, predicted: Tensor, shown: Shown) -> Tensor:
        """Return the mean similarity of every trial, (B,) in [-1, 1]; NaN if a pixel is NaN."""
        check_pair(predicted, shown)
        height, width = predicted.shape[-2:]
        # Every frame of every colour is a channel of its trial: the mean over channels is the
        # mean wanted, and the library's blur is 4 times faster than with one frame per row.
        x, y = (
            video.float().flatten(1, 2).contiguous(memory_format=torch.channels_last)
            for video in (predicted, shown.video)
        )
        # Variances are small differences of large sums: no half precision, no TF32.
        with (
            torch.backends.cudnn.flags(allow_tf32=False),
            torch.autocast(predicted.device.type, enabled=False),
        ):
            window = fitting_window(height, width, largest=self.win_size)
            options = {"data_range": self.data_range, "win_sigma": self.win_sigma}
            return ssim(x, y, size_average=False, win_size=window, **options)
