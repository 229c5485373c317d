"""What is said where memory is refused."""

from __future__ import annotations

import pytest

from mua_decode.limits import check_room, memory_refused, no_memory


def test_refused_memory_is_told_from_damage_by_what_led_to_it() -> None:
    def caused(outer: Exception, cause: BaseException) -> Exception:
        outer.__cause__ = cause
        return outer

    refused = RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9")
    assert memory_refused(refused)
    assert memory_refused(MemoryError())
    assert memory_refused(caused(ValueError("failed serialising"), MemoryError()))
    assert memory_refused(caused(OSError(), caused(KeyError("a"), refused)))
    assert not memory_refused(RuntimeError("shapes differ"))
    assert not memory_refused(caused(ValueError("damaged"), EOFError()))
    assert not memory_refused(None)
    assert "GPU" in no_memory(RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"))
    assert "this process may fill" in no_memory(refused)


def test_room_that_there_is_not_is_refused_before_the_work() -> None:
    check_room(1 << 20, "anything")
    with pytest.raises(MemoryError, match="the work is not begun with less than"):
        check_room(1 << 62, "the work")
