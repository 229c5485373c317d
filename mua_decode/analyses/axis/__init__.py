"""One code for seeing and imagining: axes of sites, images read back, imagery on the same axes."""

from mua_decode.analyses.axis.comparison import compare_spaces
from mua_decode.analyses.axis.cross_decoding import by_vectors, measure_cross_decoding
from mua_decode.analyses.axis.effective import NaturalPrior, climb, line_along_axis, rank_library
from mua_decode.analyses.axis.image_decoder import train_image_decoder
from mua_decode.analyses.axis.imagery import Imagery, has_imagery, measure_imagery, state_trials
from mua_decode.analyses.axis.permutation import permutation_p
from mua_decode.analyses.axis.ramp import Ramps, measure_ramps
from mua_decode.analyses.axis.reality import measure_reality
from mua_decode.analyses.axis.reconstruction import (
    Reconstruction,
    fit_decoder,
    fit_pixel_decoder,
    pixel_correlation,
    reconstruct,
    standardised,
)
from mua_decode.analyses.axis.responses import Responses, collect_responses, region_masks
from mua_decode.analyses.axis.ridge import Blocks, RidgeDesign, RidgeFit, make_blocks
from mua_decode.analyses.axis.statistics import TestNote
from mua_decode.analyses.axis.tuning import AxisModel, AxisSettings, fit_axes

__all__ = [
    "AxisModel",
    "AxisSettings",
    "Blocks",
    "Imagery",
    "NaturalPrior",
    "Ramps",
    "Reconstruction",
    "Responses",
    "RidgeDesign",
    "RidgeFit",
    "TestNote",
    "by_vectors",
    "climb",
    "collect_responses",
    "compare_spaces",
    "fit_axes",
    "fit_decoder",
    "fit_pixel_decoder",
    "has_imagery",
    "line_along_axis",
    "make_blocks",
    "measure_cross_decoding",
    "measure_imagery",
    "measure_ramps",
    "measure_reality",
    "permutation_p",
    "pixel_correlation",
    "rank_library",
    "reconstruct",
    "region_masks",
    "standardised",
    "state_trials",
    "train_image_decoder",
]
