"""Kills, damaged files, full disks and the rest: what must hold, tried at random.

    python -m tests.faults.campaign --seed 7 --kills 200 --files 1000

prints the seed, how far it is with the time left, every finding, and a table; the exit code is 1 if
there was a finding. ``--only`` takes names of readers and of commands, or ``kills``, ``files`` and
``surroundings``. The same seed and counts try the same damage and the same moments.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import secrets
import shutil
import sys
import tempfile
import time
import warnings
from collections.abc import Sequence
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"  # read when NumPy and torch are loaded: a fork keeps one thread

import torch  # noqa: E402


class Progress:
    """One line now and then: what is done, and how long the rest will take."""

    def __init__(self, every_s: float = 20.0) -> None:
        self._every_s, self._last = every_s, time.monotonic()

    def start(self) -> None:
        self._begun = time.monotonic()

    def show(self, what: str, done: int, total: int) -> None:
        now = time.monotonic()
        if now - self._last < self._every_s and done < total:
            return
        self._last = now
        left = (now - self._begun) * (total - done) / max(done, 1)
        print(f"  {what}: {done} of {total}, {left / 60:.1f} min left", flush=True)


def warm() -> None:
    """Load what the commands load, so that a fork need not."""
    torch.set_num_threads(1)
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    for module in (
        "pynwb", "scipy.io", "scipy.stats", "sklearn.linear_model", "matplotlib.pyplot", "imageio",
        "mua_decode.commands.train", "mua_decode.commands.convert", "mua_decode.commands.evaluate",
        "mua_decode.commands.decode", "mua_decode.commands.export", "mua_decode.commands.inspect",
        "mua_decode.commands.simulate", "mua_decode.analyses.crossval.command",
        "mua_decode.analyses.ablate.command", "mua_decode.sweep.command",
        "mua_decode.sweep.multirun", "mua_decode.reproduce.command",
    ):  # fmt: skip
        importlib.import_module(module)


def files(seed: int, number: int, only: Sequence[str], root: Path, keep: Path) -> list[str]:
    """Damaged files of every reader; prints a row each and returns the findings."""
    from tests.faults.inputs import readers, small
    from tests.faults.reading import Tally, try_reader

    print(
        f"{'files':16}{'tried':>7}{'read':>7}{'one line':>9}{'other':>7}{'crash':>7}{'hang':>6}"
        f"{'memory':>8}{'reach':>7}{'slowest':>9}{'most taken':>12}",
        flush=True,
    )
    findings: list[str] = []
    total: Tally = Tally("all")
    for name, reader in readers(small()).items():
        if only and name not in only and "files" not in only:
            continue
        progress = Progress()
        progress.start()
        tally = Tally(name)
        folder = root / name
        for tally in try_reader(reader, range(number), seed=seed, folder=folder, keep=keep):
            progress.show(name, tally.tried, number)
        shutil.rmtree(folder)
        _row(tally)
        for finding in tally.findings:
            print(f"  FINDING {finding}", flush=True)
        findings += tally.findings
        total.kinds.update(tally.kinds)
        total.slowest_s = max(total.slowest_s, tally.slowest_s)
        total.grown = max(total.grown, tally.grown)
    _row(total)
    return findings


def _row(tally: object) -> None:
    from tests.faults.reading import Tally

    assert isinstance(tally, Tally)
    k = tally.kinds
    other = k["other"] + k["unnamed"] + k["lines"]
    print(
        f"{tally.name:16}{tally.tried:7}{k['read']:7}{k['line']:9}{other:7}{k['crash']:7}"
        f"{k['hang']:6}{k['memory']:8}{k['reach']:7}{tally.slowest_s:8.1f}s"
        f"{tally.grown / 2**20:9.0f}MiB",
        flush=True,
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the campaign; returns how it ends, 1 if anything was found."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m tests.faults.campaign")
    parser.add_argument("--seed", type=int, default=None, help="default: a new one, printed")
    parser.add_argument("--kills", type=int, default=200, help="in all, shared by the commands")
    parser.add_argument("--files", type=int, default=1000, help="damaged files per reader")
    parser.add_argument("--rounds", type=int, default=3, help="of every surrounding")
    parser.add_argument("--only", nargs="*", default=[], help="readers, commands, or parts")
    parser.add_argument("--keep", type=Path, default=None, help="folder for inputs with a finding")
    asked = parser.parse_args(argv)
    seed = secrets.randbelow(10**6) if asked.seed is None else asked.seed
    root = Path(tempfile.mkdtemp(prefix="mua-faults-"))
    print(
        f"seed {seed}; {asked.kills} kills, {asked.files} files per reader; in {root}", flush=True
    )
    warm()
    findings: list[str] = []
    begun = time.monotonic()
    try:
        if asked.files:
            findings += files(seed, asked.files, asked.only, root, asked.keep or root / "kept")
        if asked.kills:
            from tests.faults.kills import kills

            findings += kills(seed, asked.kills, asked.only, root)
        from tests.faults.surroundings import surroundings

        findings += surroundings(seed, asked.rounds, asked.only, root)
    finally:
        shutil.rmtree(root, ignore_errors=True)
    spent = (time.monotonic() - begun) / 60
    print(f"seed {seed}: {len(findings)} findings in {spent:.1f} min", flush=True)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
