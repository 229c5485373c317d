"""Pictures of results: each function returns a matplotlib Figure or writes one film."""

from mua_decode.figures.axis_ramps import axis_ramps
from mua_decode.figures.boxes import boxes
from mua_decode.figures.comparison import comparison
from mua_decode.figures.confusion import confusion
from mua_decode.figures.embedding import embedding
from mua_decode.figures.encoding import encoding
from mua_decode.figures.film import write_film
from mua_decode.figures.frames import frames
from mua_decode.figures.heatmap import heatmap
from mua_decode.figures.image_gallery import image_gallery
from mua_decode.figures.imagery_scatter import imagery_scatter
from mua_decode.figures.intervals import intervals
from mua_decode.figures.learning_curve import learning_curve
from mua_decode.figures.loss_curves import loss_curves
from mua_decode.figures.reality_curve import reality_curve
from mua_decode.figures.save import save
from mua_decode.figures.scores import scores
from mua_decode.figures.similarity import similarity
from mua_decode.figures.speed import speed
from mua_decode.figures.sweep import sweep_history, sweep_importance, sweep_parallel
from mua_decode.figures.tuning_shares import tuning_shares
from mua_decode.figures.video import write_video

__all__ = [
    "axis_ramps",
    "boxes",
    "comparison",
    "confusion",
    "embedding",
    "encoding",
    "frames",
    "heatmap",
    "image_gallery",
    "imagery_scatter",
    "intervals",
    "learning_curve",
    "loss_curves",
    "reality_curve",
    "save",
    "scores",
    "similarity",
    "speed",
    "sweep_history",
    "sweep_importance",
    "sweep_parallel",
    "tuning_shares",
    "write_film",
    "write_video",
]
