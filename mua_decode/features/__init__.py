"""Feature spaces: what an image is described by before a site is asked for its axis."""

from mua_decode.features.alexnet import AlexNet
from mua_decode.features.arrays import ArrayFeatures
from mua_decode.features.components import Components, fit_components
from mua_decode.features.gabor_energy import GaborEnergy
from mua_decode.features.network import NetworkFeatures
from mua_decode.features.pixels import PixelFeatures
from mua_decode.features.space import FeatureSpace, ImageFeatures
from mua_decode.features.weights import load_weight_file

__all__ = [
    "AlexNet",
    "ArrayFeatures",
    "Components",
    "FeatureSpace",
    "GaborEnergy",
    "ImageFeatures",
    "NetworkFeatures",
    "PixelFeatures",
    "fit_components",
    "load_weight_file",
]
