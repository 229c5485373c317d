"""Compiled kernels: built ahead with the package, or with the machine's own compiler on first use.

One built ahead lies beside its source (:mod:`mua_decode.nn.fast.kernels.ahead`). Otherwise the
shared library lies in a cache folder (:mod:`mua_decode.nn.fast.kernels.cache`), named after
source, compiler and processor, so a home folder shared by unlike machines is safe. Where there is
no compiler, or the build or the library fails its check, :func:`load_lanes` returns None and the
layers take their PyTorch route.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import subprocess
import sys
import warnings
from contextlib import suppress
from functools import lru_cache, partial
from pathlib import Path

import torch
from torch import Tensor

from mua_decode.nn.fast.kernels.ahead import FLAGS as _FLAGS
from mua_decode.nn.fast.kernels.ahead import compile_kernel, find_ahead, find_compiler, processor
from mua_decode.nn.fast.kernels.cache import load_kept

_SOURCE = Path(__file__).with_name("lanes.cpp")
_POINTERS = {
    "lanes_forward": 7,
    "lanes_finish": 5,
    "lanes_gradient_sums": 7,
    "lanes_backward": 11,
    "lanes_pack": 3,
    "lanes_flat": 8,
    "lanes_similarity": 6,
}


@lru_cache(maxsize=1)
def load_lanes() -> ctypes.CDLL | None:
    """Return the library of ``lanes.cpp``, that of the package or built if need be, or None.

    ``MUA_DECODE_KERNELS=0`` in the environment switches it off.
    """
    if os.environ.get("MUA_DECODE_KERNELS") == "0" or sys.platform == "win32":
        return None
    ahead = find_ahead(_SOURCE, _SOURCE.parent)
    if ahead is not None:
        with suppress(OSError, AttributeError):  # OpenMP's library may be missing here
            return _declared(ctypes.CDLL(str(ahead)))
    compiler = find_compiler()
    if compiler is None:
        return None
    try:
        return _declared(load_kept(_name(compiler), partial(_build, compiler)))
    except (OSError, subprocess.SubprocessError, AttributeError) as error:
        detail = " ".join(str(getattr(error, "stderr", None) or error).split())
        warnings.warn(
            f"the compiled kernels could not be built or loaded ({detail[-300:]}); "
            "the PyTorch route is used",
            stacklevel=2,
        )
        return None


def _declared(library: ctypes.CDLL) -> ctypes.CDLL:
    """Declare what the functions take; AttributeError if one is missing."""
    for name, number in _POINTERS.items():
        function = getattr(library, name)
        function.argtypes = [ctypes.c_void_p] * number
        function.restype = None
    library.lanes_width.restype = library.lanes_layer_bytes.restype = ctypes.c_int64
    return library


def run_kernel(name: str, sizes: ctypes.Structure, *tensors: Tensor | None) -> None:
    """Call the function `name` of the library with a struct and the addresses of `tensors`."""
    library = load_lanes()
    assert library is not None
    addresses = [None if t is None else t.data_ptr() for t in tensors]
    getattr(library, name)(ctypes.byref(sizes), *addresses)


def _name(compiler: str) -> str:
    key = "\n".join(
        [_SOURCE.read_text(encoding="utf-8"), compiler, processor(), torch.__version__, *_FLAGS]
    ).encode()
    return f"lanes_{hashlib.sha256(key).hexdigest()[:16]}.so"


def _build(compiler: str, built: Path) -> None:
    compile_kernel(compiler, _SOURCE, built, _FLAGS)
