"""Both protocols at once, each in a process of its own."""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from mua_decode.files import open_to_append
from mua_decode.reproduce.step import Step, seconds_taken
from mua_decode.runs.ending import child_environment, end_on_sigterm, end_with_parent
from mua_decode.runs.lock import locks
from mua_decode.runs.progress import console

_EVERY_S = 2.0


def cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_side_by_side(
    work: Callable[[Mapping[str, Any], str, Path], None],
    cfg: Mapping[str, Any],
    steps: Sequence[Step],
    out: Path,
) -> None:
    """Do the steps of every protocol in a process of its own, with its share of the cores.

    Two networks of this size on one core each train faster than one after the other on two. What
    a process prints goes to ``PROTOCOL/log.txt``. A step that fails there is left undone, for the
    caller to try again.

    Parameters
    ----------
    work
        Does all steps of one protocol; importable, called as ``work(cfg, protocol, out)``.
    cfg
        Plain config.
    steps
        All steps, for the progress.
    """
    names = list(dict.fromkeys(step.protocol for step in steps))
    threads = max(1, cores() // len(names))
    before = dict(os.environ)
    # Read when torch is loaded.
    os.environ.update(child_environment() | {"OMP_NUM_THREADS": str(threads)})
    context = multiprocessing.get_context("spawn")
    processes = [
        context.Process(target=_quietly, args=(work, cfg, name, out, threads)) for name in names
    ]
    logs = ", ".join(str(out / name / "log.txt") for name in names)
    console.print(f"protocols side by side, {threads} core(s) each; see {logs}", soft_wrap=True)
    try:
        for process in processes:
            process.start()
        _watch(processes, steps, out)
    finally:
        for process in processes:
            if process.is_alive():
                process.terminate()
            process.join()
        os.environ.clear()
        os.environ.update(before)


def _quietly(
    work: Callable[[Mapping[str, Any], str, Path], None],
    cfg: Mapping[str, Any],
    name: str,
    out: Path,
    threads: int,
) -> None:
    import torch

    end_on_sigterm()
    end_with_parent()
    torch.set_num_threads(threads)
    (out / name).mkdir(parents=True, exist_ok=True)
    descriptor = open_to_append(out / name / "log.txt")
    with os.fdopen(descriptor, "a", buffering=1, encoding="utf-8") as log, locks():
        sys.stdout = sys.stderr = log
        work(cfg, name, out)


def _watch(processes: Sequence[BaseProcess], steps: Sequence[Step], out: Path) -> None:
    """Say which steps are done, and the time left, until all processes have ended."""
    start = time.perf_counter()
    known = {s.key for s in steps if seconds_taken(out, s) is not None}
    todo = sum(s.weight for s in steps if s.key not in known)
    done = 0.0
    status = console.status("") if console.is_terminal else None
    if status is not None:
        status.start()
    try:
        while any(p.is_alive() for p in processes):
            for step in steps:
                if step.key in known or seconds_taken(out, step) is None:
                    continue
                known.add(step.key)
                done += step.weight
                left = (todo - done) / done * (time.perf_counter() - start)
                console.print(
                    f"{step.key} done, {len(known)} of {len(steps)}, "
                    f"about {max(1, round(left / 60))} min left in all",
                    highlight=False,
                )
            if status is not None:
                now = round((time.perf_counter() - start) / 60)
                status.update(f"{len(known)} of {len(steps)} steps done, {now} min so far")
            time.sleep(_EVERY_S)
    finally:
        if status is not None:
            status.stop()
