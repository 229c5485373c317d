"""Something done in the background of something else."""

from __future__ import annotations

import threading
import time

import pytest

from mua_decode.runs.meanwhile import meanwhile


def test_called_again_and_again_and_not_after_its_end() -> None:
    called, thrice = [], threading.Event()

    def act() -> None:
        called.append(threading.current_thread())
        if len(called) == 3:
            thrice.set()

    with meanwhile(act, every_s=0.01):
        assert thrice.wait(10)
    after = len(called)
    assert threading.main_thread() not in called
    time.sleep(0.05)
    assert len(called) == after


def test_ends_with_the_work_that_fails() -> None:
    before = threading.active_count()
    with pytest.raises(ZeroDivisionError), meanwhile(lambda: None, every_s=0.01):
        _ = 1 / 0
    assert threading.active_count() == before
