"""Lightning modules: a model, a loss and an optimiser handed in, trained on one question."""

from mua_decode.tasks.decode import DecodeVideo
from mua_decode.tasks.schedules import warmup_cosine

__all__ = ["DecodeVideo", "warmup_cosine"]
