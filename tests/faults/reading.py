"""Damaged files, read one by one: what must come is the content or one line."""

from __future__ import annotations

import os
import shutil
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tests.faults.forked import Verdict, read_watched
from tests.faults.inputs import HONEST, Reader


@dataclass
class Tally:
    """What became of the files of one reader, and those to be kept because they found something."""

    name: str
    kinds: Counter[str] = field(default_factory=Counter)
    slowest_s: float = 0.0
    grown: int = 0
    findings: list[str] = field(default_factory=list)

    @property
    def tried(self) -> int:
        return sum(self.kinds.values())

    def add(self, verdict: Verdict, what: str) -> None:
        self.kinds[verdict.kind] += 1
        self.slowest_s = max(self.slowest_s, verdict.cpu_s)
        self.grown = max(self.grown, verdict.grown)
        if not verdict.sound:
            self.findings.append(f"{self.name}: {verdict.kind}: {what}: {verdict.said[:300]}")


def try_reader(
    reader: Reader, numbers: Iterator[int] | range, *, seed: int, folder: Path, keep: Path | None
) -> Iterator[Tally]:
    """Damage and read a file for every number; yields what is known after each.

    The damage is a function of seed, reader and number. Files that found something are copied to
    ``keep``.
    """
    honest, place = folder / "honest", folder / "work"
    honest.mkdir(parents=True)
    reader.make(place_of(honest, place))
    shutil.copytree(place, honest, dirs_exist_ok=True)
    temporary = place / "tmp"
    tally = Tally(reader.name)
    first = _read(reader, place, temporary, names=("",))
    if first.kind != "read":
        raise RuntimeError(f"{reader.name}: the honest file is not read: {first}")
    for number in numbers:
        shutil.rmtree(place)
        shutil.copytree(honest, place)
        rng = np.random.default_rng([seed, zlib.crc32(reader.name.encode()), number])
        targets = sorted(p for t in reader.targets for p in place.glob(t))
        target = targets[int(rng.integers(len(targets)))]
        what = "no damage could be done"
        way = reader.ways[int(rng.integers(len(reader.ways)))]
        try:
            what = way(target, rng)
        except Exception as error:  # the library that writes refuses: bytes are left
            what = f"{spoil(target, rng)} ({way.__name__}: {type(error).__name__})"
        before = listing(place)
        verdict = _read(reader, place, temporary, names=(target.name, *reader.names))
        what = f"number {number}, {target.name}, {way.__name__}, {what}"
        if listing(place) != before and not reader.name.startswith(("study", "sweep")):
            verdict = Verdict("reach", "the folder of the input changed", verdict.cpu_s, 0)
        if not verdict.sound and keep is not None:
            kept = keep / reader.name / f"{number}_{target.name}"
            kept.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(target, kept)
        tally.add(verdict, what)
        yield tally


def place_of(honest: Path, place: Path) -> Path:
    """The folder where honest files are made: the one they are read in, as some hold its path."""
    del honest
    place.mkdir(parents=True, exist_ok=True)
    return place


def spoil(target: Path, rng: np.random.Generator) -> str:
    from tests.faults.mutations import spoil_bytes

    return spoil_bytes(target, rng)


def _read(reader: Reader, place: Path, temporary: Path, *, names: tuple[str, ...]) -> Verdict:
    temporary.mkdir(exist_ok=True)
    os.environ["TMPDIR"] = str(temporary)
    import tempfile

    tempfile.tempdir = str(temporary)
    read: Callable[[], object] = lambda: reader.read(place)  # noqa: E731
    verdict = read_watched(read, names=names, inside=place, honest=HONEST)
    if verdict.sound and any(temporary.iterdir()):
        verdict = Verdict("reach", "a temporary file is left", verdict.cpu_s, verdict.grown)
    shutil.rmtree(temporary)
    tempfile.tempdir = None
    del os.environ["TMPDIR"]
    return verdict


def listing(folder: Path) -> list[tuple[str, int, int]]:
    """Files with sizes and times of their last change; locks and the like aside."""
    return sorted(
        (str(p.relative_to(folder)), p.stat().st_size, p.stat().st_mtime_ns)
        for p in folder.rglob("*")
        if p.is_file() and p.name != ".lock"
    )
