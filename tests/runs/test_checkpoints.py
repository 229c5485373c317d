"""Checkpoints survive full disks, half files and folders that move."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch

from mua_decode.commands.main import main
from mua_decode.runs.build import load_checkpoint
from mua_decode.runs.checkpoints import WholeCheckpointIO, newest_sound, reads_back
from mua_decode.types import InputError
from tests.tiny import TINY

# The best epoch is not the last: the learning rate is far too high after the second.
OPTIONS = [
    *[o for o in TINY if not o.startswith("floor")],
    "floor=[]",
    "metric=[mse]",
    "trainer.max_epochs=4",
    "task.scheduler._target_=torch.optim.lr_scheduler.StepLR",
    "+task.scheduler.step_size=2",
    "+task.scheduler.gamma=10000",
    "task.scheduler_interval=epoch",
]


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unbroken") / "run"
    main(["train", *OPTIONS, f"run_dir={folder}"])
    return folder


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run stopped after two epochs of four."""
    folder = tmp_path_factory.mktemp("stopped") / "run"
    main(["train", *OPTIONS, "trainer.max_epochs=2", f"run_dir={folder}"])
    (folder / "metrics.json").unlink()
    return folder


@pytest.fixture
def broken(stopped: Path, tmp_path: Path) -> Path:
    """The same, to be broken; Lightning keeps absolute paths, so that it has moved already."""
    folder = tmp_path / "broken"
    shutil.copytree(stopped, folder)
    return folder


def same(one: Path, two: Path) -> None:
    columns = ["epoch", "step", "train/loss", "val/loss", "lr"]
    tables = [pd.read_csv(folder / "epochs.csv")[columns] for folder in (one, two)]
    pd.testing.assert_frame_equal(*tables)
    for name in ("best", "last"):
        states = [
            load_checkpoint(f / "checkpoints" / f"{name}.ckpt")["state_dict"] for f in (one, two)
        ]
        assert all(torch.equal(states[0][k], states[1][k]) for k in states[0])


def test_a_run_whose_folder_moved_keeps_its_best_weights(unbroken: Path, broken: Path) -> None:
    losses = pd.read_csv(unbroken / "epochs.csv")["val/loss"]
    assert losses.idxmin() < 2  # else there would be nothing to lose
    main(["train", *OPTIONS, f"run_dir={broken}", "ckpt_path=auto"])
    same(unbroken, broken)


def test_a_checkpoint_taken_to_another_folder_brings_the_best_along(
    unbroken: Path, broken: Path, tmp_path: Path
) -> None:
    last = broken / "checkpoints" / "last.ckpt"
    main(["train", *OPTIONS, f"run_dir={tmp_path / 'new'}", f"ckpt_path={last}"])
    same(unbroken, tmp_path / "new")


@pytest.mark.parametrize("damage", ["zeroed", "gone"])
def test_a_damaged_last_checkpoint_falls_back_to_the_best(
    unbroken: Path, broken: Path, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    last = broken / "checkpoints" / "last.ckpt"
    whole = last.read_bytes()
    middle = len(whole) // 2
    if damage == "gone":
        last.unlink()
    else:
        last.write_bytes(whole[:middle] + bytes(64) + whole[middle + 64 :])
    main(["train", *OPTIONS, f"run_dir={broken}", "ckpt_path=auto"])
    assert "going on from best.ckpt after" in capsys.readouterr().err
    same(unbroken, broken)


def test_every_damage_is_seen(stopped: Path, tmp_path: Path) -> None:
    whole = (stopped / "checkpoints" / "last.ckpt").read_bytes()
    path = tmp_path / "last.ckpt"
    for content in (b"", b"PK", whole[: len(whole) // 2], whole[:-30], whole[:99] + whole[100:]):
        path.write_bytes(content)
        assert not reads_back(path)
        assert newest_sound(tmp_path) is None
    path.write_bytes(whole)
    assert newest_sound(tmp_path) == path


def test_auto_begins_goes_on_and_is_done(
    unbroken: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    command = ["train", *OPTIONS, f"run_dir={folder}"]
    main([*command, "trainer.max_epochs=2", "ckpt_path=auto"])
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")  # a requeued job goes on by itself
    main(command)
    same(unbroken, folder)
    main(command)
    same(unbroken, folder)
    for file in (folder / "checkpoints").iterdir():
        file.write_bytes(b"")
    main(command)  # nothing sound is left: from the beginning
    same(unbroken, folder)


def test_a_fold_with_damaged_checkpoints_is_not_left_out(unbroken: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(unbroken, run)
    command = ["crossval", f"run_dir={run}", "n_folds=2", "metric=[mse]", "floor=[]"]
    main(command)
    table = pd.read_csv(run / "crossval" / "results.csv")
    fold = run / "crossval" / "fold_1"
    (fold / "metrics.json").unlink()
    for file in (fold / "checkpoints").iterdir():
        file.write_bytes(b"")
    main(command)
    pd.testing.assert_frame_equal(pd.read_csv(run / "crossval" / "results.csv"), table)


def test_a_full_disk_leaves_the_checkpoint_before_it(tmp_path: Path) -> None:
    path = tmp_path / "last.ckpt"
    before = {"state_dict": {"w": torch.zeros(10)}, "pytorch-lightning_version": "2"}
    WholeCheckpointIO().save_checkpoint(before, path)
    script = (
        "import resource, torch; from mua_decode.runs.checkpoints import WholeCheckpointIO as C\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        f"C().save_checkpoint({{'w': torch.zeros(10**6)}}, {str(path)!r})"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 1  # an exception, no crash
    assert "InputError" in done.stderr.splitlines()[-1]
    assert "the checkpoint before it is kept" in done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["last.ckpt"]
    assert reads_back(path)
    assert newest_sound(tmp_path) == path
    assert torch.equal(load_checkpoint(path)["state_dict"]["w"], torch.zeros(10))


def test_storage_options_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        WholeCheckpointIO().save_checkpoint({}, tmp_path / "x.ckpt", storage_options={})
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be written"):
        WholeCheckpointIO().save_checkpoint({}, tmp_path / "file" / "x.ckpt")
