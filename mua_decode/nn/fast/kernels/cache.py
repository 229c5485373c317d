"""Where built libraries are kept: a folder that nobody else can write to, each with its digest.

A library that is loaded runs in this process. So the folder must be the user's own and closed to
others (0700), a library a plain file of the user's that others cannot write to, and its bytes those
that were kept: a cut or overwritten one would end the process, or compute something else.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def cache_folder() -> Path:
    """Folder of the built libraries, in ``$MUA_DECODE_CACHE`` or ``~/.cache/mua_decode``."""
    given = os.environ.get("MUA_DECODE_CACHE")
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return (Path(given) if given else base / "mua_decode") / "kernels"


def load_kept(name: str, build: Callable[[Path], None]) -> ctypes.CDLL:
    """Load a library of the cache, built where it is missing, or not as it was kept.

    Parameters
    ----------
    name
        Name of the file.
    build
        Writes the library to the path it is given.

    Raises OSError if the folder is open to others, or cannot be written or loaded from.
    """
    with _own_folder(cache_folder()) as folder:
        with _opened(folder, name) as library:
            if library is not None:
                return _load(library, cache_folder() / name)
        with _alone(folder):  # of several that start at once, one builds
            with _opened(folder, name) as library:
                if library is None:
                    _keep(cache_folder(), name, build)
            with _opened(folder, name) as library:
                if library is None:
                    raise OSError(f"{cache_folder() / name}: was changed as soon as it was kept")
                return _load(library, cache_folder() / name)


@contextmanager
def _own_folder(path: Path) -> Iterator[int]:
    """Open the folder, made if need be; OSError where it is not the user's alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        path.mkdir(mode=0o700)
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        about = os.fstat(folder)
        if about.st_uid != os.geteuid() or stat.S_IMODE(about.st_mode) & 0o077:
            raise OSError(
                f"{path} is open to others, who could put their code there; remove it, or "
                "set MUA_DECODE_CACHE to a folder of your own"
            )
        yield folder
    finally:
        os.close(folder)


@contextmanager
def _opened(folder: int, name: str) -> Iterator[int | None]:
    """Open a library for reading; None where it is missing, foreign, or not as it was kept.

    What is checked is what was opened, so that nothing can take its place in between.
    """
    opened: list[int] = []
    try:
        for part in (name, f"{name}.sha256"):
            with suppress(OSError):
                opened.append(os.open(part, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=folder))
        sound = len(opened) == 2 and all(map(_is_own, opened))
        if sound:
            with open(opened[0], "rb", closefd=False) as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            sound = os.read(opened[1], 100).decode("ascii", "replace").strip() == digest
        yield opened[0] if sound else None
    finally:
        for number in opened:
            os.close(number)


def _is_own(opened: int) -> bool:
    about = os.fstat(opened)
    plain = stat.S_ISREG(about.st_mode) and not about.st_mode & 0o022
    return plain and about.st_uid == os.geteuid()


def _load(library: int, path: Path) -> ctypes.CDLL:
    """Load what was opened, not what has its name by now, where the system can."""
    if sys.platform != "linux" or not Path(f"/proc/self/fd/{library}").exists():
        return ctypes.CDLL(str(path))
    # Never closed: the system tells libraries apart by their names, and takes the next file of one
    # number for the library that it knows by it.
    kept = os.dup(library)
    try:
        return ctypes.CDLL(f"/proc/self/fd/{kept}")
    except OSError:
        os.close(kept)
        raise


@contextmanager
def _alone(folder: int) -> Iterator[None]:
    """Wait until no other process builds."""
    import fcntl

    with suppress(OSError):  # some network drives have no locks: then two may build, to one end
        fcntl.flock(folder, fcntl.LOCK_EX)
    try:
        yield
    finally:
        with suppress(OSError):
            fcntl.flock(folder, fcntl.LOCK_UN)


def _keep(folder: Path, name: str, build: Callable[[Path], None]) -> None:
    """Build a library and put it and its digest into the folder."""
    with tempfile.TemporaryDirectory(dir=folder) as work:
        built, digest = Path(work) / name, Path(work) / f"{name}.sha256"
        build(built)
        built.chmod(0o700)
        found = hashlib.sha256(built.read_bytes()).hexdigest()
        digest.write_text(f"{found}\n", encoding="utf-8")
        digest.chmod(0o600)
        for path in (built, digest):
            path.replace(folder / path.name)
