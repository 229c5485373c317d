"""A parser that may crash, loop or take all memory, run in a process of its own within limits."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from mua_decode.limits import GIB, memory_bytes
from mua_decode.types import InputError

_ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
_CPU_S = 6  # and one more for every MiB of the file


def ask_child(script: Path, path: Path, *arguments: str) -> bytes:
    """Run ``python SCRIPT MEMORY_BYTES CPU_S PATH ARGUMENTS``, which keeps to both limits.

    They account for the size of the file.

    Returns
    -------
    What it wrote to its standard output.

    Raises InputError naming the file if it crashes, takes too long or too much memory.
    """
    size = path.stat().st_size
    memory = min(int(0.75 * memory_bytes()), 3 * GIB // 2 + 50 * size)
    cpu_s = _CPU_S + size // (1 << 20)
    command = [sys.executable, "-P", str(script), str(memory), str(cpu_s), str(path), *arguments]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            check=False,
            env=os.environ | _ONE_THREAD,
            timeout=20 * cpu_s,
        )
    except subprocess.TimeoutExpired as error:
        raise InputError(f"{path}: cannot be read, it is truncated or damaged") from error
    if done.returncode == 0:
        return done.stdout
    last = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
    if "MemoryError" in " ".join(last):
        raise InputError(
            f"{path}: cannot be read, it is damaged or takes over {memory / GIB:.1f} GiB"
        )
    raise InputError(f"{path}: cannot be read, it is truncated or damaged")
