"""Formats that Neo and SpikeInterface read: spikes, events and raw voltage."""

from mua_decode.recordings.library.contents import (
    neo_contents,
    raw_contents,
    spikeinterface_contents,
)
from mua_decode.recordings.library.places import UnitPlaces
from mua_decode.recordings.library.readers import read_neo, read_raw, read_spikeinterface

__all__ = [
    "UnitPlaces",
    "neo_contents",
    "raw_contents",
    "read_neo",
    "read_raw",
    "read_spikeinterface",
    "spikeinterface_contents",
]
