"""How near a decoded video is to the one shown: one value per trial, one file per metric."""

from mua_decode.metrics.attribute_identification import AttributeIdentification
from mua_decode.metrics.colour import Colour, colour_correlation, colour_cosine
from mua_decode.metrics.cue_difference import CueDifference
from mua_decode.metrics.cue_shape import CuePixels, CueShape
from mua_decode.metrics.identification import Identification
from mua_decode.metrics.motion import (
    Motion,
    circular_difference_deg,
    circular_mean_deg,
    circular_sd_deg,
)
from mua_decode.metrics.mse import MSE
from mua_decode.metrics.optical_flow import FarnebackParameters
from mua_decode.metrics.pixel_correlation import PixelCorrelation
from mua_decode.metrics.protocol import Selective, Shown, VideoMetric
from mua_decode.metrics.psnr import PSNR
from mua_decode.metrics.ssim import SSIM

__all__ = [
    "MSE",
    "PSNR",
    "SSIM",
    "AttributeIdentification",
    "Colour",
    "CueDifference",
    "CuePixels",
    "CueShape",
    "FarnebackParameters",
    "Identification",
    "Motion",
    "PixelCorrelation",
    "Selective",
    "Shown",
    "VideoMetric",
    "circular_difference_deg",
    "circular_mean_deg",
    "circular_sd_deg",
    "colour_correlation",
    "colour_cosine",
]
