"""How near a decoded video is to the one shown: one value per trial, one file per metric."""

from mua_decode.metrics.identification import Identification
from mua_decode.metrics.mse import MSE
from mua_decode.metrics.pixel_correlation import PixelCorrelation
from mua_decode.metrics.protocol import Shown, VideoMetric
from mua_decode.metrics.psnr import PSNR
from mua_decode.metrics.ssim import SSIM

__all__ = [
    "MSE",
    "PSNR",
    "SSIM",
    "Identification",
    "PixelCorrelation",
    "Shown",
    "VideoMetric",
]
