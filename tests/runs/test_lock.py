"""One process writes to a folder at a time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from mua_decode.runs import lock as room
from mua_decode.runs.folder import RunFolder
from mua_decode.runs.lock import NAME, FolderInUseError, lock, locks
from mua_decode.types import InputError

HOLD = """
import sys, time
from pathlib import Path
from mua_decode.runs.lock import lock, locks
with locks():
    lock(Path(sys.argv[1]))
    print("held", flush=True)
    time.sleep(60)
"""


def holder(folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", HOLD, str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_folder_another_process_writes_to_is_refused_until_it_dies(tmp_path: Path) -> None:
    process = holder(tmp_path)
    with locks():
        with pytest.raises(FolderInUseError, match=f"process {process.pid} on ") as refused:
            lock(tmp_path)
        assert "\n" not in str(refused.value)
        process.send_signal(signal.SIGKILL)
        process.wait()
        lock(tmp_path)  # left behind by the dead, and taken over at once
        lock(tmp_path)  # ours already
        assert json.loads((tmp_path / NAME).read_text())["pid"] == os.getpid()
    assert not (tmp_path / NAME).exists()


def test_another_machine_is_believed_as_long_as_it_gives_signs_of_life(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A file system that tells this machine nothing of the locks of others: only the file is seen.
    monkeypatch.setattr(room, "_DEAD_S", 2.0)
    path = tmp_path / NAME
    path.write_text(json.dumps({"machine": "elsewhere 1", "pid": 7, "since": "now"}))
    beat = subprocess.Popen(
        [
            sys.executable,
            "-c",
            f"import os, time\nwhile True: os.utime({str(path)!r}); time.sleep(.3)",
        ]
    )
    try:
        with locks(), pytest.raises(FolderInUseError, match="process 7 on elsewhere, since now"):
            lock(tmp_path)
    finally:
        beat.kill()
        beat.wait()
    start = time.monotonic()
    with locks():
        lock(tmp_path)
    assert 1 < time.monotonic() - start < 20
    path.write_text(json.dumps({"machine": "elsewhere 1", "pid": 7}))
    os.utime(path, (0, 0))  # silent for long: nothing to wait for
    start = time.monotonic()
    with locks():
        lock(tmp_path)
    assert time.monotonic() - start < 1


@pytest.mark.parametrize("alive", [True, False])
def test_clocks_set_back_make_no_lock_older_or_younger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, alive: bool
) -> None:
    """Signs of life that lie a day ahead: only whether they change is asked."""
    monkeypatch.setattr(room, "_DEAD_S", 1.5)
    path, day = tmp_path / NAME, time.time() + 86400
    path.write_text(json.dumps({"machine": "elsewhere 1", "pid": 7}))
    os.utime(path, (day, day))
    back = threading.Timer(0.3, os.utime, (path, (day - 7200, day - 7200)))  # still ahead
    if alive:
        back.start()
    with locks():
        if alive:
            with pytest.raises(FolderInUseError):
                lock(tmp_path)
            back.join()
        else:
            lock(tmp_path)


def test_a_damaged_lock_keeps_nobody_out(tmp_path: Path) -> None:
    for content in (b"", b"\xff\x00", b"[1]", b'{"pid": "x"}'):
        (tmp_path / NAME).write_bytes(content)
        os.utime(tmp_path / NAME, (0, 0))
        with locks():
            lock(tmp_path)
        assert not (tmp_path / NAME).exists()


@pytest.mark.parametrize("kind", ["link", "hard link", "nowhere", "pipe"])
def test_a_lock_that_leads_elsewhere_is_not_written(tmp_path: Path, kind: str) -> None:
    """A folder from elsewhere whose lock is the user's own file by another name."""
    mine, folder = tmp_path / "mine", tmp_path / "run"
    folder.mkdir()
    mine.write_text("mine")
    if kind == "hard link":
        (folder / NAME).hardlink_to(mine)
    elif kind == "pipe":
        os.mkfifo(folder / NAME)
    else:
        (folder / NAME).symlink_to(mine if kind == "link" else tmp_path / "new")
    with locks(), pytest.raises(InputError, match=r"run_dir: cannot lock .*remove it"):
        lock(folder)
    assert mine.read_text() == "mine"
    assert not (tmp_path / "new").exists()


def test_folders_nobody_named_are_never_shared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    made = {RunFolder.create(None, "train").path for _ in range(5)}
    assert len(made) == 5
