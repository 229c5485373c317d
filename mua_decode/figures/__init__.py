"""Pictures of results: each function returns a matplotlib Figure or writes one film."""

from mua_decode.figures.axis_ramps import axis_ramps
from mua_decode.figures.confusion import confusion
from mua_decode.figures.frames import frames
from mua_decode.figures.image_gallery import image_gallery
from mua_decode.figures.imagery_scatter import imagery_scatter
from mua_decode.figures.loss_curves import loss_curves
from mua_decode.figures.reality_curve import reality_curve
from mua_decode.figures.save import save
from mua_decode.figures.scores import scores
from mua_decode.figures.speed import speed
from mua_decode.figures.tuning_shares import tuning_shares
from mua_decode.figures.video import write_video

__all__ = [
    "axis_ramps",
    "confusion",
    "frames",
    "image_gallery",
    "imagery_scatter",
    "loss_curves",
    "reality_curve",
    "save",
    "scores",
    "speed",
    "tuning_shares",
    "write_video",
]
