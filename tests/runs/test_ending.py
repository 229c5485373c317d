"""SIGTERM is an orderly end, and nobody outlives who started them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.tiny import TINY

LONG = [*TINY, "floor=[]", "metric=[mse]", "trainer.max_epochs=2000"]


def start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "mua_decode", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        start_new_session=True,
    )


def wait_for(
    what: Callable[[], bool], process: subprocess.Popen[str], limit_s: float = 120
) -> None:
    end = time.monotonic() + limit_s
    while not what():
        assert process.poll() is None, process.stderr.read() if process.stderr else ""
        assert time.monotonic() < end
        time.sleep(0.05)


def in_session(leader: int) -> list[int]:
    """Processes that the command started and that are not ended."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, _, _, session = (folder / "stat").read_text().rpartition(")")[2].split()[:4]
        except (OSError, ValueError):
            continue
        if int(session) == leader and state != "Z":
            found.append(int(folder.name))
    return found


def ended(process: subprocess.Popen[str], limit_s: float = 60) -> str:
    try:
        return process.communicate(timeout=limit_s)[1]
    finally:
        process.kill()


def test_sigterm_in_training_says_how_to_go_on(tmp_path: Path) -> None:
    run = tmp_path / "run"
    process = start("train", *LONG, f"run_dir={run}")
    wait_for((run / "checkpoints" / "last.ckpt").is_file, process)
    process.terminate()
    said = ended(process)
    assert process.returncode == 143, said
    assert f"go on with run_dir={run} ckpt_path=auto" in said.replace("\n", "")
    assert said.splitlines()[-1] == "terminated (SIGTERM)"
    assert not (run / ".lock").exists()


def test_a_second_training_in_the_folder_is_refused(tmp_path: Path) -> None:
    run = tmp_path / "run"
    first = start("train", *LONG, f"run_dir={run}")
    try:
        wait_for((run / "config.yaml").is_file, first)
        second = start("train", *LONG, f"run_dir={run}", "ckpt_path=auto")
        said = ended(second)
        assert second.returncode == 2, said
        assert "is being written by" in said
        assert f"process {first.pid} on" in said
    finally:
        first.kill()
        first.communicate()


@pytest.mark.parametrize("after_s", [0.15, 1.0])
def test_sigterm_at_the_start_is_as_orderly(tmp_path: Path, after_s: float) -> None:
    process = start("train", *LONG, f"run_dir={tmp_path / 'run'}")
    time.sleep(after_s)
    process.terminate()
    said = ended(process)
    # Before the interpreter has reached our first line, the system ends it.
    assert process.returncode in (143, -signal.SIGTERM), said
    if process.returncode == 143:
        assert said.splitlines()[-1] == "terminated (SIGTERM)"
        assert "Traceback" not in said


_LOADING = """
import os, sys
from mua_decode.runs.ending import end_on_sigterm, loading
end_on_sigterm()
try:
    with loading():
        os.kill(os.getpid(), int(sys.argv[1]))
finally:
    print("went on", file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("number", "said"),
    [(signal.SIGTERM, "terminated (SIGTERM)\n"), (signal.SIGINT, "\ninterrupted\n")],
)
def test_no_exception_is_raised_into_a_library_that_is_being_loaded(number: int, said: str) -> None:
    command = [sys.executable, "-c", _LOADING, str(int(number))]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (128 + number, said)


def test_a_worker_whose_parent_is_gone_ends_before_it_has_loaded_anything(tmp_path: Path) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "mua_decode.sweep", str(tmp_path)]
    for parent, loads in ((os.getpid(), True), (1, False)):  # of 1 it is no child
        found = subprocess.run(
            command, env=os.environ | {"MUA_DECODE_PARENT": str(parent)},
            stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
        assert (" torch\n" in found.stderr) is loads
        assert found.returncode == (2 if loads else -signal.SIGTERM)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_no_worker_of_a_sweep_outlives_it(tmp_path: Path, number: int) -> None:
    out = tmp_path / "out"
    space = "sweep.space=[{option:task.optimizer.lr,kind:log,low:0.001,high:0.01}]"
    process = start("sweep", *LONG, space, "sweep.n_trials=4", "workers=2", f"out_dir={out}")
    wait_for(lambda: len(list(out.glob("trials/*/epochs.csv"))) == 2, process)
    pids = {int((p / ".lock").read_text().split('"pid": ')[1].split(",")[0])
            for p in (out / "trials").iterdir()}  # fmt: skip
    assert len(pids) == 2
    os.kill(process.pid, number)
    said = ended(process)
    assert process.returncode == (143 if number == signal.SIGTERM else -number), said
    gone(pids)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_no_process_of_a_shared_training_outlives_the_first(tmp_path: Path, number: int) -> None:
    run = tmp_path / "run"
    two = ["trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2"]
    process = start("train", *LONG, *two, f"run_dir={run}")
    wait_for((run / "checkpoints" / "last.ckpt").is_file, process)
    pids = set(in_session(process.pid)) - {process.pid}
    assert pids
    os.kill(process.pid, number)
    said = ended(process)
    assert process.returncode == (143 if number == signal.SIGTERM else -number), said
    gone(pids)


def gone(pids: set[int], limit_s: float = 45) -> None:
    end = time.monotonic() + limit_s
    while left := [p for p in pids if alive(p)]:
        assert time.monotonic() < end, left
        time.sleep(0.2)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
