"""What is measured in a process of its own: peak resident memory, and epochs that need much of it.

Run as ``python -m mua_decode.benchmark.memory KIND JSON``; prints one JSON object.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from mua_decode.benchmark.epoch import epoch_times, paper_size_data, paper_size_recording
from mua_decode.benchmark.workloads import Sizes, Workload

_STATUS = Path("/proc/self/status")


def measure_apart(kind: str, **options: Any) -> dict[str, float]:
    """Call one of the functions below in a fresh process: ``step``, ``data`` or ``epoch``."""
    command = [sys.executable, "-P", "-m", "mua_decode.benchmark.memory", kind]
    command.append(json.dumps(options))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"measuring {kind} failed: {done.stderr.strip()[-500:]}")
    found: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def _resident(field: str) -> float:
    """Return VmRSS or VmHWM in MiB; the peak since the start where /proc is missing."""
    if _STATUS.is_file():
        for line in _STATUS.read_text(encoding="utf-8").splitlines():
            if line.startswith(field):
                return int(line.split()[1]) / 1024
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def _step(*, route: str, threads: int, batch: int) -> dict[str, float]:
    """Memory of training steps above what model and batch take, in MiB."""
    torch.set_num_threads(threads)
    work = Workload(route, Sizes(batch=batch))
    standing = _resident("VmRSS")
    for _ in range(2):  # the optimiser's state is made in the first
        work.step()
    peak = _resident("VmHWM")
    return {"standing_mib": standing, "peak_mib": peak, "step_mib": peak - standing}


def _data() -> dict[str, float]:
    """Peak memory of the paper-size data set, with all of the process, and time of its batches."""
    start = _resident("VmRSS")
    recording = paper_size_recording()
    out: dict[str, float] = {}
    for name, resident in (("loader", False), ("resident", True)):
        loader = paper_size_data(recording, 512, resident=resident).train_dataloader()
        began, number = time.perf_counter(), 0
        for number, _ in enumerate(loader, 1):
            if number == 40:
                break
        out[f"{name}_batch_ms"] = 1e3 * (time.perf_counter() - began) / number
        out["batches_per_epoch"] = float(len(loader))
    out["videos_mib"] = recording.stimuli.videos.nbytes / 2**20
    out["peak_mib"] = _resident("VmHWM")
    out["data_mib"] = out["peak_mib"] - start
    return out


def _epoch(*, threads: int) -> dict[str, float]:
    """Epochs of compact data beside epochs of videos laid out as single-precision numbers."""
    torch.set_num_threads(threads)
    return epoch_times()


if __name__ == "__main__":
    measure: dict[str, Callable[..., dict[str, float]]]
    measure = {"step": _step, "data": _data, "epoch": _epoch}
    print(json.dumps(measure[sys.argv[1]](**json.loads(sys.argv[2]))))
