"""What a network is trained to make small."""

from mua_decode.losses.ssim import ssim
from mua_decode.losses.ssim_mse import LossTerms, SSIMMSELoss

__all__ = ["LossTerms", "SSIMMSELoss", "ssim"]
