"""Where the workers of a sweep run: processes of this machine, or jobs of a cluster.

Both start workers, which end by themselves when all trials are done; end them early, so that each
leaves its trial to whoever comes next; and say whether any is left.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import stat
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from mua_decode.files import open_to_append
from mua_decode.runs.ending import NOT_HERE, child_environment
from mua_decode.runs.progress import console
from mua_decode.sweep.private import telling
from mua_decode.sweep.worker import work_in
from mua_decode.types import InputError


@dataclass
class LocalLauncher:
    """Worker processes on this machine."""

    restarts: int = 3  # of workers that were killed, in all
    _folder: Path = field(default_factory=Path, init=False)
    _workers: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict, init=False)
    _number: int = field(default=0, init=False)
    _told: dict[str, str] = field(default_factory=dict, init=False, repr=False)

    def start(self, folder: Path, n_workers: int, told: Mapping[str, str] | None = None) -> None:
        """Start workers; what they print goes to ``workers/N.log``.

        ``told`` are variables of their environment; see :mod:`mua_decode.sweep.private`.
        """
        self._folder, self._number, self._told = folder, n_workers, dict(told or {})
        (folder / "workers").mkdir(exist_ok=True)
        for index in range(n_workers):
            self._start(index)

    def _start(self, index: int) -> None:
        command = [sys.executable, "-m", "mua_decode.sweep", str(self._folder)]
        env = os.environ | worker_environment(index, self._number) | self._told
        env |= child_environment()
        with os.fdopen(open_to_append(self._folder / "workers" / f"{index}.log"), "ab") as log:
            # In a session of its own, as Ctrl-C is for this process alone, which ends its workers.
            self._workers[index] = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env,
                start_new_session=True,
            )  # fmt: skip

    def alive(self) -> bool:
        """Whether any worker is left; those that were killed are started again."""
        for index, worker in list(self._workers.items()):
            code = worker.poll()
            if code is None:
                continue
            del self._workers[index]
            if code == 0:
                continue
            log = self._folder / "workers" / f"{index}.log"
            how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
            if code == 2:  # an option or the recording is wrong, and would be again
                said = log.read_text(encoding="utf-8", errors="replace")
                how = f"ended: {said.splitlines()[-1]}"
            again = self.restarts > 0 and code != 2
            what = "started again" if again else f"see {log}"
            console.print(f"worker {index} {how}; {what}", highlight=False, soft_wrap=True)
            if again:
                self.restarts -= 1
                self._start(index)
        return bool(self._workers)

    def stop(self) -> None:
        """End all workers."""
        for worker in self._workers.values():
            worker.terminate()
        for worker in self._workers.values():
            try:
                worker.wait(30)
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()


def worker_environment(index: int, n_workers: int) -> dict[str, str]:
    """Cores and GPU of one of several workers on a machine."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    threads = str(max(1, (cores or 1) // n_workers))
    found = {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
    gpus = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
    if gpus == [""]:
        gpus = [str(i) for i in range(torch.cuda.device_count())]
    if len(gpus) > 1:
        found["CUDA_VISIBLE_DEVICES"] = gpus[index % len(gpus)]
    return found


@dataclass
class SubmititLauncher:
    """Workers as jobs of a SLURM cluster, through submitit; sizes are those of each worker."""

    cluster: str = "slurm"  # or local, to run the jobs as processes here
    partition: str | None = None
    account: str | None = None
    gpus: int = 1
    cpus: int = 8
    memory_gb: int = 32
    time_min: int = 720
    _jobs: list[Any] = field(default_factory=list, init=False)

    def start(self, folder: Path, n_workers: int, told: Mapping[str, str] | None = None) -> None:
        """Submit the jobs; their scripts and logs go to ``jobs/``.

        ``told`` are variables of their environment, which SLURM hands on.

        Raises InputError if others can write to the folder: a job loads what lies in ``jobs/``.
        """
        _check_alone(folder)
        try:
            import submitit
        except ModuleNotFoundError as error:
            line = "launcher=submitit: submitit is not installed; pip install submitit"
            raise InputError(line) from error
        if self.cluster not in ("slurm", "local"):
            raise InputError(f"launcher.cluster: expected slurm or local, found {self.cluster}")
        try:
            # -P as NOT_HERE, for jobs that are not given this environment (sbatch --export=NONE).
            python = {f"{self.cluster}_python": f"{shlex.quote(sys.executable)} -P"}
            executor = submitit.AutoExecutor(folder / "jobs", self.cluster, **python)
        except RuntimeError as error:
            raise InputError(f"launcher=submitit: {error}") from error
        wanted = {"slurm_partition": self.partition, "slurm_account": self.account}
        executor.update_parameters(
            name="mua-decode-sweep",
            timeout_min=self.time_min,
            gpus_per_node=self.gpus,
            cpus_per_task=self.cpus,
            mem_gb=self.memory_gb,
            **{k: v for k, v in wanted.items() if v is not None},
        )
        place = str(folder.resolve())
        with telling({**(told or {}), **NOT_HERE}):
            self._jobs = [executor.submit(work_in, place) for _ in range(n_workers)]
        names = ", ".join(str(job.job_id) for job in self._jobs)
        console.print(f"submitted {names}", highlight=False, soft_wrap=True)

    def alive(self) -> bool:
        """Whether any job runs or waits."""
        return any(not job.done() for job in self._jobs)

    def stop(self) -> None:
        """Cancel all jobs."""
        for job in self._jobs:
            job.cancel(check=False)


def _check_alone(folder: Path) -> None:
    """Refuse a folder in which others could put code into the jobs that submitit unpickles."""
    for place in (folder, folder / "jobs"):
        if not place.exists() or not hasattr(os, "geteuid"):
            continue
        about = place.stat()
        shared = about.st_mode & stat.S_IWGRP and not _is_own_group(about.st_gid)
        if about.st_uid != os.geteuid() or about.st_mode & stat.S_IWOTH or shared:
            raise InputError(
                f"launcher=submitit: others can write to {place}, and so to its jobs; give an "
                f"out_dir of your own (chmod go-w {place}), and storage= for workers of others"
            )


def _is_own_group(number: int) -> bool:
    """Whether a group is the one that many systems make for each user alone."""
    import grp
    import pwd

    user = pwd.getpwuid(os.geteuid())
    with contextlib.suppress(KeyError):
        return number == user.pw_gid and grp.getgrgid(number).gr_name == user.pw_name
    return False


Launcher = LocalLauncher | SubmititLauncher
