"""What may be read at all: bounds from the machine, checked before anything is unpacked."""

from __future__ import annotations

import json
import mmap
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from mua_decode.types import InputError

GIB = 1 << 30
# Above 1 GiB, data packed tighter than this are no recording: deflate of nothing but zeros gives
# 1000, counts and rendered videos give 5 to 100.
_MOST_PACKED = 250
_SHARE = 0.75  # of the memory that one array may take
# What the allocators of torch say: CPU on Linux, CPU elsewhere, CUDA; oneDNN; C++ at large.
_REFUSED = re.compile(
    r"can't allocate memory|not enough memory|CUDA out of memory|could not create a primitive|"
    r"bad_alloc"
)
_MOST_NODES, _DEEPEST, _LONGEST_TEXT = 1_000_000, 64, 1 << 25
_LONGEST_JSON = 1 << 26


def memory_bytes() -> int:
    """Memory this process may fill: the machine's, or less where a limit is set for it."""
    found = [_physical_bytes(), *_cgroup_limits()]
    try:
        import resource
    except ImportError:  # Windows
        return min(found)
    for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA):
        soft = resource.getrlimit(kind)[0]
        if soft != resource.RLIM_INFINITY:
            found.append(soft)
    return min(found)


def _physical_bytes() -> int:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return 64 * GIB


def _cgroup_limits() -> Iterator[int]:
    """Limits of the control groups this process is in, version 2 and the root of version 1."""
    root = Path("/sys/fs/cgroup")
    places = [root / "memory" / "memory.limit_in_bytes", root / "memory.max"]
    try:
        lines = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    for own in (Path(line[4:]) for line in lines if line.startswith("0::/")):
        places += [root / str(p)[1:] / "memory.max" for p in (own, *own.parents)]
    for place in dict.fromkeys(places):
        try:
            yield int(place.read_text(encoding="utf-8"))
        except (OSError, ValueError):  # no such group, or "max"
            continue


def check_memory(n_bytes: int, where: object) -> None:
    """Refuse what would take more memory than there is.

    Raises InputError naming ``where``, its size and that of the memory.
    """
    most = memory_bytes()
    if n_bytes > _SHARE * most:
        raise InputError(
            f"{where} would take {n_bytes / GIB:.1f} GiB of memory, and this process may fill "
            f"{most / GIB:.1f} GiB"
        )


def check_packed(n_bytes: int, packed: int, where: object) -> None:
    """Refuse what unpacks to more than data ever do.

    Parameters
    ----------
    n_bytes, packed
        Size when unpacked, as the file declares it, and in the file.

    Raises InputError naming ``where`` and both sizes.
    """
    if n_bytes > GIB + _MOST_PACKED * packed:
        raise InputError(
            f"{where} declares {n_bytes / GIB:.1f} GiB in {packed / 2**20:.3g} MiB of file; "
            "refused, no data are packed so tightly"
        )


def check_room(n_bytes: int, what: str) -> None:
    """Ask the system for memory that is given back at once, before ``what`` is begun.

    For libraries that take the process down where memory ends in the middle of their work.

    Raises MemoryError if there is less; what is only promised may still be missing later.
    """
    try:
        mmap.mmap(-1, n_bytes).close()
    except OSError as error:
        raise MemoryError(
            f"{what} is not begun with less than {n_bytes >> 20} MiB of memory"
        ) from error


def check_length(n_bytes: int, where: object) -> None:
    """Refuse YAML that is too long to be written by hand or for a run, before it is read.

    Raises InputError naming ``where``.
    """
    if n_bytes > _LONGEST_TEXT:
        raise InputError(f"{where}: {n_bytes / 2**20:.0f} MiB of YAML; refused, as too long")


def read_json(path: Path) -> Any:
    """Read JSON that a run left in its folder.

    Raises ValueError if it is none, nested without end, or larger than what runs write; OSError if
    it cannot be read.
    """
    if path.stat().st_size > _LONGEST_JSON:
        raise ValueError(f"over {_LONGEST_JSON >> 20} MiB of JSON")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except RecursionError as error:
        raise ValueError("nested without end") from error


def check_yaml(text: str, where: object) -> None:
    """Refuse YAML that would grow without end when it is read; what is wrong otherwise passes.

    Aliases count as often as they are used.

    Raises InputError naming ``where``, or YAMLError if it cannot be parsed.
    """
    check_length(len(text), where)
    sizes: dict[str, int] = {}
    open_: list[tuple[str | None, int]] = []  # anchor and nodes of every collection not closed
    nodes = 0  # of the innermost open collection and what it holds
    for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        if isinstance(event, yaml.CollectionStartEvent):
            open_.append((event.anchor, nodes))
            nodes = 1
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = open_.pop()
            if anchor is not None:
                sizes[anchor] = nodes
            nodes += before
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor in {anchor for anchor, _ in open_}:
                raise InputError(f"{where}: '*{event.anchor}' holds itself; refused")
            nodes += sizes.get(str(event.anchor), 1)
        elif isinstance(event, yaml.ScalarEvent):
            nodes += 1
            if event.anchor is not None:
                sizes[event.anchor] = 1
        if len(open_) > _DEEPEST or nodes > _MOST_NODES:
            raise InputError(
                f"{where}: refused, it holds over {_MOST_NODES:,} values, aliases counted as often "
                f"as they are used, or is nested over {_DEEPEST} deep"
            )


def memory_refused(error: BaseException | None) -> bool:
    """Whether the system refused memory to NumPy, torch or Python, here or in what led to this."""
    while error is not None:
        if isinstance(error, MemoryError) or (
            isinstance(error, RuntimeError) and _REFUSED.search(str(error)) is not None
        ):
            return True
        error = error.__cause__ or error.__context__
    return False


def no_memory(error: BaseException) -> str:
    """What to say of memory that was refused to a command."""
    if "CUDA" in str(error):
        return "not enough memory on the GPU (a smaller data.batch_size takes less)"
    return f"not enough memory, of which this process may fill {memory_bytes() / GIB:.1f} GiB"


def too_large(name: str) -> InputError:
    """What to say of a part that asks for more memory than the system gives."""
    return InputError(
        f"{name} asks for more memory than there is; this process may fill "
        f"{memory_bytes() / GIB:.1f} GiB"
    )
