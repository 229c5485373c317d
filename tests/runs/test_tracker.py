"""Trackers beside the run's folder, offline and resumable."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imsave
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.loggers import TensorBoardLogger

from mua_decode.runs.config import changed_config, compose, load_option
from mua_decode.runs.folder import RunFolder
from mua_decode.runs.tracker import abandon, open_tracker, open_trackers, publish
from mua_decode.types import InputError

METRICS = {"test/single_trial/mse": 0.25, "leaking": False, "audit": "free of leaks"}


def config(logger: str) -> DictConfig:
    chosen = load_option("logger", logger)
    return OmegaConf.create({"name": "run", "seed": 3, "logger": chosen})


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    import imageio.v3 as iio

    folder = RunFolder.create(str(tmp_path / "run"), "run")
    picture = np.random.default_rng(0).random((8, 8, 3))
    imsave(folder.figure("scores.png"), picture)
    iio.imwrite(folder.figure("reconstruction.gif"), np.uint8(255 * np.stack([picture] * 3)))
    return folder


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    for name in ("WANDB_CACHE_DIR", "WANDB_CONFIG_DIR", "WANDB_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))


def test_without_a_tracker_nothing_is_opened(run: RunFolder) -> None:
    assert open_tracker(config("csv"), run) is None
    publish(None, run, METRICS)


@pytest.mark.usefixtures("offline")
def test_a_resumed_training_goes_on_with_the_same_wandb_run(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WANDB_SILENT", "false")
    cfg = config("wandb")
    cfg.logger.group = "sweep"
    first = open_tracker(cfg, run)
    assert first is not None
    identity = first.experiment.id
    assert "WARNING" not in capfd.readouterr().err
    assert first.experiment.group == "sweep"
    first.log_metrics({"train/loss": 1.0}, step=1)
    abandon(first)  # the training crashed
    again = open_tracker(cfg, run)
    assert again is not None
    assert again.experiment.id == identity == (run.path / "wandb_id.txt").read_text().strip()
    assert again.experiment.config["seed"] == 3
    again.log_metrics({"train/loss": 0.5}, step=2)
    kept: dict[str, object] = {}
    finish = again.experiment.finish
    monkeypatch.setattr(
        again.experiment,
        "finish",
        lambda: (kept.update(again.experiment.summary), finish()),
    )
    publish(again, run, METRICS)
    assert kept["test/single_trial/mse"] == 0.25
    # What `wandb sync` uploads: one file per start, both of the same run.
    files = sorted((run.path / "wandb").glob("offline-run-*/*.wandb"))
    assert {f.name for f in files} == {f"run-{identity}.wandb"}
    media = {p.suffix for p in (run.path / "wandb").rglob("media/**/*") if p.is_file()}
    assert media == {".png", ".gif"}


def test_tensorboard_gets_losses_metrics_and_figures(run: RunFolder) -> None:
    accumulate = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    logger = open_tracker(config("tensorboard"), run)
    assert logger is not None
    logger.log_metrics({"train/loss": 0.5}, step=7)
    publish(logger, run, METRICS)
    found = accumulate.EventAccumulator(str(run.path / "tensorboard"))
    found.Reload()
    (loss,) = found.Scalars("train/loss")
    assert (loss.step, loss.value) == (7, 0.5)
    assert found.Scalars("test/single_trial/mse")[0].value == 0.25
    assert found.Tags()["images"] == ["figures/scores"]


def test_a_tracker_that_is_not_installed_is_named(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*args: object, **kwargs: object) -> None:
        raise ModuleNotFoundError("Neither `tensorboard` nor `tensorboardX` is available")

    monkeypatch.setattr(TensorBoardLogger, "__init__", missing)
    with pytest.raises(InputError, match="pip install tensorboard") as error:
        open_tracker(config("tensorboard"), run)
    assert "\n" not in str(error.value)


OWN = """
from pytorch_lightning.loggers import Logger


class Lines(Logger):
    name, version = "lines", "0"

    def __init__(self, save_dir, prefix=""):
        super().__init__()
        self.path, self.prefix = f"{save_dir}/lines.txt", prefix

    def log_hyperparams(self, params, *args, **kwargs):
        self.log_metrics({"seed": params["seed"]})

    def log_metrics(self, metrics, step=None):
        with open(self.path, "a") as file:
            file.write("".join(f"{self.prefix}{k}={v}\\n" for k, v in metrics.items()))
"""


def test_a_logger_of_a_trusted_package_stands_beside_ours(
    run: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own_logger.py").write_text(OWN)
    cfg = config("csv")
    cfg.logger = {"_target_": "own_logger.Lines", "prefix": "mine/"}
    with pytest.raises(InputError, match=r"list its package in trusted=\[PACKAGE\]"):
        open_tracker(cfg, run)
    cfg.trusted = ["own_logger"]
    logger = open_tracker(cfg, run)
    publish(logger, run, METRICS)
    lines = (run.path / "lines.txt").read_text().splitlines()
    assert lines == ["mine/seed=3", "mine/test/single_trial/mse=0.25"]
    cfg.logger = {"_target_": "pytorch_lightning.loggers.CSVLogger", "name": "csv"}
    cfg.trusted = ["pytorch_lightning"]
    publish(open_tracker(cfg, run), run, METRICS)
    assert list((run.path / "csv").rglob("metrics.csv"))
    cfg.logger = {"_target_": "pytorch_lightning.callbacks.Timer"}
    with pytest.raises(InputError, match="cannot stand in the place of a logger"):
        open_tracker(cfg, run)


def test_several_loggers_stand_side_by_side_by_their_names(
    run: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own_logger.py").write_text(OWN)
    (tmp_path / "lines.yaml").write_text("_target_: own_logger.Lines\nprefix: mine/\n")
    typed = ["logger=[tensorboard,lines.yaml]", "logger.tensorboard.name=board"]
    cfg = compose("train", typed)
    assert list(cfg.logger) == ["tensorboard", "lines"]
    with pytest.raises(InputError, match=r"list its package in trusted=\[PACKAGE\]"):
        open_trackers(cfg, run)
    cfg = compose("train", [*typed, "trusted=[own_logger]"])
    for tracker in open_trackers(cfg, run):
        publish(tracker, run, METRICS)
    assert list((run.path / "board").glob("events.*"))
    assert "mine/test/single_trial/mse=0.25" in (run.path / "lines.txt").read_text()
    cfg = compose("train", [*typed, "trusted=[own_logger]", "+logger.tensorboard.log_dir=/else"])
    with pytest.raises(InputError, match=r"logger\.tensorboard\.log_dir: is no option"):
        open_trackers(cfg, run)


def test_a_list_of_one_logger_is_that_logger(run: RunFolder) -> None:
    for typed in ("[tensorboard]", "[csv,tensorboard]", "tensorboard"):
        assert compose("train", [f"logger={typed}"]).logger.version == ""
    assert compose("train", ["logger=[csv]"]).logger == compose("train", []).logger == {}
    stored = compose("train", [])
    assert open_trackers(stored, run) == []
    changed = changed_config(stored, ["logger=[wandb,tensorboard]", "logger.wandb.offline=false"])
    assert list(changed.logger) == ["wandb", "tensorboard"]
    assert changed.logger.wandb.offline is False
