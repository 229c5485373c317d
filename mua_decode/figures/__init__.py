"""Pictures of results: each function returns a matplotlib Figure or writes one film."""

from mua_decode.figures.boxes import boxes
from mua_decode.figures.comparison import comparison
from mua_decode.figures.confusion import confusion
from mua_decode.figures.frames import frames
from mua_decode.figures.heatmap import heatmap
from mua_decode.figures.intervals import intervals
from mua_decode.figures.live import live_film, live_strip
from mua_decode.figures.loss_curves import loss_curves
from mua_decode.figures.peristimulus import peristimulus
from mua_decode.figures.reliability import reliability
from mua_decode.figures.save import save
from mua_decode.figures.scores import scores
from mua_decode.figures.seen import seen
from mua_decode.figures.style import FigureStyle, current_style, styled
from mua_decode.figures.video import write_film, write_video

__all__ = [
    "FigureStyle",
    "boxes",
    "comparison",
    "confusion",
    "current_style",
    "frames",
    "heatmap",
    "intervals",
    "live_film",
    "live_strip",
    "loss_curves",
    "peristimulus",
    "reliability",
    "save",
    "scores",
    "seen",
    "styled",
    "write_film",
    "write_video",
]
