"""A small share of the campaign, and proof that it finds what it looks for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from mua_decode.types import InputError
from tests.faults.folders import differences, half_files, partials
from tests.faults.forked import Verdict, read_watched

ROOT = Path(__file__).parents[2]


SHARE = "native npz yaml pt zip gif population.json config.yaml convert fsize"


@pytest.mark.timeout(520)  # seconds of the processor, minutes where many share it
def test_a_share_of_the_campaign_finds_nothing() -> None:
    options = ["--seed", "1", "--files", "8", "--kills", "2", "--rounds", "1", "--only"]
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.campaign", *options, *SHARE.split()],
        cwd=ROOT, capture_output=True, text=True, timeout=500,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "seed 1: 0 findings" in done.stdout
    tried = [row.split() for row in done.stdout.splitlines() if row.startswith(("all ", "disk"))]
    files, kills, disk = tried
    assert [int(files[1]), int(kills[1])] == [8 * 8, 2]
    assert disk[3] == "1"


def verdict(read: object, folder: Path, cpu_s: int = 5) -> Verdict:
    return read_watched(read, names=("a.txt",), inside=folder, honest=1 << 20, cpu_s=cpu_s)  # type: ignore[arg-type]


def fails(error: Exception) -> object:
    def read() -> None:
        raise error

    return read


class TwoLinesError(InputError):
    def __str__(self) -> str:
        return f"{super().__str__()}\ndamaged"


def test_what_a_reader_must_not_do_is_found(tmp_path: Path) -> None:
    def loop() -> None:
        while True:
            pass

    def fill() -> None:
        np.ones(3 << 26)

    def crash() -> None:
        os.kill(os.getpid(), 11)

    outside = tmp_path.parent / "outside"
    inside = tmp_path / "inside"
    inside.mkdir()
    found = {
        "read": verdict(lambda: (inside / "a").write_text("x"), inside),
        "line": verdict(fails(InputError("a.txt: is damaged")), inside),
        "unnamed": verdict(fails(InputError("is damaged")), inside),
        "lines": verdict(fails(TwoLinesError("a.txt: is")), inside),
        "other": verdict(fails(IndexError("a.txt")), inside),
        "crash": verdict(crash, inside),
        "hang": verdict(loop, inside, 1),
        "memory": verdict(fill, inside),
        "reach": verdict(lambda: outside.write_text("x"), inside),
    }
    assert {name: v.kind for name, v in found.items()} == {name: name for name in found}


def test_half_files_and_differences_are_found(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for folder in (one, two):
        folder.mkdir()
        (folder / "metrics.json").write_text(json.dumps({"mse": 0.5, "seconds": time.time()}))
        (folder / "results.csv").write_text("a,seconds\n1,2\n")
        with (folder / "metrics.json").open("a") as file:
            file.write("\n")
    assert half_files(one) == []
    assert differences(one, two) == []
    (two / "results.csv").write_text("a,seconds\n1.0000001,2\n")
    assert differences(one, two) == ["results.csv: differs in 'a'"]
    (two / "metrics.json").write_text('{"mse": 0.')
    (two / ".x.1.partial.csv").touch()
    (found,) = half_files(two)
    assert found.startswith("metrics.json is half")
    assert partials(two) == [".x.1.partial.csv"]
