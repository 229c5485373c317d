"""One reader per file format: a function that returns a Recording.

What cannot be read raises an InputError: the file, what was expected and what was found.
"""

from mua_decode.recordings.arrays import read_arrays, read_stimuli
from mua_decode.recordings.film import read_film
from mua_decode.recordings.lab_sessions import LabFields, read_lab_sessions
from mua_decode.recordings.labels import ConditionOrder
from mua_decode.recordings.library import (
    UnitPlaces,
    read_neo,
    read_raw,
    read_spikeinterface,
)
from mua_decode.recordings.library.readers import RawPlan
from mua_decode.recordings.native import read_native, write_recording
from mua_decode.recordings.nwb import read_nwb, write_nwb
from mua_decode.recordings.tensors import read_tensors
from mua_decode.recordings.v1_movies import read_v1_movies
from mua_decode.recordings.v4_images import read_v4_images
from mua_decode.recordings.videos import VideoSource

__all__ = [
    "ConditionOrder",
    "LabFields",
    "RawPlan",
    "UnitPlaces",
    "VideoSource",
    "read_arrays",
    "read_film",
    "read_lab_sessions",
    "read_native",
    "read_neo",
    "read_nwb",
    "read_raw",
    "read_spikeinterface",
    "read_stimuli",
    "read_tensors",
    "read_v1_movies",
    "read_v4_images",
    "write_nwb",
    "write_recording",
]
