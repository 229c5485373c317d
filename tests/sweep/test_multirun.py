from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from mua_decode.commands.main import main
from mua_decode.sweep.multirun import combinations
from mua_decode.types import InputError
from tests.tiny import TINY

ONE = [*TINY, "trainer.max_epochs=1", "metric=[identification,mse]", "floor=[]"]


def test_combinations_follow_the_grammar_of_hydra() -> None:
    jobs = combinations(
        [
            "model=video_unet,mlp_decoder", "recording.path=a=b.h5", "model.width=range(8,17,8)",
            "x=[1,2]",
        ]
    )  # fmt: skip
    assert [j.chosen for j in jobs] == [
        {"model": m, "model.width": w} for m in ("video_unet", "mlp_decoder") for w in ("8", "16")
    ]
    assert jobs[1].options == (
        "model=video_unet", "recording.path=a=b.h5", "model.width=16", "x=[1,2]"
    )  # fmt: skip
    with pytest.raises(InputError, match="no option has several values"):
        combinations(["seed=1", "x=[1,2]"])


def test_every_combination_is_trained_once_and_failures_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "grid"
    command = [
        "train", "-m", *ONE, "seed=0,1", "task.optimizer.lr=0.003,-1", f"run_dir={folder}"
    ]  # fmt: skip
    with pytest.raises(SystemExit, match="1"):
        main(command)
    table = pd.read_csv(folder / "multirun.csv")
    assert table["seed"].tolist() == [0, 0, 1, 1]
    assert table["failed"].notna().tolist() == [False, True, False, True]
    assert table["failed"][1].endswith("Invalid learning rate: -1")
    assert table["val/loss"][0] != table["val/loss"][2]
    assert table["test/single_trial/mse"].notna().tolist() == [True, False, True, False]
    assert "run 4 of 4: seed=1 task.optimizer.lr=-1" in capsys.readouterr().err
    kept = folder / "2" / "checkpoints" / "last.ckpt"
    before = kept.stat().st_mtime_ns
    (folder / "0" / "metrics.json").unlink()  # as if it had been stopped before it was scored
    with pytest.raises(SystemExit, match="1"):
        main(command)
    assert "2 runs failed (see above); the rest is written" in capsys.readouterr().err
    assert kept.stat().st_mtime_ns == before
    pd.testing.assert_frame_equal(pd.read_csv(folder / "multirun.csv"), table)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "-m", "seed=1,2", "trainer.max_epochs=0"], "trainer.max_epochs: expected >= 1"),
        (["train", "-m", "seed=1"], "no option has several values"),
        (["train", "--multirun", "seed=1,2", "model.widht=3"], "'model.widht' is not an option"),
        (["train", "-m", "seed=1,2", "ckpt_path=last"], "leave ckpt_path out"),
        (["sweep", "-m", "seed=1,2"], "--multirun belongs to train"),
        (["train", "-x", "seed=1"], "unknown flag -x"),
    ],
)
def test_mistakes_are_named(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert message in capsys.readouterr().err.strip().splitlines()[-1]


def test_a_second_multirun_in_the_folder_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hold = (
        "import sys; from pathlib import Path; from mua_decode.runs.lock import lock, locks\n"
        f"with locks():\n    lock(Path({str(tmp_path)!r}))\n"
        "    print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", hold]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(SystemExit) as stop:
            main(["train", "-m", *ONE, "seed=0,1", f"run_dir={tmp_path}"])
        other.communicate("")
    assert stop.value.code == 2
    assert "is being written by" in capsys.readouterr().err
    assert not (tmp_path / "multirun.csv").exists()
