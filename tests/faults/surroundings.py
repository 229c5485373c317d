"""Full disks, folders that cannot be written, an ASCII locale, two at once, little memory."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

from tests.faults.campaign import Progress
from tests.faults.folders import differences, half_files, partials
from tests.faults.forked import start, tail
from tests.faults.kills import REPRODUCE, SHORT, SWEEP, filled

_LIMIT_S = 1800.0  # of a clock on the wall: many may share the machine
_CRASHED = (-4, -6, -7, -8, -11)
_SMALL = [*SHORT[:2], "recording.population.trials_per_condition=4"]
# What needs no run, and what is asked of the run in {}/run.
ALONE = {
    "simulate": ["simulate", *_SMALL, "out={}/out/r.h5"],
    "convert": ["convert", *_SMALL, "out={}/out/r.h5"],
    "convert_nwb": ["convert", *_SMALL, "format=nwb", "out={}/out"],
    "train": ["train", *SHORT, "trainer.max_epochs=2", "run_dir={}/out"],
    "multirun": ["train", "-m", *SHORT, "trainer.max_epochs=1", "seed=0,1", "run_dir={}/out"],
    "sweep": ["sweep", *SWEEP, "trainer.max_epochs=1", "sweep.n_trials=2", "out_dir={}/out"],
    "reproduce": ["reproduce", *REPRODUCE, "steps=[decoder]", "out={}/out"],
}
OF_A_RUN = {
    "evaluate": ["evaluate", "run_dir={}/run", "metric=[mse]", "floor=[]", "out_dir={}/out"],
    "decode": ["decode", "run_dir={}/run", *_SMALL[:1], "out={}/out/d"],
    "decode_films": ["decode", "run_dir={}/run", *_SMALL[:1], "format=mp4", "out={}/out/d"],
    "export": ["export", "run_dir={}/run", "format=torch", "out={}/out/p.pt2"],
    "crossval": [
        *("crossval", "run_dir={}/run", "n_folds=2", "metric=[mse]", "floor=[]"), "out_dir={}/out",
    ],
    "ablate": ["ablate", "run_dir={}/run", "metric=[mse]", "out_dir={}/out"],
}  # fmt: skip
EVERY = ALONE | OF_A_RUN


class Surroundings:
    """Commands in places that refuse something, and what became of them."""

    def __init__(self, seed: int, root: Path, *, trained: bool) -> None:
        self.rng = np.random.default_rng([seed, 14])
        self.root = root / "surroundings"
        self.root.mkdir(parents=True)
        self.root.chmod(0o755)
        self.run_folder = self.root / "trained" / "run"
        command = ["train", *SHORT, "trainer.max_epochs=1", f"run_dir={self.run_folder}"]
        if not trained:
            self.run_folder.mkdir(parents=True)
        elif start(command, self.root / "log.txt").wait(_LIMIT_S) != 0:
            raise RuntimeError(tail(self.root / "log.txt"))
        self.findings: list[str] = []
        self.counts: dict[str, Counter[str]] = {}

    def place(self, name: str) -> Path:
        """A folder with a trained run in it and an empty ``out``."""
        folder = self.root / name
        if folder.exists():
            shutil.rmtree(folder)
        shutil.copytree(self.run_folder.parent, folder)
        (folder / "out").mkdir()
        return folder

    def found(self, part: str, what: str) -> None:
        self.findings.append(f"{part}: {what}")
        print(f"  FINDING {part}: {what}", flush=True)

    def judge(self, part: str, name: str, code: int | None, folder: Path, log: Path) -> None:
        """Note how a command ended: done, or one line, and nothing half under a final name."""
        counts = self.counts.setdefault(part, Counter())
        counts["tried"] += 1
        said = log.read_text(errors="replace") if log.is_file() else ""
        lines = [line for line in said.splitlines() if line.startswith("mua-decode: ")]
        if code is None:
            counts["hang"] += 1
            self.found(part, f"{name}: no end")
        elif code in _CRASHED:
            counts["crash"] += 1
            self.found(part, f"{name}: signal {-code}: {tail(log)}")
        elif code == 0:
            counts["done"] += 1
        elif code in (1, 2) and len(lines) == 1 and "Traceback" not in said:
            counts["line"] += 1
        else:
            counts["other"] += 1
            self.found(part, f"{name}: ended with {code}: {tail(log)}")
        for left in [*half_files(folder), *(f"left {p}" for p in partials(folder))]:
            self.found(part, f"{name} (code {code}): {left}; {tail(log)}")

    def limited(self, part: str, name: str, arguments: Sequence[str], kind: int, size: int) -> None:
        folder = self.place("limited")
        log = self.root / "log.txt"

        def limit() -> None:
            resource.setrlimit(kind, (size, resource.getrlimit(kind)[1]))

        process = start(filled(arguments, folder), log, before=limit)
        code = process.wait(_LIMIT_S)
        process.orphans(30)
        self.judge(part, f"{name}, {size / 2**20:.2f} MiB", code, folder / "out", log)


def small_files(it: Surroundings, name: str, arguments: Sequence[str]) -> None:
    """No file may grow above a size: what a full disk is to a writer."""
    size = int(2 ** it.rng.uniform(9, 21))
    it.limited("disk full (RLIMIT_FSIZE)", name, arguments, resource.RLIMIT_FSIZE, size)


def little_memory(it: Surroundings, name: str, arguments: Sequence[str]) -> None:
    """The process may take little more address space than it has."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    size = pages * os.sysconf("SC_PAGE_SIZE") + int(2 ** it.rng.uniform(20, 29))
    it.limited("little memory (RLIMIT_AS)", name, arguments, resource.RLIMIT_AS, size)


@contextmanager
def _mounted(folder: Path, options: str) -> Iterator[bool]:
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    done = shutil.which("mount") is not None
    done = done and subprocess.run(command, capture_output=True).returncode == 0
    try:
        yield done
    finally:
        if done:
            subprocess.run(["umount", "-l", str(folder)], capture_output=True)


def full_disk(it: Surroundings, name: str, arguments: Sequence[str]) -> None:
    """A file system of a few hundred kilobytes."""
    part = "disk full (tmpfs)"
    folder, log = it.place("full"), it.root / "log.txt"
    size = int(2 ** it.rng.uniform(14, 21))
    with _mounted(folder / "out", f"size={size}") as mounted:
        if not mounted:
            it.counts.setdefault(part, Counter())["skipped"] += 1
            return
        process = start(filled(arguments, folder), log)
        code = process.wait(_LIMIT_S)
        process.orphans(30)
        it.judge(part, f"{name}, {size / 2**20:.2f} MiB", code, folder / "out", log)


def not_writable(it: Surroundings, name: str, arguments: Sequence[str]) -> None:
    """A folder that belongs to another."""
    part = "folder of another"
    folder, log = it.place("readonly"), it.root / "log.txt"
    if os.geteuid() == 0:

        def become_another() -> None:
            os.environ["HOME"] = "/nonexistent"
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)

        before: Callable[[], None] | None = become_another
        for path in (it.root.parent, it.root, folder):
            path.chmod(0o755)
    else:
        before = None
        (folder / "out").chmod(0o555)
    process = start(filled(arguments, folder), log, before=before)
    code = process.wait(_LIMIT_S)
    process.orphans(30)
    (folder / "out").chmod(0o755)
    it.judge(part, name, code, folder / "out", log)
    if code == 0 or ("cannot" not in tail(log).lower() and "denied" not in tail(log).lower()):
        it.found(part, f"{name}: ended with {code}: {tail(log)}")


def two_at_once(it: Surroundings, name: str, arguments: Sequence[str]) -> None:
    """The same command twice in one folder: one result, and the other waits, shares or is told."""
    part = "two at once"
    folder = it.place("twice")
    logs = [it.root / f"log{k}.txt" for k in (1, 2)]
    command = filled(arguments, folder)
    processes = []
    for log in logs:
        processes.append(start(command, log))
        time.sleep(float(it.rng.uniform(0, 0.5)))
    codes = [p.wait(_LIMIT_S) for p in processes]
    for process in processes:
        process.orphans(30)
    for code, log in zip(codes, logs, strict=True):
        it.judge(part, name, code, folder / "out", log)
    if 0 not in codes:
        it.found(part, f"{name}: neither was done: {[tail(log) for log in logs]}")
        return
    shutil.move(folder / "out", it.root / "both")
    again = it.place("twice")
    if start(command, logs[0]).wait(_LIMIT_S) == 0:
        for line in differences(again / "out", it.root / "both"):
            it.found(part, f"{name}: {line}")
    shutil.rmtree(it.root / "both")


def ascii_locale(it: Surroundings, name: str, arguments: Sequence[str]) -> None:
    """Names with other letters under a locale that has none."""
    part = "ASCII locale"
    folder = it.place("größe")
    env = os.environ | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    log = it.root / "log.txt"
    with log.open("wb") as stream:
        done = subprocess.run(
            [sys.executable, "-m", "mua_decode", *filled(arguments, folder)],
            env=env, stdout=stream, stderr=stream, check=False, timeout=_LIMIT_S,
        )  # fmt: skip
    it.judge(part, name, done.returncode, folder / "out", log)
    if done.returncode != 0:
        it.found(part, f"{name}: ended with {done.returncode}: {tail(log)}")


PARTS: dict[
    str, tuple[Callable[[Surroundings, str, Sequence[str]], None], dict[str, list[str]]]
] = {
    "fsize": (small_files, EVERY),
    "tmpfs": (full_disk, EVERY),
    "readonly": (not_writable, EVERY),
    "memory": (little_memory, EVERY),
    "two": (two_at_once, EVERY),
    "ascii": (ascii_locale, {k: EVERY[k] for k in ("simulate", "train", "convert_nwb", "decode")}),
}


def surroundings(seed: int, rounds: int, only: Sequence[str], root: Path) -> list[str]:
    """Try commands in surroundings so many times; prints a row each.

    ``only`` may name both; without a name of a command, every one is tried.
    """
    parts = {n: p for n, p in PARTS.items() if not only or n in only or "surroundings" in only}
    if not parts or not rounds:
        return []
    named = [c for c in EVERY if c in only]
    parts = {
        n: (p, {c: a for c, a in of.items() if c in named or not named})
        for n, (p, of) in parts.items()
    }
    asked = {c for _, of in parts.values() for c in of}
    it = Surroundings(seed, root, trained=not asked.isdisjoint(OF_A_RUN))
    turns = {n: 1 if n in ("readonly", "ascii") else rounds for n in parts}
    total = sum(turns[n] * len(commands) for n, (_, commands) in parts.items())
    progress, done = Progress(), 0
    progress.start()
    for name, (part, commands) in parts.items():
        for _ in range(turns[name]):
            for command, arguments in commands.items():
                with suppress(FileNotFoundError):
                    (it.root / "log.txt").unlink()
                part(it, command, arguments)
                done += 1
                progress.show("surroundings", done, total)
    columns = ("tried", "done", "line", "other", "crash", "hang", "skipped")
    print(f"{'surroundings':28}" + "".join(f"{c:>9}" for c in columns))
    for name, counts in it.counts.items():
        print(f"{name:28}" + "".join(f"{counts[c]:9}" for c in columns), flush=True)
    return it.findings
