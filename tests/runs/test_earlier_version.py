"""A run's folder as version 0.1.0 wrote it, before recordings and splits had names of their own.

Kept are its text files; the weights, which are no text, are trained again from its config.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from omegaconf import OmegaConf

from mua_decode.commands.main import main
from mua_decode.runs.folder import RunFolder
from mua_decode.runs.instantiate import instantiate
from mua_decode.runs.run import Run
from mua_decode.runs.train import Training, train_and_score
from mua_decode.sweep.launch import LocalLauncher
from mua_decode.sweep.multirun import multirun
from mua_decode.types import InputError
from tests.tiny import TINY

KEPT = Path(__file__).parent / "earlier_version"


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("earlier")
    shutil.copytree(KEPT, folder / "run")
    cfg = RunFolder(folder / "run").load_config()
    train_and_score(Run(RunFolder.create(str(folder / "again"), "r"), cfg), Training(draw=False))
    shutil.copytree(folder / "again" / "checkpoints", folder / "run" / "checkpoints")
    return folder / "run"


def kept_metrics() -> dict[str, float]:
    found: dict[str, float] = json.loads((KEPT / "metrics.json").read_text())
    return found


def test_it_keeps_its_split_and_scores_as_it_did(earlier: Path, tmp_path: Path) -> None:
    assert "stream" not in (earlier / "config.yaml").read_text()
    assert Run.open(earlier).cfg.data.split.stream == "shared"
    out = f"out_dir={tmp_path}"
    main(["evaluate", f"run_dir={earlier}", "metric=[identification,mse]", "floor=[lookup]", out])
    then, now = kept_metrics(), json.loads((tmp_path / "metrics.json").read_text())
    # What it is judged against chance by came later.
    since = {"test/n_independent_trials", "chance/most_frequent_condition"}
    assert [name for name in now if name not in since] == list(then)
    for name, value in then.items():
        if isinstance(value, float):
            assert now[name] == pytest.approx(value, rel=1e-3), name
        else:
            assert now[name] == value, name


def test_it_is_decoded_with_and_ablated(earlier: Path, tmp_path: Path) -> None:
    new = ["recording=simulated_small", "recording.stimulus.frame.resolution=0.5", "seed=3"]
    main(["decode", f"run_dir={earlier}", *new, f"out={tmp_path / 'videos'}"])
    index = pd.read_csv(tmp_path / "videos" / "index.csv")
    assert (index["sites"] == 14).all()
    few = ["trials_per_condition=1", "donors=1", "equal.repeats=0", "segments=false"]
    few += ["subsets=false", "metric=[mse]", f"out_dir={tmp_path / 'ablation'}"]
    main(["ablate", f"run_dir={earlier}", *few])
    losses = pd.read_csv(tmp_path / "ablation" / "losses.csv")
    assert set(losses["removed"]) == {"PFC", "FEF", "LIP", "MT", "IT", "V4"}


def test_its_training_goes_on(earlier: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(earlier, run)
    same = [*TINY, "metric=[identification,mse]", "floor=[lookup]", f"run_dir={run}"]
    main(["train", *same, "trainer.max_epochs=3", "ckpt_path=last"])
    log = pd.read_csv(run / "epochs.csv")
    assert log["epoch"].tolist() == [0, 1, 2]
    before = pd.read_csv(KEPT / "epochs.csv")
    assert log["val/loss"].tolist()[:2] == pytest.approx(before["val/loss"].tolist(), rel=1e-3)
    assert Run.open(run).cfg.data.split.stream == "shared"
    with pytest.raises(SystemExit):
        main(["train", *same, "data.seed=1", "trainer.max_epochs=4", "ckpt_path=last"])


def test_its_checkpoint_brings_its_split_into_another_folder(
    earlier: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from_file = f"ckpt_path={earlier / 'checkpoints' / 'last.ckpt'}"
    same = [*TINY, "metric=[mse]", "floor=[]", f"run_dir={tmp_path / 'new'}", from_file]
    main(["train", *same, "trainer.max_epochs=3"])
    assert Run.open(tmp_path / "new").cfg.data.split.stream == "shared"
    other = [*same[:-2], f"run_dir={tmp_path / 'other'}", from_file, "data.split.n_folds=2"]
    with pytest.raises(SystemExit):
        main(["train", *other, "trainer.max_epochs=3"])
    assert "data.split.n_folds is None there and 2 here" in capsys.readouterr().err


def test_its_folds_and_its_jobs_are_left_as_they_are(earlier: Path, tmp_path: Path) -> None:
    run = tmp_path / "jobs" / "0"
    shutil.copytree(earlier, run)
    before = (run / "checkpoints" / "last.ckpt").stat().st_mtime_ns
    options = [*TINY, "metric=[identification,mse]", "floor=[lookup]", "trainer.max_epochs=2"]
    table = multirun([*options, "seed=0,1", f"run_dir={tmp_path / 'jobs'}"])
    assert table["failed"].tolist() == ["", ""]
    assert (run / "checkpoints" / "last.ckpt").stat().st_mtime_ns == before


def test_the_launcher_of_its_sweep_is_found_where_it_lies_now() -> None:
    cfg = OmegaConf.load(KEPT / "sweep.yaml")
    assert cfg.launcher._target_ == "mua_decode.commands.sweep_launch.LocalLauncher"
    assert isinstance(instantiate(cfg.launcher, place="launcher"), LocalLauncher)
    with pytest.raises(InputError, match="is named by no config"):
        instantiate(OmegaConf.create({"_target_": "mua_decode.commands.sweep_launch.os.system"}))
