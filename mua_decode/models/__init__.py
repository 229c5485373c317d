"""Networks from spikes to video and back: plain modules that know nothing of training."""

from mua_decode.models.inverted_video_unet import InvertedVideoUNet
from mua_decode.models.mlp_decoder import MLPDecoder
from mua_decode.models.posterior_unet import PosteriorUNet
from mua_decode.models.shallow_cnn_decoder import ShallowCNNDecoder
from mua_decode.models.video_unet import VideoUNet

__all__ = ["InvertedVideoUNet", "MLPDecoder", "PosteriorUNet", "ShallowCNNDecoder", "VideoUNet"]
