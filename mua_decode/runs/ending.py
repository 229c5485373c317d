"""How a process ends early: SIGTERM like Ctrl-C, and children with their parent.

A scheduler sends SIGTERM before it takes a job's machine away; what a command was doing is left as
after Ctrl-C, resumable.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_AGAIN_S = 20.0  # a second SIGTERM within this time lets the first one finish its work
_POLL_S = 1.0
_PATIENCE_S = 30.0
_PARENT = "MUA_DECODE_PARENT"
# Python puts the working folder before everything where it is called with -m or -c, so that a file
# called like a module would be imported instead of it.
NOT_HERE = {"PYTHONSAFEPATH": "1"}
CODE = 128 + signal.SIGTERM
LAST_WORDS = {
    int(signal.SIGTERM): "terminated (SIGTERM)",
    int(signal.SIGINT): "\ninterrupted",
}

_ours = threading.Event()
_received: list[float] = []


class Terminated(KeyboardInterrupt):
    """SIGTERM came."""


def end_on_sigterm() -> None:
    """Let SIGTERM raise :class:`Terminated` in the main thread; elsewhere nothing is changed."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _stop)
        _ours.set()


@contextmanager
def loading() -> Iterator[None]:
    """Let SIGTERM and Ctrl-C end the process on the spot, before anything is begun.

    An exception that is raised in the middle of a library's start goes through compiled code, some
    of which aborts. Nothing is changed where :func:`end_on_sigterm` was not called.
    """
    if not sigterm_ends() or threading.current_thread() is not threading.main_thread():
        yield
        return
    before = [(n, signal.signal(n, _end)) for n in LAST_WORDS]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)


def _end(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
    os.write(2, f"{LAST_WORDS[number]}\n".encode())
    os._exit(128 + number)


def sigterm_ends() -> bool:
    """Whether :func:`end_on_sigterm` was called in this process."""
    return _ours.is_set()


def _stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
    now = time.monotonic()
    if not _received or now - _received[-1] > _AGAIN_S:
        _received.append(now)
        raise Terminated


def terminated() -> bool:
    """Whether SIGTERM came."""
    return bool(_received)


def child_environment() -> dict[str, str]:
    """What to add to the environment of a process that is to end with this one.

    It imports nothing that lies in the working folder, but for packages in ``trusted=``.
    """
    return {_PARENT: str(os.getpid())} | NOT_HERE


def end_with_parent() -> None:
    """End this process, orderly and then by force, when the one that started it has died.

    Nothing is done where that was not one of ours; see :func:`child_environment`.
    """
    parent = int(os.environ.pop(_PARENT, "0"))
    if not parent:
        return

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_POLL_S)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(_PATIENCE_S)
        os._exit(CODE)

    threading.Thread(target=watch, daemon=True).start()
