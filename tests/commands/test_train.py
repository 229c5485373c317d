from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import torch

from mua_decode.commands.main import main
from mua_decode.types import COLUMNS, N_UNIT
from tests.tiny import TINY


def train(folder: Path, *overrides: str) -> dict:
    main(["train", *TINY, f"run_dir={folder}", "trainer.max_epochs=2", *overrides])
    return json.loads((folder / "metrics.json").read_text())


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    folder = tmp_path_factory.mktemp("run") / "a"
    return folder, train(folder, "figures.draw=true")


def test_a_run_leaves_everything_that_was_promised(finished: tuple[Path, dict]) -> None:
    folder, metrics = finished
    files = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
    assert files == {
        "config.yaml",
        "epochs.csv",
        "metrics.json",
        "population.json",
        "recording.json",
        "results.csv",
        "checkpoints/best.ckpt",
        "checkpoints/last.ckpt",
        *(f"figures/{n}.png" for n in ("frames_single_trial", "frames_trial_average")),
        *(f"figures/{n}.png" for n in ("confusion", "scores", "loss")),
        "figures/reconstruction.gif",
        *("report.html", "films.npz", "command.json"),
        *("watch.csv", "live.png"),
    }
    assert metrics["leaking"] is False
    assert metrics["audit"].startswith("free of leaks: 0 of ")
    for key in (
        "test/single_trial/identification",
        "test/single_trial/pixel_correlation/cue",
        "test/trial_average/ssim",
        "floor/lookup/single_trial/identification",
        "floor/mean_video/trial_average/mse/stimulus",
        "ceiling/condition_mean/single_trial/pixel_correlation",
    ):
        assert isinstance(metrics[key], float)
    assert metrics["floor/lookup/single_trial/identification"] > 0.8
    assert metrics["floor/mean_video/single_trial/identification"] == pytest.approx(1 / 8)
    table = pd.read_csv(folder / "results.csv")
    assert tuple(table.columns) == (*COLUMNS, N_UNIT)
    assert set(table["trial"]) == {"single_trial", "trial_average"}
    per_condition = table[(table["metric"] == "ssim") & (table["segment"] == "cue")]
    assert len(per_condition) == 4 * 2 * (8 + 1)  # runs x averagings x (conditions and all)


def test_the_same_seed_gives_the_same_metrics(finished: tuple[Path, dict], tmp_path: Path) -> None:
    assert train(tmp_path / "b") == finished[1]
    other = train(tmp_path / "c", "seed=1", "metric=[mse]", "floor=[]")
    assert other["test/single_trial/mse"] != finished[1]["test/single_trial/mse"]


def test_evaluate_gives_back_the_scores_of_the_run(finished: tuple[Path, dict]) -> None:
    folder, metrics = finished
    main(["evaluate", f"run_dir={folder}", "floor=[mean_video,lookup]"])
    again = json.loads((folder / "evaluation_test_best" / "metrics.json").read_text())
    assert again == metrics
    main(["evaluate", f"run_dir={folder}", "floor=[]", "part=val", "metric=[mse]",
          "figures.draw=false"])  # fmt: skip
    val = json.loads((folder / "evaluation_val_best" / "metrics.json").read_text())
    assert {k.split("/")[2] for k in val if k.startswith("val/single_trial")} == {"mse"}


def test_the_published_order_is_stamped_as_leaking(tmp_path: Path) -> None:
    metrics = train(tmp_path / "leak", "data.split.unit=pseudo_trial")
    assert metrics["leaking"] is True
    assert metrics["audit"].startswith("LEAKING")
    table = pd.read_csv(tmp_path / "leak" / "results.csv")
    assert set(table["split"]) == {"test (leaking)"}


def test_data_kept_on_the_device_train_the_same_network(tmp_path: Path) -> None:
    few = [*TINY, "trainer.max_epochs=1", "metric=[mse]", "floor=[]"]
    for where in ("true", "false"):
        main(["train", *few, f"data.resident={where}", f"run_dir={tmp_path / where}"])
    one, two = (json.loads((tmp_path / w / "metrics.json").read_text()) for w in ("true", "false"))
    assert one == two
    main(["train", *few, "data.resident=false", "trainer.max_epochs=2", "model.kernels=plain",
          f"run_dir={tmp_path / 'true'}", "ckpt_path=last"])  # fmt: skip


@pytest.mark.parametrize(
    "changes",
    [
        ["data.split.unit=condition", "data.split.held_out=['cross*green*']"],
        ["data.split.n_folds=4", "data.split.fold=1"],
        ["data.regions=[MT]", "data.pseudo.draw=session"],
        ["data.window.width_s=0.2", "early_stopping=1"],
        ["loss.normalisation=sum", "model.skip_connections=add"],
    ],
)
def test_other_splits_sites_windows_and_models(tmp_path: Path, changes: list[str]) -> None:
    metrics = train(tmp_path / "r", *changes, "metric=[identification]", "floor=[]")
    assert 0 <= metrics["test/single_trial/identification"] <= 1


def test_a_killed_run_resumes_exactly(tmp_path: Path) -> None:
    options = [*TINY, "trainer.max_epochs=5", "model.spike_dropout=0.2", "floor=[]", "metric=[mse]"]
    main(["train", *options, f"run_dir={tmp_path / 'unbroken'}"])
    broken = tmp_path / "broken"
    command = [sys.executable, "-m", "mua_decode", "train", *options, f"run_dir={broken}"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not (broken / "checkpoints" / "last.ckpt").is_file():
        assert process.poll() is None, "finished before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (broken / "metrics.json").exists()
    main(["train", *options, f"run_dir={broken}", "ckpt_path=last"])
    tables = [pd.read_csv(tmp_path / n / "epochs.csv") for n in ("unbroken", "broken")]
    assert tables[0]["epoch"].tolist() == tables[1]["epoch"].tolist() == [0, 1, 2, 3, 4]
    for column in ("train/loss", "val/loss", "lr"):
        assert tables[0][column].to_numpy() == pytest.approx(tables[1][column].to_numpy(), abs=1e-6)


def test_checkpoints_that_would_run_code_are_refused(
    finished: tuple[Path, dict], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = finished[0]
    marker = tmp_path / "ran"

    class Bomb:
        def __reduce__(self):
            return (Path.touch, (marker,))

    bad = tmp_path / "bad.ckpt"
    torch.save({"state_dict": {}, "payload": Bomb()}, bad)
    with pytest.raises(SystemExit) as stop:
        main(["train", *TINY, f"run_dir={tmp_path / 'x'}", f"ckpt_path={bad}"])
    assert stop.value.code == 2
    assert "refused, it holds objects that could run code" in capsys.readouterr().err
    assert not marker.exists()
    whole = (folder / "checkpoints" / "best.ckpt").read_bytes()
    bad.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SystemExit):
        main(["train", *TINY, f"run_dir={tmp_path / 'y'}", f"ckpt_path={bad}"])
    assert "refused, it is damaged" in capsys.readouterr().err


def test_a_config_from_elsewhere_cannot_run_code(
    finished: tuple[Path, dict], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import shutil

    folder = tmp_path / "foreign"
    shutil.copytree(finished[0], folder)
    config = folder / "config.yaml"
    marker = tmp_path / "ran"
    for target in ("os.mkdir", "mua_decode.commands.main.os.mkdir"):
        text = (finished[0] / "config.yaml").read_text()
        config.write_text(
            text.replace("_target_: mua_decode.simulation.simulate", f"_target_: {target}", 1)
        )
        with pytest.raises(SystemExit) as stop:
            main(["evaluate", f"run_dir={folder}"])
        assert stop.value.code == 2
        assert "is named by no config of mua_decode" in capsys.readouterr().err
    assert not marker.exists()


@pytest.mark.parametrize("model", ["mlp_decoder", "shallow_cnn_decoder"])
def test_baselines_train_under_the_same_command(tmp_path: Path, model: str) -> None:
    options = [o for o in TINY if not o.startswith("model.")]
    sizes = {"mlp_decoder": "hidden_sizes=[16,16]", "shallow_cnn_decoder": "channels=[4,4,4,4]"}
    changes = [f"model={model}", f"model.{sizes[model]}", "metric=[mse]", "floor=[]"]
    main(["train", *options, *changes, "trainer.max_epochs=1", f"run_dir={tmp_path / 'r'}"])
    assert json.loads((tmp_path / "r" / "metrics.json").read_text())["test/single_trial/mse"] < 0.5


@pytest.mark.parametrize("precision", ["64-true", "bf16-mixed"])
def test_every_precision_is_scored(tmp_path: Path, precision: str) -> None:
    options = ["trainer.max_epochs=1", "metric=[mse]", "floor=[]", f"trainer.precision={precision}"]
    main(["train", *TINY, *options, f"run_dir={tmp_path}"])
    trained = json.loads((tmp_path / "metrics.json").read_text())["test/single_trial/mse"]
    main(["evaluate", f"run_dir={tmp_path}", "metric=[mse]", "figures.draw=false"])
    evaluated = tmp_path / "evaluation_test_best" / "metrics.json"
    again = json.loads(evaluated.read_text())["test/single_trial/mse"]
    assert again == pytest.approx(trained, rel=1e-5)
