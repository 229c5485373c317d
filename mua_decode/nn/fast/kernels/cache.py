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
    """Folder of the built libraries, in ``$MUA_DECODE_CACHE`` or ``~/.cache/mua_decode``.

    Where another user who shares that came first, one of this user's own beside theirs.
    """
    given = os.environ.get("MUA_DECODE_CACHE")
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = (Path(given) if given else base / "mua_decode") / "kernels"
    with suppress(OSError):
        if folder.lstat().st_uid != os.geteuid():
            return folder.with_name(f"kernels-{os.geteuid()}")
    return folder


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
    path = cache_folder() / name
    with _own_folder(path.parent) as folder:
        with _opened(folder, name) as library:
            if library is not None:
                return _load(library, path)
        with _alone(folder):  # of several that start at once, one builds
            with _opened(folder, name) as library:
                if library is None:
                    _keep(folder, name, build)
            with _opened(folder, name) as library:
                if library is None:
                    raise OSError(f"{path}: was changed as soon as it was kept")
                return _load(library, path)


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


def _keep(folder: int, name: str, build: Callable[[Path], None]) -> None:
    """Build a library and put it and its digest into the open folder.

    It is built elsewhere: who may write beside the folder can move it away meanwhile, and lay a
    link where the compiler is to write.
    """
    with tempfile.TemporaryDirectory(prefix="mua_decode_") as work:
        built = Path(work) / name
        build(built)
        data = built.read_bytes()
    digest = f"{hashlib.sha256(data).hexdigest()}\n".encode()
    for part, content, mode in ((name, data, 0o700), (f"{name}.sha256", digest, 0o600)):
        partial = f".{part}.{os.getpid()}"
        with suppress(FileNotFoundError):
            os.unlink(partial, dir_fd=folder)
        new = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode, dir_fd=folder)
        with os.fdopen(new, "wb") as file:
            file.write(content)
        os.replace(partial, part, src_dir_fd=folder, dst_dir_fd=folder)
