"""Peak resident memory, each program in a process of its own.

Run as ``python -m mua_decode.benchmark.memory KIND JSON``; prints one JSON object.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

_STATUS = Path("/proc/self/status")


def peak_of_step(route: str, *, threads: int, steps: int = 2, **sizes: int) -> dict[str, float]:
    """Memory of training steps above what model, optimiser state and batch take, in MiB.

    Parameters
    ----------
    route : str
        As in :class:`mua_decode.benchmark.Workload`.
    threads : int
        Of PyTorch.
    steps : int
        Steps run after the baseline is noted; the optimiser's state is made in the first.
    **sizes : int
        Fields of :class:`mua_decode.benchmark.Sizes`.
    """
    given = {"route": route, "threads": threads, "steps": steps, "sizes": sizes}
    return _in_a_process("step", given)


def peak_of_data(*, variants: int = 60, per_condition: int = 512) -> dict[str, float]:
    """Peak memory of the paper-size data set and the time of its batches.

    64 conditions with `variants` videos of 45 frames each, 140 sites in six sessions,
    `per_condition` pseudo-trials each; the whole process is counted, interpreter and PyTorch
    included.
    """
    return _in_a_process("data", {"variants": variants, "per_condition": per_condition})


def measure_epoch(*, threads: int, **sizes: int) -> dict[str, float]:
    """Epochs of compact data beside epochs of videos laid out as single-precision numbers.

    `sizes` as in :func:`mua_decode.benchmark.epoch.epoch_times`, whose keys are returned.
    """
    return _in_a_process("epoch", {"threads": threads, **sizes})


def _in_a_process(kind: str, given: dict[str, Any]) -> dict[str, float]:
    command = [sys.executable, "-m", "mua_decode.benchmark.memory", kind, json.dumps(given)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"measuring memory failed: {done.stderr.strip()[-500:]}")
    found: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def _resident(field: str) -> float:
    """Return VmRSS or VmHWM in MiB; the peak since the start where /proc is missing."""
    if _STATUS.is_file():
        for line in _STATUS.read_text().splitlines():
            if line.startswith(field):
                return int(line.split()[1]) / 1024
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def _measure_step(given: dict[str, Any]) -> dict[str, float]:
    import torch

    from mua_decode.benchmark.workloads import Sizes, Workload

    torch.set_num_threads(given["threads"])
    work = Workload(given["route"], Sizes(**given["sizes"]))
    standing = _resident("VmRSS")
    for _ in range(given["steps"]):
        work.step()
    peak = _resident("VmHWM")
    return {"standing_mib": standing, "peak_mib": peak, "step_mib": peak - standing}


def _measure_data(given: dict[str, Any]) -> dict[str, float]:
    from mua_decode.benchmark.epoch import paper_size_data, paper_size_recording

    start = _resident("VmRSS")
    recording = paper_size_recording(given["variants"])
    out: dict[str, float] = {}
    for name, resident in (("loader", False), ("resident", True)):
        data = paper_size_data(recording, given["per_condition"], resident=resident)
        loader = data.train_dataloader()
        began, number = time.perf_counter(), 0
        for _ in loader:
            number += 1
            if number == 40:
                break
        out[f"{name}_batch_ms"] = 1e3 * (time.perf_counter() - began) / number
        out["batches_per_epoch"] = float(len(loader))
    out["videos_mib"] = recording.stimuli.videos.nbytes / 2**20
    out["peak_mib"] = _resident("VmHWM")
    out["data_mib"] = out["peak_mib"] - start
    return out


def _measure_epoch(given: dict[str, Any]) -> dict[str, float]:
    import torch

    from mua_decode.benchmark.epoch import epoch_times

    torch.set_num_threads(given.pop("threads"))
    return epoch_times(**given)


if __name__ == "__main__":
    measure = {"step": _measure_step, "data": _measure_data, "epoch": _measure_epoch}[sys.argv[1]]
    print(json.dumps(measure(json.loads(sys.argv[2]))))
