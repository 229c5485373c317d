"""Parse a MATLAB 5 file in a process that may crash.

    python -P matlab_child.py MEMORY_BYTES CPU_S FILE OUT NAME ...

Started by :mod:`mua_decode.recordings.matlab_v5` as a file of its own, so that it imports NumPy and
SciPy alone. Variables are read whatever the case of their names. Numbers go to ``OUT`` one behind
the other; all names there are, and what was read, are told as JSON on the standard output: of each
variable a tree of

    ["text", TEXT]   ["numbers", dtype, shape, offset]   ["cells", shape, [node, ...]]
    ["struct", shape, {field: [node, ...]}]              ["refused"]
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, BinaryIO


def _limit(memory: int, cpu_s: int) -> None:
    try:
        import resource
    except ImportError:  # Windows
        return
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _node(value: Any, out: BinaryIO) -> list[Any]:
    import numpy as np

    if type(value).__name__ in ("MatlabFunction", "MatlabOpaque"):
        return ["refused"]
    value = np.asanyarray(value)
    if value.dtype.names:
        fields = {n: [_node(v, out) for v in value[n].ravel()] for n in value.dtype.names}
        return ["struct", value.shape, fields]
    if value.dtype.kind == "O":
        return ["cells", value.shape, [_node(v, out) for v in value.ravel()]]
    if value.dtype.kind == "U":
        return ["text", "".join(value.ravel().tolist())]
    if value.dtype.kind not in "fiub":
        return ["other", str(value.dtype)]
    offset = out.tell()
    # Little-endian, whatever the file.
    out.write(np.ascontiguousarray(value, value.dtype.newbyteorder("<")).tobytes())
    return ["numbers", value.dtype.newbyteorder("<").str, value.shape, offset]


def _main(memory: str, cpu_s: str, path: str, place: str, *names: str) -> None:
    _limit(int(memory), int(cpu_s))
    import scipy.io

    present = [str(name) for name, _, _ in scipy.io.whosmat(path)]
    wanted = {name.lower() for name in names}
    chosen = [name for name in present if name.lower() in wanted]
    found = scipy.io.loadmat(path, variable_names=chosen) if chosen else {}
    with Path(place).open("wb") as out:
        tree = {name: _node(found[name], out) for name in chosen}
    print(json.dumps([present, tree]))


if __name__ == "__main__":
    _main(*sys.argv[1:])
