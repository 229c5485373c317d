"""Lightning modules: a model, a loss and an optimiser handed in, trained on one question."""

from mua_decode.tasks.decode import DecodeVideo
from mua_decode.tasks.encode import EncodeVideo
from mua_decode.tasks.schedules import warmup_cosine

__all__ = ["DecodeVideo", "EncodeVideo", "warmup_cosine"]
