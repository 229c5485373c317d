"""The package from Python: read a recording, run a command, decode with a finished run.

Everything here is reached as ``mua_decode.NAME``.
"""

from mua_decode.api.decoder import Decoder, load_run
from mua_decode.api.reading import read_recording, run_command
from mua_decode.api.results import DecodedTrials, Reconstruction

__all__ = [
    "DecodedTrials",
    "Decoder",
    "Reconstruction",
    "load_run",
    "read_recording",
    "run_command",
]
