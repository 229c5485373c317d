"""Something done now and then in the background of something else."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def meanwhile(act: Callable[[], None], *, every_s: float) -> Iterator[None]:
    """Call `act` every `every_s` seconds, from a thread, as long as the context lasts.

    The first call comes `every_s` seconds in; none comes after the context has been left. An
    exception of `act` ends the calls and nothing else.
    """
    end = threading.Event()

    def beat() -> None:
        while not end.wait(every_s):
            act()

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()
