"""Layers and blocks, known to nobody but the models."""

from mua_decode.nn.blocks import DecoderBlock, EncoderBlock
from mua_decode.nn.fast.routes import ROUTES, Route
from mua_decode.nn.fast.stem_conv import StemConv3d
from mua_decode.nn.fast.upsample_conv import UpsampleConv3d
from mua_decode.nn.folding import fold_batchnorm
from mua_decode.nn.shapes import check_input, check_sizes
from mua_decode.nn.spike_encoder import SpikeEncoder
from mua_decode.nn.stages import derive_time_pools, stage_sizes
from mua_decode.nn.synchronised import SynchronisedBatchNorm, restore, synchronise
from mua_decode.nn.video_autoencoder import Skip, VideoAutoencoder, as_skip, squash

__all__ = [
    "ROUTES",
    "DecoderBlock",
    "EncoderBlock",
    "Route",
    "Skip",
    "SpikeEncoder",
    "StemConv3d",
    "SynchronisedBatchNorm",
    "UpsampleConv3d",
    "VideoAutoencoder",
    "as_skip",
    "check_input",
    "check_sizes",
    "derive_time_pools",
    "fold_batchnorm",
    "restore",
    "squash",
    "stage_sizes",
    "synchronise",
]
