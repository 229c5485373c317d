"""Configs and code of the user's own, found where they lie and run where the user says so."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
import yaml
from omegaconf import OmegaConf

from mua_decode.commands.main import main
from mua_decode.recordings import write_recording
from mua_decode.runs.config import changed_config, compose, load_option
from mua_decode.runs.ending import child_environment
from mua_decode.runs.search_path import VARIABLE, config_folder
from mua_decode.sweep.launch import LocalLauncher, SubmititLauncher
from mua_decode.types import InputError, Recording

CODE = """
from pathlib import Path

import torch
from torch import nn

Path("imported").touch()


class Net(nn.Module):
    def __init__(self, n_sites, n_bins, frame_shape, *, width):
        super().__init__()
        self.shape = (n_bins, *frame_shape)
        size = n_bins * frame_shape[0] * frame_shape[1] * frame_shape[2]
        self.net = nn.Sequential(nn.Linear(n_sites * n_bins, width), nn.Linear(width, size))

    def forward(self, x):
        return torch.sigmoid(self.net(x.flatten(1)).unflatten(1, self.shape)).transpose(1, 2)


class Mine:
    name, unit, higher_is_better, segment = "mine", "1", False, None

    def __call__(self, predicted, shown):
        return (predicted - shown.video).abs().flatten(1).mean(1)


class Broken(Mine):
    name = "broken"

    def __call__(self, predicted, shown):
        return predicted.mean()


class Grey:
    name = "grey"

    def fit(self, train, val, videos):
        self.video = videos[0] * 0 + 0.5

    def predict(self, spikes):
        return self.video[None].expand(len(spikes), *self.video.shape)
"""
OWN = {
    "conf/model/own.yaml": "_target_: own_code_here.Net\nwidth: 4\n",
    "conf/metric/mine.yaml": "# @package metric.mine\n_target_: own_code_here.Mine\n",
    "conf/launcher/our_cluster.yaml": "defaults: [submitit, _self_]\npartition: gpu\n",
    "conf/model/mlp_decoder.yaml": "_target_: own_code_here.Net\nwidth: 1\n",
    "conf/our_train.yaml": "defaults: [train, override /model: own, _self_]\nseed: 7\n",
    "conf/greedy.yaml": "defaults: [train, _self_]\ntrusted: [own_code_here]\n",
    "mine.yaml": "defaults: [{override /model: own}]\nname: mine\n",
    "grey.yaml": "_target_: own_code_here.Grey\n",
    "broken.yaml": "_target_: own_code_here.Broken\n",
    "own_code_here.py": CODE,
}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a conf/ and a module in it."""
    for name, text in OWN.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def said(capsys: pytest.CaptureFixture[str], *args: str, code: int = 2) -> str:
    with pytest.raises(SystemExit) as stop:
        main(list(args))
    assert stop.value.code == code
    lines = [x for x in capsys.readouterr().err.splitlines() if x.startswith("mua-decode: ")]
    assert len(lines) == 1
    return lines[0]


def shown(capsys: pytest.CaptureFixture[str], *args: str) -> dict:
    main([*args, "--cfg", "job"])
    return yaml.safe_load(capsys.readouterr().out)


def test_folders_are_searched(place: Path, capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown(capsys, "train", "model=own", "model.width=9")["model"]["width"] == 9
    assert shown(capsys, "sweep", "launcher=our_cluster")["launcher"]["partition"] == "gpu"
    found = shown(capsys, "train", "--config-name", "our_train", "data.batch_size=8")
    assert (found["seed"], found["model"]["width"], found["data"]["batch_size"]) == (7, 4, 8)
    elsewhere = place / "else"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert "there is no such model" in said(capsys, "train", "model=own")
    for flags in (["--config-dir", "../conf"], [f"--config-dir={place}/conf"], ["-cd", "../conf"]):
        assert shown(capsys, "train", *flags, "model=own", "seed=1")["model"]["width"] == 4
    # A dotted option has everything composed twice: neither time may the folder be forgotten.
    search = f"hydra.searchpath=[file://{place}/conf]"
    assert shown(capsys, "train", search, "model=own", "model.width=5")["model"]["width"] == 5
    monkeypatch.setenv(VARIABLE, f"{place}/conf")
    assert shown(capsys, "train", "-cn", "our_train")["seed"] == 7
    assert "there is no folder /nowhere" in said(capsys, "train", "--config-dir", "/nowhere")


def test_a_file_is_chosen_by_its_path(place: Path, capsys) -> None:
    for path in ("mine.yaml", str(place / "mine.yaml")):
        found = shown(capsys, "train", f"experiment={path}")
        assert (found["name"], found["model"]["width"]) == ("mine", 4)
    found = shown(capsys, "train", "floor=[lookup,grey.yaml]", "metric=[mse,mine]")
    assert (list(found["floor"]), list(found["metric"])) == (["lookup", "grey"], ["mse", "mine"])
    assert "there is no such file" in said(capsys, "train", "model=nowhere.yaml")
    assert load_option("model", str(place / "conf/model/own.yaml")).width == 4
    cfg = changed_config(compose("train", []), ["model=own", "optimizer=sgd", "callbacks=[ema]"])
    assert cfg.model.width == 4
    assert cfg.task.optimizer._target_.endswith("SGD")
    assert "optimizer" not in cfg


def test_a_folder_changes_no_shipped_name(place: Path, capsys) -> None:
    main(["train", "model=mlp_decoder", "--cfg"])
    out, err = capsys.readouterr()
    assert yaml.safe_load(out)["model"]["_target_"] == "mua_decode.models.MLPDecoder"
    assert "conf/model/mlp_decoder.yaml is not read" in err
    main(["train", "--cfg"])
    assert "note" not in capsys.readouterr().err


@pytest.mark.parametrize("command", ["train", "evaluate", "sweep"])
def test_a_folder_changes_nothing_of_a_command_that_does_not_name_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys, command: str
) -> None:
    """Whatever of the package's own names is laid there, top level and groups, Hydra's too."""
    (tmp_path / "empty").mkdir()
    shipped = [p.relative_to(config_folder()) for p in config_folder().rglob("*.yaml")]
    laid = ["hydra/default.yaml", "hydra/job_logging/default.yaml", "hydra/output/default.yaml"]
    for name in [*shipped, *laid]:
        path = tmp_path / "full" / "conf" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("# @package _global_\nseed: 99\nname: theirs\n_target_: os.system\n")
    found = []
    for place in ("empty", "full"):
        monkeypatch.chdir(tmp_path / place)
        main([command, "--cfg"])
        found.append(capsys.readouterr().out)
    assert found[0] == found[1]
    assert "theirs" not in found[1]


def test_code_where_you_stand_is_not_run(place: Path, capsys) -> None:
    for given in (["model=own"], ["metric=[mine]"], ["-cn", "our_train"], ["floor=[grey.yaml]"],
                  ["callbacks=[]", "+callbacks.x={_target_:own_code_here.Mine}"],
                  ["task.scheduler={_target_:own_code_here.Mine}"]):  # fmt: skip
        line = said(capsys, "train", "recording=native", "recording.path=/missing", *given)
        assert "own_code_here" in line
        assert "trusted=[PACKAGE]" in line
    assert not (place / "imported").exists()
    assert not (place / "runs").exists()


def test_no_file_says_what_is_trusted(place: Path, capsys) -> None:
    line = said(capsys, "train", "-cn", "greedy", "model=own")
    assert "trusted: a config file names own_code_here" in line
    assert not (place / "imported").exists()


def test_own_code_trains_and_is_scored(place: Path, recording: Recording, capsys) -> None:
    write_recording(recording, place / "r.h5")
    data = [
        "recording=native", "recording.path=r.h5", "data.pseudo.per_condition=8",
        "loss.window_size=3", "trainer.max_epochs=2", "data.batch_size=8", "floor=[grey.yaml]",
    ]  # fmt: skip
    line = said(
        capsys, "train", *data, "metric=[broken.yaml]", "trusted=[own_code_here]", "run_dir=runs/b"
    )
    assert "metric.broken: expected one number per video" in line
    assert not (place / "runs").exists()  # a command that failed leaves no empty folder
    main([
        "train", *data, "model=own", "metric=[mse,mine]", "trusted=[own_code_here]",
        "run_dir=runs/a", "callbacks=[ema,checkpoints]", "callbacks.checkpoints.every_n_epochs=1",
    ])  # fmt: skip
    assert "mine" in capsys.readouterr().err
    numbers = json.loads((place / "runs/a/metrics.json").read_text())
    assert 0 < numbers["test/single_trial/mine"] < 1
    assert 0 < numbers["floor/grey/single_trial/mine"] < 1
    kept = {p.stem for p in (place / "runs/a/checkpoints").iterdir()}
    assert kept == {"best", "last", "epoch_0000", "epoch_0001"}
    assert "is named by no config" in said(capsys, "evaluate", "run_dir=runs/a")
    stored = yaml.safe_load((place / "runs/a/config.yaml").read_text())
    assert stored["recording"]["path"] == str(place / "r.h5")
    # From elsewhere, with the package in the working folder no longer: it has been imported.
    other = place / "else"
    other.mkdir()
    os.chdir(other)
    main(["evaluate", "run_dir=../runs/a", "trusted=[own_code_here]", "metric=[mse]", "floor=[]"])


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["train", "hydra.run.dir=x"], "hydra.run.dir has no effect here: the folder of a run is"),
        (["train", "hydra/job_logging=none"], "hydra/job_logging has no effect here"),
        (["train", "hydra.job.chdir=true"], "no command changes the working folder"),
        (["evaluate", "runs/own"], "'runs/own' is not written name=value; for a run: run_dir=runs"),
        (["inspect", "x.nwb"], "'x.nwb' is not written name=value"),
        (["train", "--config-name", "nope"], "there is no config nope.yaml in"),
        (["train", "--config-dir"], "--config-dir: expected a value"),
        (["train", "--cfg", "-p", "modl"], "--package modl: the config has no such part"),
        (["train", "task.scheduler={step_size:3}"], "'task.scheduler.step_size' is not an option"),
        (["train", "metric={_target_:a.b}"], "has to be '# @package metric.NAME'"),
        (["train", "callbacks=[lr_monitor]", "recording=simulated_small"], "tells a tracker"),
        (["train", "+trainer.callbacks=[a]", "recording=simulated_small"], "give callbacks=NAME"),
    ],
)
def test_what_has_no_effect_is_said(
    args: list[str], message: str, capsys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert message in said(capsys, *args)
    assert not list(tmp_path.iterdir())


def test_a_whole_block_takes_the_place(capsys) -> None:
    step = "{_target_:torch.optim.lr_scheduler.StepLR,step_size:3}"
    found = compose("train", [f"task.scheduler={step}", "task.scheduler.step_size=4"])
    target = "torch.optim.lr_scheduler.StepLR"
    assert found.task.scheduler == {"_partial_": True, "_target_": target, "step_size": 4}
    found = compose("train", ["experiment=demo", "model=mlp_decoder", "loss=ssim"])
    assert set(found.model) == {"_target_", "hidden_sizes"}
    assert "mse_weight" not in found.loss
    assert found.loss.normalisation == "mean"
    found = compose("train", ["experiment=zhang2026", "optimizer=sgd", "task.optimizer.lr=0.5"])
    assert (found.task.optimizer.lr, found.task.optimizer.momentum) == (0.5, 0.9)
    with pytest.raises(InputError, match="expected a whole number"):
        compose("train", [f"task.scheduler={step}", "model.width=wide"])


@pytest.mark.parametrize(
    ("reader", "name", "written", "meant"),
    [
        ("raw", "options", "{stream_id: imec0.ap}", {"stream_id": "imec0.ap"}),
        ("neo", "options", "{lazy: false}", {"lazy": False}),
        ("spikeinterface", "options", "{keep_good_only: true}", {"keep_good_only": True}),
        ("neo", "where", "{channel: digital}", {"channel": "digital"}),
        ("lab_sessions", "codes.direction_deg", "{0: 90, 60: 30}", {0: 90, 60: 30}),
    ],
)
def test_what_a_file_calls_things_is_said_whole(
    reader: str, name: str, written: str, meant: dict
) -> None:
    found = compose("train", [f"recording={reader}", f"recording.{name}={written}"])
    assert OmegaConf.select(found, f"recording.{name}") == meant


def test_what_is_asked_of_a_config(capsys) -> None:
    main(["train", "-c", "job", "-p", "task.optimizer"])
    assert yaml.safe_load(capsys.readouterr().out)["lr"] == 0.003
    main(["train", "--info", "defaults", "model=mlp_decoder"])
    assert "model/mlp_decoder -> model" in capsys.readouterr().out
    main(["--hydra-help"])
    assert "hydra.searchpath" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("mua-decode tr", ["train "]),
        (
            "mua-decode train optimizer=ad",
            ["optimizer=adam", "optimizer=adamax", "optimizer=adamw"],
        ),
        ("mua-decode train model=o", ["model=own"]),
        ("mua-decode train model.wi", ["model.width="]),
    ],
)
def test_completion(place: Path, capsys, monkeypatch, line: str, found: list[str]) -> None:
    monkeypatch.setenv("COMP_LINE", line)
    main(["-sc", "query=bash"])
    assert capsys.readouterr().out.split("\n")[:-1] == found


def test_bash_completes(tmp_path: Path) -> None:
    """The script itself, in a real bash, with the command it calls."""
    tool = tmp_path / "mua-decode"
    tool.write_text(f'#!/bin/sh\nexec {sys.executable} -m mua_decode "$@"\n')
    tool.chmod(0o755)
    script = (
        f'PATH={tmp_path}:$PATH; eval "$(mua-decode -sc install=bash)"; '
        'COMP_LINE="mua-decode cross"; COMP_POINT=${#COMP_LINE}; _mua_decode; echo "$COMPREPLY"'
    )
    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, check=True,
        cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert done.stdout == "crossval \n"


BOTH = """\
# @package _global_
defaults:
  - override /logger: [wandb, tensorboard]
  - override /model: mlp_decoder
logger:
  wandb: {group: mine}
"""


def test_loggers_listed_in_a_file_stand_side_by_side(place: Path, capsys) -> None:
    (place / "both.yaml").write_text(BOTH)
    asked = ("train", f"experiment={place / 'both.yaml'}")
    both = shown(capsys, *asked, "logger.wandb.project=other")["logger"]
    assert {name: own["_target_"].rpartition(".")[2] for name, own in both.items()} == {
        "wandb": "WandbLogger", "tensorboard": "TensorBoardLogger",
    }  # fmt: skip
    assert (both["wandb"]["group"], both["wandb"]["project"]) == ("mine", "other")
    # What is typed takes their place.
    assert shown(capsys, *asked, "logger=csv")["logger"] == {}
    one = shown(capsys, *asked, "logger=tensorboard")["logger"]
    assert one["_target_"].endswith("TensorBoardLogger")
    assert "wandb" not in one


@pytest.fixture
def littered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder where files are called like modules, each of which leaves a mark."""
    for name in ("json", "numpy", "pandas", "yaml", "torch", "optuna", "submitit", "cloudpickle"):
        (tmp_path / f"{name}.py").write_text("open('imported', 'w')\nJSONDecodeError = None\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_nothing_lying_about_is_imported(littered: Path) -> None:
    tmp_path = littered
    mark = tmp_path / "imported"
    subprocess.run([sys.executable, "-c", "import json"], check=True)
    assert mark.exists()  # Python itself looks here first
    mark.unlink()
    own = os.environ | child_environment()
    subprocess.run([sys.executable, "-c", "import json"], env=own, check=True)
    subprocess.run([sys.executable, "-m", "mua_decode", "train", "--cfg"], check=True)
    worker = LocalLauncher()
    worker.start(tmp_path, 1)
    while worker.alive():
        time.sleep(0.1)
    assert "sweep.yaml" in (tmp_path / "workers/0.log").read_text()
    assert not mark.exists()


def test_jobs_of_a_cluster_import_nothing_lying_about(littered: Path) -> None:
    pytest.importorskip("submitit")
    jobs, commands = SubmititLauncher(cluster="local", gpus=0, cpus=1, time_min=2), set()
    jobs.start(littered, 1)
    while jobs.alive():
        for process in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):
                commands.add(process.read_bytes().replace(b"\0", b" ").decode())
        time.sleep(0.1)
    assert any("-P -u -m submitit.core._submit" in c and str(littered) in c for c in commands)
    (log,) = (littered / "jobs").glob("*_log.err")
    assert "sweep.yaml" in log.read_text()
    assert not (littered / "imported").exists()


def test_a_space_of_ones_own_says_what_it_lacks(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    space = "n_trials: 2\nspace:\n  - {option: model.width, kind: int, low: 2, high: 4}\n"
    (place / "conf/sweep").mkdir()
    (place / "conf/sweep/own.yaml").write_text(space)
    with pytest.raises(InputError, match=r"sweep: lacks 'grid'; begin your file with defaults: \["):
        compose("sweep", ["sweep=own"])
    (place / "conf/sweep/own.yaml").write_text(f"defaults: [default, _self_]\n{space}")
    cfg = compose("sweep", ["sweep=own"])
    assert (cfg.sweep.n_trials, cfg.sweep.grid) == (2, False)
    with pytest.raises(SystemExit):
        main(["train", "trainer.limit_train_batches=2"])
    assert "; +trainer.limit_train_batches=... adds it" in capsys.readouterr().err


def test_help_shows_the_groups_of_the_command_and_the_options_of_those_typed(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["inspect", "recording=film", "--help"])
    shown = capsys.readouterr().out
    assert "Of a file that does not say itself" in shown
    assert "  data=default\n" in shown
    assert "model=" not in shown
    assert "recording=film:\n  # One long film" in shown
    main(["train", "model=own", "--help"])
    assert "model=own:\n  _target_: own_code_here.Net" in capsys.readouterr().out
    main(["plugins", "--help"])
    plugins = capsys.readouterr().out
    assert "config groups" not in plugins
    main(["help", "plugins"])
    assert capsys.readouterr().out == plugins


def test_help_and_a_wrong_option_need_none_of_what_trains() -> None:
    code = (
        "import sys\nfrom mua_decode.commands.main import main\n"
        "try:\n    main(sys.argv[1:])\nexcept SystemExit:\n    pass\n"
        "assert 'torch' not in sys.modules"
    )
    for typed in (["train", "--help"], ["train", "trainer.epochs=3"], ["reproduce", "sied=1"]):
        subprocess.run([sys.executable, "-c", code, *typed], check=True, capture_output=True)
