"""Neurodata Without Borders: read and written."""

from mua_decode.recordings.nwb.contents import nwb_contents
from mua_decode.recordings.nwb.read import read_nwb
from mua_decode.recordings.nwb.write import write_nwb

__all__ = ["nwb_contents", "read_nwb", "write_nwb"]
