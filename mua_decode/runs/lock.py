"""A folder is written by one process at a time, on whatever machine.

The lock is a file in the folder. On one machine the system holds it and lets it go when its owner
dies. Not every file system of a cluster tells other machines of such locks, so the owner also
renews the file's time every few seconds, and who finds the file of another machine watches it.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import secrets
import socket
import stat
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from mua_decode.types import InputError

NAME = ".lock"
_BEAT_S = 5.0
_DEAD_S = 25.0  # without a beat


class FolderInUseError(InputError):
    """Another process writes to the folder."""


@dataclass
class _Lock:
    """A lock that is held."""

    path: Path
    descriptor: int
    _end: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        about = _me() | {
            "since": datetime.now().isoformat(timespec="seconds"),
            "command": " ".join([Path(sys.argv[0]).name, *sys.argv[1:2]]),
        }
        os.ftruncate(self.descriptor, 0)
        os.pwrite(self.descriptor, json.dumps(about).encode(), 0)
        threading.Thread(target=self._beat, daemon=True).start()

    def _beat(self) -> None:
        while not self._end.wait(_BEAT_S):
            with suppress(OSError):
                os.utime(self.descriptor)

    def release(self) -> None:
        self._end.set()
        with suppress(OSError):
            self.path.unlink()
        os.close(self.descriptor)


_scopes: list[dict[Path, _Lock]] = []


@contextmanager
def locks() -> Iterator[None]:
    """Let go at the end of the context what was locked within it."""
    _scopes.append({})
    try:
        yield
    finally:
        for lock in _scopes.pop().values():
            lock.release()


def lock(folder: Path, *, option: str = "run_dir") -> None:
    """Lock a folder for this process until the innermost :func:`locks` ends; without one, not.

    A folder that this process holds already stays held. Raises FolderInUseError, naming the
    process and its machine, if another one writes to it, and InputError if no lock can be kept.
    """
    path = folder.resolve() / NAME
    if not _scopes or any(path in scope for scope in _scopes):
        return
    try:
        _scopes[-1][path] = _take(path, option)
    except OSError as error:
        why = error.strerror
        if error.errno in (errno.ELOOP, errno.EMLINK):
            why = f"{NAME} in it is a link, which is not followed; remove it"
        raise InputError(f"{option}: cannot lock {folder}: {why}") from error


def _take(path: Path, option: str) -> _Lock:
    while True:
        # A folder may come from elsewhere, and what it links to is not to be written.
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        try:
            about = os.fstat(descriptor)
            if not stat.S_ISREG(about.st_mode) or about.st_nlink > 1:
                raise OSError(errno.EMLINK, os.strerror(errno.EMLINK))
            owner = _owner(descriptor)
            if not _locked(descriptor, owner) or not _silent(path, descriptor, owner):
                raise FolderInUseError(_in_use(path, _owner(descriptor), option))
            # Whoever held it may have removed the file while we opened it.
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(descriptor), path.stat()):
                    return _Lock(path, descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _locked(descriptor: int, owner: dict[str, Any]) -> bool:
    """Take the lock of the system, if no other process of this machine has it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks: whether its owner lives is all there is to ask
        return not _lives(owner)
    return True


def _lives(owner: dict[str, Any]) -> bool:
    me = _me()
    if owner.get("machine") != me["machine"] or owner.get("pid") == me["pid"]:
        return False
    with suppress(ProcessLookupError, PermissionError, TypeError):
        os.kill(owner["pid"], 0)
        return True
    return False


def _silent(path: Path, descriptor: int, owner: dict[str, Any]) -> bool:
    """Whether the owner on another machine, if there is one, gives no sign of life any more."""
    if not owner or owner.get("machine") == _me()["machine"]:
        return True
    # Both times are those of the file system: clocks of machines differ.
    probe = path.with_name(f"{NAME}.{os.getpid()}-{secrets.token_hex(4)}")
    probe.touch()
    now = probe.stat().st_mtime
    probe.unlink()
    beat = os.fstat(descriptor).st_mtime
    if now - beat > _DEAD_S:
        return True
    end = time.monotonic() + _DEAD_S
    while time.monotonic() < end:
        time.sleep(0.5)
        try:
            # Opened anew, as network drives look for news of a file only then.
            renewed = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                if os.fstat(renewed).st_mtime != beat:
                    return False
            finally:
                os.close(renewed)
        except FileNotFoundError:
            return True
    return True


def _owner(descriptor: int) -> dict[str, Any]:
    with suppress(ValueError):
        found = json.loads(os.pread(descriptor, 4096, 0) or b"{}")
        return found if isinstance(found, dict) else {}
    return {}


def _me() -> dict[str, Any]:
    boot = Path("/proc/sys/kernel/random/boot_id")  # tells machines of one name apart
    started = boot.read_text(encoding="utf-8").strip() if boot.exists() else ""
    machine = f"{socket.gethostname()} {started}"
    return {"machine": machine, "pid": os.getpid()}


def _in_use(path: Path, owner: dict[str, Any], option: str) -> str:
    host = str(owner.get("machine", "?")).split(" ")[0]
    who = f"{owner.get('command', 'another process')} (process {owner.get('pid', '?')} on {host}"
    return (
        f"{option}: {path.parent} is being written by {who}, since {owner.get('since', '?')}); "
        f"wait for it to end, or choose another {option}"
    )
