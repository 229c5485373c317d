"""Files written whole or not at all, and what they hold told by a checksum."""

from __future__ import annotations

import errno
import hashlib
import os
import platform
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

_PARTIAL = re.compile(r"\..*\.(?P<machine>[0-9a-f]{8})-(?P<pid>\d+)\.partial[^/]*", re.DOTALL)
# Whether a process of another machine lives cannot be told; what nothing has touched for so long
# is given up.
_GIVEN_UP_S = 7 * 86400.0
_swept: set[Path] = set()


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Give a place beside ``path`` to write a file or fill a folder; it takes the name at the end.

    What is written is on the disk before it takes the name, and the name before this returns.
    Where the block raises, ``path`` stays as it was and nothing is left beside it; what a process
    that was killed left in the folder is removed. The place keeps the suffix of ``path`` and is
    known to this process alone, so that nobody can lay a link there beforehand; folders above it
    are made.

    Yields
    ------
    Path
        Where to write; nothing is there yet.

    Raises OSError naming ``path`` where it cannot be written: a full disk, say.
    """
    ours = f"{_machine()}-{os.getpid()}.partial-{secrets.token_hex(4)}"
    partial = path.with_name(f".{path.stem}.{ours}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path.parent)
        yield partial
        # A folder that is itself being written is settled as a whole at its end.
        inside = any(_PARTIAL.fullmatch(above.name) for above in path.parents)
        if not inside:
            _settle(partial)
        partial.replace(path)
        if not inside:
            _sync(path.parent)
    except OSError as error:
        if error.errno is not None and error.filename in (None, str(partial), partial):
            raise OSError(error.errno, os.strerror(error.errno), str(path)) from error
        raise
    finally:
        _remove(partial)


def write_text(path: Path, text: str) -> None:
    """Write a text file in UTF-8, whole or not at all."""
    with whole(path) as partial:
        partial.write_text(text, encoding="utf-8")


def open_to_append(path: Path) -> int:
    """Open a log for writing at its end, or make it; returns the descriptor.

    Raises OSError if the name is a link: a folder may come from elsewhere, and what it links to is
    not to grow.
    """
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o644)


def reserve(descriptor: int, n_bytes: int) -> None:
    """Claim space on the disk for a file that is open for writing, before it is needed.

    Raises OSError if there is not so much; does nothing where the file system cannot tell.
    """
    try:
        os.posix_fallocate(descriptor, 0, n_bytes)
    except (AttributeError, OSError) as error:  # macOS has no such call
        if getattr(error, "errno", None) in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT):
            raise


def sha256(paths: Iterable[Path]) -> str:
    """SHA-256 of the contents of files, in the order given, as hexadecimal text."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


@cache
def _machine() -> str:
    """Tell this machine from others that share its folders; containers count as machines."""
    space = ""
    with suppress(OSError):
        space = str(Path("/proc/self/ns/pid").readlink())
    return hashlib.sha256(f"{platform.node()} {space}".encode()).hexdigest()[:8]


def _sweep(folder: Path) -> None:
    """Remove what killed processes left half written in a folder; once in a process."""
    if folder in _swept:
        return
    _swept.add(folder)
    for entry in os.scandir(folder):
        found = _PARTIAL.fullmatch(entry.name)
        if found is None:
            continue
        with suppress(OSError):  # another process may be sweeping too
            if found["machine"] == _machine():
                left = not _lives(int(found["pid"]))
            else:
                left = _now(folder) - entry.stat(follow_symlinks=False).st_mtime > _GIVEN_UP_S
            if left:
                _remove(Path(entry.path))


def _now(folder: Path) -> float:
    """The time by the clock of the disk that a folder lies on: machines' clocks differ."""
    with tempfile.TemporaryFile(dir=folder) as probe:
        return os.fstat(probe.fileno()).st_mtime


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return True


def _remove(partial: Path) -> None:
    if partial.is_dir() and not partial.is_symlink():
        shutil.rmtree(partial, ignore_errors=True)
    with suppress(FileNotFoundError):
        partial.unlink()


def _settle(place: Path) -> None:
    """Have a file, or all of a folder, on the disk."""
    if place.is_dir():
        for inside in place.iterdir():
            _settle(inside)
    _sync(place)


def _sync(place: Path) -> None:
    descriptor = os.open(place, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some file systems have no way to sync a folder, or a file opened for reading.
        if error.errno not in (errno.EINVAL, errno.EBADF, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)
