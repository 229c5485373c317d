"""Compiled kernels: built with the machine's own compiler on first use, and kept.

The shared library lies in a cache folder (:mod:`mua_decode.nn.fast.kernels.cache`), named after
source, compiler and processor, so a home folder shared by unlike machines is safe. Where there is
no compiler, or the build or the library fails its check, :func:`load_lanes` returns None and the
layers take their PyTorch route.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import warnings
from functools import lru_cache, partial
from pathlib import Path

import torch
from torch import Tensor

from mua_decode.nn.fast.kernels.cache import load_kept

_SOURCE = Path(__file__).with_name("lanes.cpp")
# No -ffast-math: linked into a library it would switch denormal numbers off for the whole process.
_FLAGS = (
    *("-std=c++17", "-O3", "-march=native", "-fopenmp", "-fPIC", "-shared"),
    *("-fno-math-errno", "-fno-trapping-math", "-fno-signed-zeros", "-fassociative-math"),
)
_POINTERS = {
    "lanes_forward": 7,
    "lanes_finish": 5,
    "lanes_gradient_sums": 7,
    "lanes_backward": 11,
    "lanes_pack": 3,
    "lanes_flat": 8,
    "lanes_similarity": 6,
}


def find_compiler() -> str | None:
    """Path of a C++ compiler: ``$CXX``, or c++, g++ or clang++ on the path."""
    for name in (os.environ.get("CXX"), "c++", "g++", "clang++"):
        found = shutil.which(name) if name else None
        if found:
            return found
    return None


@lru_cache(maxsize=1)
def load_lanes() -> ctypes.CDLL | None:
    """Return the library of ``lanes.cpp``, built if need be; None where that is not possible.

    ``MUA_DECODE_KERNELS=0`` in the environment switches it off.
    """
    if os.environ.get("MUA_DECODE_KERNELS") == "0" or sys.platform == "win32":
        return None
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
        [_SOURCE.read_text(encoding="utf-8"), compiler, _processor(), torch.__version__, *_FLAGS]
    ).encode()
    return f"lanes_{hashlib.sha256(key).hexdigest()[:16]}.so"


def _build(compiler: str, built: Path) -> None:
    command = [compiler, *_FLAGS, str(_SOURCE), "-o", str(built)]
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=600)


def _processor() -> str:
    """Name the processor by its instruction sets where the system tells them."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return f"{platform.machine()} {platform.processor()} {platform.node()}"
    wanted = ("flags", "Features", "model name")
    return "\n".join(sorted({line for line in lines if line.startswith(wanted)}))
