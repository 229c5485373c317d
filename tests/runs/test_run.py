"""A run is tied to its options and to the content of its recording."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from mua_decode.commands.main import main
from mua_decode.runs.fingerprint import Fingerprint
from mua_decode.runs.run import Run
from mua_decode.types import InputError
from tests.tiny import TINY

FEW = ["metric=[mse]", "floor=[]"]
SMALL = ["recording=simulated_small", "recording.stimulus.frame.resolution=0.5"]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two recordings of the same sites and trials, and a run trained on the first."""
    folder = tmp_path_factory.mktemp("files")
    for seed in (0, 1):
        main(["simulate", *SMALL, f"recording.seed={seed}", f"out={folder / f'{seed}.h5'}"])
    shutil.copy(folder / "0.h5", folder / "today.h5")
    mine = [o for o in TINY if not o.startswith("recording")]
    mine += ["recording=native", f"recording.path={folder / 'today.h5'}", "trainer.max_epochs=1"]
    main(["train", *mine, *FEW, f"run_dir={folder / 'run'}"])
    return folder


def said(capsys: pytest.CaptureFixture[str], *command: str) -> str:
    with pytest.raises(SystemExit) as stop:
        main(list(command))
    assert stop.value.code == 2
    return capsys.readouterr().err.strip().splitlines()[-1]


def test_a_run_says_which_recording_it_was_trained_on(files: Path) -> None:
    about = json.loads((files / "run" / "recording.json").read_text())
    assert about["checksum"] == Run.open(files / "run").recording.checksum
    assert about["trials"] == {"session01": 160, "session02": 160}


def test_a_recording_that_moved_is_the_same(files: Path, tmp_path: Path) -> None:
    shutil.copy(files / "0.h5", tmp_path / "elsewhere.h5")
    run = Run.open(files / "run", overrides=[f"recording.path={tmp_path / 'elsewhere.h5'}"])
    assert run.fingerprint.digest == Run.open(files / "run").fingerprint.digest


def test_old_weights_never_score_a_recording_that_was_replaced(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = files / "run"
    where = [f"run_dir={run}", *FEW]
    main(["crossval", *where, "n_folds=2"])
    shutil.copy(files / "1.h5", files / "today.h5")
    try:
        for command in ("evaluate", "ablate", "crossval", "repeat", "encode"):
            options = where[: {"ablate": 2, "encode": 1}.get(command)]
            line = said(capsys, command, *options)
            assert "was trained on another recording" in line, command
            assert json.loads((run / "recording.json").read_text())["checksum"][:12] in line
    finally:
        shutil.copy(files / "0.h5", files / "today.h5")


def test_a_training_goes_on_with_its_own_options_only(
    files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    shutil.copytree(files / "run", run)
    mine = [o for o in TINY if not o.startswith("recording")]
    mine += ["recording=native", f"recording.path={files / 'today.h5'}", *FEW, f"run_dir={run}"]
    again = ["train", *mine, "ckpt_path=last", "trainer.max_epochs=2"]
    assert "data.root is False there and True here" in said(capsys, *again, "data.root=true")
    main(again)
    assert Run.open(run).cfg.trainer.max_epochs == 2


def test_fingerprints_differ_in_what_matters() -> None:
    one = Fingerprint.of({"name": "a", "seed": 1, "recording": {"path": "x"}}, "abc")
    moved = Fingerprint.of({"name": "b", "seed": 1, "recording": {"path": "y"}}, "abc")
    assert one.difference(moved) is None
    assert one.digest == moved.digest
    other = Fingerprint.of({"seed": 1, "recording": {"path": "x"}}, "abd")
    assert "its content has changed" in str(one.difference(other))
    assert other.digest != one.digest
    seeded = Fingerprint.of({"seed": 2, "recording": {"path": "x"}}, "abc")
    assert one.difference(seeded) == "seed is 2 there and 1 here"
    unknown = Fingerprint.of({"seed": 1, "recording": {"path": "z"}})
    assert one.difference(unknown) == "recording.path is z there and x here"


def test_a_damaged_record_of_the_recording_is_said(files: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(files / "run", run)
    (run / "recording.json").write_text("{")
    with pytest.raises(InputError, match=r"recording\.json: is damaged"):
        _ = Run.open(run).recording


def test_a_run_from_before_an_option_is_the_same_as_one_that_leaves_it() -> None:
    before = {"data": {"split": {"unit": "recorded_trial"}}}
    since = {"data": {"split": {"unit": "recorded_trial"}, "standardisation": "train"}}
    other = {"data": {"split": {"unit": "recorded_trial"}, "standardisation": "none"}}
    assert Fingerprint.of(before).digest == Fingerprint.of(since).digest
    difference = Fingerprint.of(before).difference(Fingerprint.of(other))
    assert difference == "data.standardisation is none there and not set here"
