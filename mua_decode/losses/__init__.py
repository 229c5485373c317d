"""What a network is trained to make small."""

from mua_decode.losses.single import MSELoss, SSIMLoss
from mua_decode.losses.ssim import ssim
from mua_decode.losses.ssim_mse import LossTerms, SSIMMSELoss

__all__ = ["LossTerms", "MSELoss", "SSIMLoss", "SSIMMSELoss", "ssim"]
