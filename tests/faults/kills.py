"""Commands killed at random moments and gone on with: what comes is what an unbroken one gives."""

from __future__ import annotations

import os
import shutil
import signal
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tests.faults.campaign import Progress
from tests.faults.folders import differences, half_files, partials
from tests.faults.forked import start, tail
from tests.tiny import TINY

SHORT = [
    *TINY,
    "figures.draw=true",
    "recording.population.trials_per_condition=4",
    "floor=[]",
    "metric=[mse,identification]",
    "trainer.max_epochs=4",
    "figures.dpi=40",
]
SWEEP = [
    *SHORT,
    "sweep.space=[{option:task.optimizer.lr,kind:log,low:0.001,high:0.01}]",
    "sweep.sampler.n_startup_trials=100",  # what is drawn depends on the trial alone
    "sweep.pruner=null",
    "sweep.n_trials=3",
    "trainer.max_epochs=3",
    "sweep.heartbeat_s=1",
    "sweep.grace_s=6",
    "workers=2",
]
REPRODUCE = [
    *SHORT,
    "trainer.max_epochs=1",
    "side_by_side=false",
    "protocol=rigorous",
    "steps=[decoder,ablation,noise]",
    "reproduce.noise_inputs=4",
]
_ORPHAN_S = 60.0  # a worker looks for its parent every second, and ends its epoch
_MOST_S = 1800.0


@dataclass(frozen=True)
class Command:
    """A command, what it makes and what goes on with it.

    ``prepared`` is made before: a finished run, say, which is copied to every place.
    """

    name: str
    start: Sequence[str]  # {} stands for the folder
    again: Sequence[str] | None = None  # None: the same
    prepared: Sequence[str] = ()
    made: str = "out"  # what is compared, in the folder
    refused: str = ""  # how the same command may say that it is done already


COMMANDS = [
    Command(
        "train", ["train", *SHORT, "run_dir={}/out"],
        ["train", *SHORT, "run_dir={}/out", "ckpt_path=auto"],
    ),
    Command("multirun", ["train", "-m", *SHORT, "seed=0,1", "run_dir={}/out"]),
    Command(
        "crossval",
        ["crossval", "run_dir={}/run", "n_folds=2", "metric=[mse]", "floor=[]", "out_dir={}/out"],
        prepared=["train", *SHORT, "run_dir={}/run"],
    ),
    Command("sweep", ["sweep", *SWEEP, "out_dir={}/out"]),
    Command("reproduce", ["reproduce", *REPRODUCE, "out={}/out"]),
    Command(
        "convert",
        ["convert", *SHORT[:2], "recording.population.trials_per_condition=40",
         "out={}/out/r.h5"],
        refused="exists; give another, or overwrite=true",
    ),
    Command(
        "convert_nwb",
        ["convert", *SHORT[:2], "recording.population.trials_per_condition=20", "format=nwb",
         "out={}/out"],
        ["convert", *SHORT[:2], "recording.population.trials_per_condition=20", "format=nwb",
         "out={}/out", "overwrite=true"],
    ),
]  # fmt: skip


@dataclass
class Account:
    """Kills of one command and what became of it."""

    name: str
    kills: int = 0
    runs: int = 0
    equal: int = 0
    findings: list[str] = field(default_factory=list)


def filled(arguments: Sequence[str], folder: Path) -> list[str]:
    return [a.replace("{}", str(folder)) for a in arguments]


class Victim:
    """A command with the folder of an unbroken run."""

    def __init__(self, command: Command, root: Path) -> None:
        self.command, self.root = command, root
        self.base = root / "base"
        # Every attempt lies at one path, which some files hold; the unbroken one moves away.
        self.place = root / "place"
        self.base.mkdir(parents=True)
        if command.prepared:
            self.run(filled(command.prepared, self.place), self._fresh())
            shutil.move(self.place, self.base)
            self.base = self.base / "place"
        begun = time.monotonic()
        self.run(filled(command.start, self.place), self._fresh())
        self.seconds = time.monotonic() - begun
        self.unbroken = root / "unbroken"
        shutil.move(self.place, self.unbroken)

    def _fresh(self) -> Path:
        if self.place.exists():
            shutil.rmtree(self.place)
        shutil.copytree(self.base, self.place)
        return self.place

    def run(self, arguments: Sequence[str], folder: Path) -> None:
        process = start(arguments, folder / "log.txt")
        code = process.wait(_MOST_S)
        if code != 0:
            raise RuntimeError(f"{arguments[0]} ended with {code}: {tail(folder / 'log.txt')}")

    def attempt(self, account: Account, most: int, rng: np.random.Generator) -> None:
        """Start, kill up to ``most`` times, go on, compare."""
        command, place = self.command, self._fresh()
        log = place / "log.txt"
        said = account.findings
        account.runs += 1
        what = f"{command.name}, attempt {account.runs}"
        left = int(rng.integers(1, 7))
        done, arguments = False, filled(command.start, place)
        for _ in range(min(left, most)):
            moment = float(rng.uniform(0, self.seconds))
            at_a_file = bool(rng.random() < 0.4)
            process = start(arguments, log)
            done = process.killed_after(moment, place / command.made if at_a_file else None)
            account.kills += not done
            if orphans := process.orphans(_ORPHAN_S):
                said.append(f"{what}: orphans {orphans} after {_ORPHAN_S:g} s")
                for pid in orphans:
                    os.kill(pid, signal.SIGKILL)
            said += [f"{what}: killed after {moment:.2f} s: {h}" for h in half_files(place)]
            arguments = filled(command.again or command.start, place)
            if done:
                break
        if not done or process.code != 0:
            process = start(arguments, log)
            code = process.wait(_MOST_S)
            if code is None:
                said.append(f"{what}: went on for {_MOST_S:g} s without an end")
                return
            complete = bool(command.refused) and command.refused in tail(log)
            if code != 0 and not complete:
                said.append(f"{what}: going on ended with {code}: {tail(log)}")
                return
        said += [f"{what}: {h}" for h in half_files(place)]
        said += [f"{what}: left {p}" for p in partials(place)]
        found = differences(self.unbroken / command.made, place / command.made)
        said += [f"{what}: {d}" for d in found]
        account.equal += not found


def kills(seed: int, number: int, only: Sequence[str], root: Path) -> list[str]:
    """Kill commands so many times in all, in turn; prints a row each and returns the findings."""
    chosen = [c for c in COMMANDS if not only or c.name in only or "kills" in only]
    if not chosen:
        return []
    victims, accounts = {}, {}
    for command in chosen:
        folder = root / f"kills-{command.name}"
        victims[command.name] = Victim(command, folder)
        accounts[command.name] = Account(command.name)
    progress = Progress()
    progress.start()
    total, turn = 0, 0
    while total < number:
        name = chosen[turn % len(chosen)].name
        account = accounts[name]
        before = account.kills, len(account.findings)
        # Drawn so that what becomes of a command does not hang on which others are tried.
        rng = np.random.default_rng([seed, zlib.crc32(name.encode()), account.runs])
        victims[name].attempt(account, number - total, rng)
        for finding in account.findings[before[1] :]:
            print(f"  FINDING {finding}", flush=True)
        total, turn = total + account.kills - before[0], turn + 1
        progress.show("kills", min(total, number), number)
    print(f"{'killed':16}{'kills':>7}{'runs':>7}{'equal':>7}{'lost':>7}{'findings':>10}")
    rows = [*accounts.values()]
    every = Account(
        "all", *(sum(getattr(a, n) for a in rows) for n in ("kills", "runs", "equal")),
        [f for a in rows for f in a.findings],
    )  # fmt: skip
    for a in [*rows, every]:
        print(
            f"{a.name:16}{a.kills:7}{a.runs:7}{a.equal:7}{a.runs - a.equal:7}{len(a.findings):10}",
            flush=True,
        )
    return every.findings
