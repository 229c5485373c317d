"""Several processes train one network as one process would."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from mua_decode.commands.main import main
from tests.tiny import TINY

TWO = ["trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2"]


def start(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    # A command of its own: the further processes are started by running it again.
    return subprocess.run(
        [sys.executable, "-m", "mua_decode", "train", *TINY, *arguments],
        capture_output=True,
        text=True,
        timeout=200,
        env=os.environ | {"OMP_NUM_THREADS": "1"} | environment,
    )


@pytest.mark.slow
def test_two_processes_give_the_losses_of_one(tmp_path: Path) -> None:
    options = [
        "model.skip_connections=add",
        "trainer.max_epochs=2",
        "floor=[mean_video]",
        # Not a multiple of the batch: the last validation batch is shared unevenly.
        "data.pseudo.per_condition=33",
        "callbacks=[ema,early_stopping]",  # val losses are those of the averaged weights
    ]
    runs = {"one": [], "two": TWO}
    for name, extra in runs.items():
        done = start(*options, *extra, f"run_dir={tmp_path / name}")
        assert done.returncode == 0, done.stderr
        assert done.stderr.count("epoch 2/2") == 1  # only the first process speaks
    one, two = (pd.read_csv(tmp_path / name / "epochs.csv") for name in runs)
    assert list(two["step"]) == list(one["step"])
    for column in ("train/loss", "val/loss"):
        assert two[column].to_numpy() == pytest.approx(one[column].to_numpy(), abs=1e-5)
    metrics = [json.loads((tmp_path / name / "metrics.json").read_text()) for name in runs]
    key = "test/n_pseudo_trials"
    assert metrics[0][key] == metrics[1][key]
    mse = "test/single_trial/mse"
    assert metrics[1][mse] == pytest.approx(metrics[0][mse], abs=1e-4)
    files = [{p.name for p in (tmp_path / name).rglob("*")} for name in runs]
    assert files[0] == files[1]


@pytest.mark.slow
def test_the_processes_share_a_folder_nobody_named(tmp_path: Path) -> None:
    # The installed entry point, as a user starts it.
    command = [str(Path(sys.executable).parent / "mua-decode"), "train", *TINY, *TWO]
    done = subprocess.run(
        [*command, "trainer.max_epochs=1", "floor=[]", "metric=[mse]"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=200,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / "runs").iterdir()
    assert (folder / "metrics.json").is_file()


def test_a_batch_that_cannot_be_shared_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from mua_decode.data.dataset import Share
    from mua_decode.types import InputError

    with pytest.raises(InputError, match="15 cannot be divided among 2"):
        Share(0, 2, 15, drop_last=True)
    with pytest.raises(SystemExit):
        main(
            [
                "train",
                *TINY,
                "trainer.accelerator=cpu",
                "trainer.devices=2",
                "trainer.max_epochs=1",
                f"run_dir={tmp_path / 'a'}",
            ]
        )
    assert "several processes need trainer=ddp" in capsys.readouterr().err
    assert not (tmp_path / "a" / "config.yaml").exists()
