"""One reader per file format: a function that returns a Recording."""

from mua_decode.recordings.native import read_native, write_recording
from mua_decode.recordings.v1_movies import read_v1_movies

__all__ = ["read_native", "read_v1_movies", "write_recording"]
