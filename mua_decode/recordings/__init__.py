"""One reader per file format: a function that returns a Recording."""

from mua_decode.recordings.native import read_native, write_recording
from mua_decode.recordings.v1_movies import read_v1_movies
from mua_decode.recordings.v4_images import read_v4_images

__all__ = ["read_native", "read_v1_movies", "read_v4_images", "write_recording"]
