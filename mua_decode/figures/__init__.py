"""Pictures of results: each function returns a matplotlib Figure or writes one film."""

from mua_decode.figures.confusion import confusion
from mua_decode.figures.frames import frames
from mua_decode.figures.loss_curves import loss_curves
from mua_decode.figures.save import save
from mua_decode.figures.scores import scores
from mua_decode.figures.video import write_video

__all__ = ["confusion", "frames", "loss_curves", "save", "scores", "write_video"]
