"""What the folder of a run may decide about who opens it: its results, and nothing else."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import DictConfig, OmegaConf

from mua_decode.commands.main import main
from mua_decode.recordings.files import load_csv
from mua_decode.runs import train
from mua_decode.runs.allocations import WithinMemory
from mua_decode.runs.config import load_option
from mua_decode.runs.folder import RunFolder
from mua_decode.runs.instantiate import instantiate
from mua_decode.runs.run import Run
from mua_decode.runs.stored import load_stored, without_command_line
from mua_decode.runs.stored_files import stored_json, stored_table
from mua_decode.runs.tracker import open_tracker
from mua_decode.sweep.worker import open_shared
from mua_decode.types import InputError
from tests.stored_run import write_run

WANDB = "pytorch_lightning.loggers.WandbLogger"
PLUGGED = {
    *("profiler", "plugins", "strategy", "callbacks", "logger"),
    *("enable_checkpointing", "default_root_dir"),
}


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run whose config was written by somebody else."""
    folder = tmp_path_factory.mktemp("foreign") / "run"
    write_run(folder)
    (folder / "metrics.json").write_text("{}")
    cfg = OmegaConf.load(folder / "config.yaml")
    assert isinstance(cfg, DictConfig)
    settings = {"git_root": str(folder), "save_code": True, "base_url": "http://127.0.0.1:9"}
    cfg.logger = {"_target_": WANDB, "project": "x", "settings": settings}
    cfg.trainer.profiler = "advanced"
    cfg.trainer.plugins = [{"_target_": WANDB}]
    cfg.trainer.callbacks = [{"_target_": "pytorch_lightning.callbacks.ModelCheckpoint"}]
    cfg.trainer.logger = cfg.trainer.enable_checkpointing = True
    cfg.trainer.default_root_dir = "/tmp/elsewhere"
    cfg.callbacks = {"x": {"_target_": "pytorch_lightning.callbacks.LearningRateMonitor"}}
    cfg.trainer.strategy = {"_target_": "pytorch_lightning.strategies.DDPStrategy", "x": {}}
    cfg.trusted = ["os"]
    cfg.launcher = {"_target_": "mua_decode.sweep.launch.SubmititLauncher"}
    cfg.storage = "sqlite:////tmp/x.db"
    (folder / "config.yaml").write_text(OmegaConf.to_yaml(cfg))
    return folder


@pytest.mark.parametrize(
    "command",
    [
        ["crossval", "n_folds=3"],
        ["isolate"],
        ["repeat"],
        ["compare"],
        ["generalise"],
        ["encode"],
    ],
    ids=lambda c: c[0],
)
def test_no_command_trains_with_the_logger_or_plugins_of_a_folder(
    stored: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: list[str],
) -> None:
    seen: list[Any] = []

    def spy(cfg: DictConfig, folder: RunFolder) -> None:
        seen.append(cfg.copy())
        raise KeyboardInterrupt  # the training would begin

    monkeypatch.setattr(train, "open_trackers", spy)
    options = [f"run_dir={stored}", f"out_dir={tmp_path / 'out'}"]
    if command != ["encode"]:
        options += ["metric=mse", "floor=mean_video"]
    with pytest.raises(SystemExit):
        main([*command, *options])
    (cfg,) = seen
    assert not cfg.logger
    assert not cfg.trusted
    assert not cfg.get("storage")
    assert not cfg.get("launcher")
    assert not cfg.get("callbacks")
    assert not PLUGGED & set(cfg.trainer)
    if command != ["encode"]:  # which has a logger and a trainer of its own
        assert "note: logger is not taken from the folder of a run" in capsys.readouterr().err


def test_what_is_plugged_in_comes_from_the_command_line(stored: Path) -> None:
    plain = Run.open(stored)
    assert not plain.cfg.logger
    assert set(plain.left_out) == {
        *("logger", "launcher", "storage", "trusted"),
        *("callbacks.x", *(f"trainer.{name}" for name in PLUGGED)),
    }
    assert plain.cfg.trainer.max_epochs == 40
    asked = Run.open(stored, overrides=["logger=tensorboard", "+trainer.profiler=simple"])
    assert asked.cfg.logger._target_.endswith("TensorBoardLogger")
    assert asked.cfg.trainer.profiler == "simple"
    ddp = OmegaConf.create({"trainer": load_option("trainer", "ddp")})
    assert without_command_line(ddp) == (ddp, [])


def test_the_command_of_a_git_folder_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The published attack: W&B asks git about the folder, and git its core.fsmonitor."""
    mark, folder = tmp_path / "ran", RunFolder.create(str(tmp_path / "run"), "run")
    subprocess.run(["git", "init", "-q", str(folder.path)], check=True)
    setting = ["git", "-C", str(folder.path), "config", "core.fsmonitor", f"touch {mark}; false"]
    subprocess.run(setting, check=True)
    subprocess.run(["git", "-C", str(folder.path), "status"], check=False, capture_output=True)
    assert mark.exists()  # git does run it
    mark.unlink()
    monkeypatch.setenv("WANDB_MODE", "offline")
    logger = {"_target_": WANDB, "settings": {"git_root": str(folder.path), "save_code": True}}
    cfg = OmegaConf.create({"name": "x", "logger": logger})
    with pytest.raises(InputError, match=r"logger\.settings: is no option a logger may be given"):
        open_tracker(cfg, folder)
    assert not mark.exists()


@pytest.mark.parametrize(
    "option", ["settings", "dir", "config", "id", "experiment", "save_dir", "checkpoint_name"]
)
def test_options_of_a_logger_are_a_list(tmp_path: Path, option: str) -> None:
    cfg = OmegaConf.create({"name": "x", "logger": {"_target_": WANDB, option: "x"}})
    with pytest.raises(InputError, match=rf"logger\.{option}: .* choose from: entity, group"):
        open_tracker(cfg, RunFolder(tmp_path))
    cfg.logger = {"_target_": "pytorch_lightning.Trainer"}
    with pytest.raises(InputError, match="cannot stand in the place of a logger"):
        open_tracker(cfg, RunFolder(tmp_path))


@pytest.mark.parametrize(
    "target",
    [
        WANDB,
        "pytorch_lightning.Trainer",
        "mua_decode.sweep.launch.LocalLauncher",
        "optuna.samplers.TPESampler",
    ],
)
def test_a_part_with_a_reach_stands_in_no_other_place(target: str) -> None:
    hidden = {"_target_": "mua_decode.models.MLPDecoder", "hidden_sizes": {"_target_": target}}
    for cfg in ({"_target_": target}, hidden):
        with pytest.raises(InputError, match="cannot stand in the place of a part"):
            instantiate(OmegaConf.create(cfg), trusted=["optuna"])


RESOLVERS = [
    "${oc.env:SECRET}",
    "a ${oc.env:SECRET,none} b",
    "${oc.decode:'1'}",
    "${oc.create:{}}",
    "${${name}:SECRET}",
    "${hydra:runtime.cwd}",
    "${ oc.env:SECRET }",
]


@pytest.mark.parametrize("text", RESOLVERS)
@pytest.mark.parametrize("command", ["evaluate", "crossval"])
def test_a_stored_config_reads_nothing_of_the_environment(
    stored: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    text: str,
    command: str,
) -> None:
    monkeypatch.setenv("SECRET", "the-key")
    cfg = OmegaConf.load(stored / "config.yaml")
    cfg.name, cfg.storage = text, [{"a": text}]
    (tmp_path / "config.yaml").write_text(OmegaConf.to_yaml(cfg))
    with pytest.raises(SystemExit) as stop:
        main([command, f"run_dir={tmp_path}"])
    assert stop.value.code == 2
    said = capsys.readouterr().err
    assert "config.yaml: name is" in said
    assert "may refer to its own options alone" in said
    assert "the-key" not in said
    assert len(said.strip().splitlines()) == 1


def test_a_stored_config_may_refer_to_its_own_options(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("seed: 3\ndata: {seed: '${seed}', lr: 1e-3}\n")
    assert load_stored(tmp_path / "c.yaml").data == {"seed": 3, "lr": 0.001}


@pytest.mark.parametrize(
    "made",
    [
        "a: $\nb: '{oc.env:SECRET}'\nname: ${a}${b}",
        "a: '{'\nname: $${a}oc.env:SECRET}\nother: ${name}",
        "a: oc.env\nname: '\\${${a}:SECRET}'",
    ],
)
def test_no_reference_is_made_of_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: str
) -> None:
    """What OmegaConf puts together it takes for a reference again."""
    monkeypatch.setenv("SECRET", "the-key")
    (tmp_path / "c.yaml").write_text(made + "\n")
    with pytest.raises(InputError, match=r"c\.yaml: .*may refer to its own options alone") as said:
        load_stored(tmp_path / "c.yaml")
    assert "the-key" not in str(said.value)


def test_references_are_put_in(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(
        "seed: 3\nname: run\nlist: [a, {b: '${ seed }'}]\nsame: ${list}\n"
        'text: ${name}_${seed}_${list.0}\nescaped: "\\x24\\x7bseed}"\nfar: ${same}\n'
    )
    found = load_stored(tmp_path / "c.yaml")
    assert OmegaConf.to_container(found, resolve=False) == {
        "seed": 3, "name": "run", "list": ["a", {"b": 3}], "same": ["a", {"b": 3}],
        "text": "run_3_a", "escaped": 3, "far": ["a", {"b": 3}],
    }  # fmt: skip


@pytest.mark.parametrize("text", ["a: ${b}", "a: ${b}\nb: ${a}", "a: [1, '${a}']", "a: x${a}"])
def test_a_reference_that_leads_nowhere_or_to_itself_names_its_config(
    tmp_path: Path, text: str
) -> None:
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(InputError, match=r"c\.yaml: is not readable YAML"):
        load_stored(tmp_path / "c.yaml")


@pytest.mark.timeout(30)
@pytest.mark.parametrize("kind", ["texts", "lists"])
def test_references_in_a_stored_config_have_an_end(tmp_path: Path, kind: str) -> None:
    lines = ["a0: xxxxxxxxxx"]
    for k in range(40):
        named = f"${{a{k}}}"
        made = f"'{named}{named}'" if kind == "texts" else f"['{named}', '{named}']"
        lines.append(f"a{k + 1}: {made}")
    (tmp_path / "config.yaml").write_text("\n".join(lines))
    with pytest.raises(InputError, match=r"config\.yaml: refused, what its references name grows"):
        RunFolder.existing(str(tmp_path)).load_config()


def test_a_config_is_measured_before_it_is_read(tmp_path: Path) -> None:
    with (tmp_path / "config.yaml").open("wb") as file:
        file.truncate(1 << 40)  # takes no room on the disk
    with pytest.raises(InputError, match=r"config\.yaml: 1048576 MiB of YAML; refused"):
        RunFolder.existing(str(tmp_path)).load_config()


def test_aliases_in_a_stored_config_have_an_end(tmp_path: Path) -> None:
    lines = ["a: &a [0,0,0,0,0,0,0,0,0,0]"]
    lines += [
        f"{b}: &{b} [{','.join([f'*{a}'] * 10)}]"
        for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    ]
    (tmp_path / "config.yaml").write_text("\n".join(lines))
    start = time.process_time()
    with pytest.raises(InputError, match=r"config\.yaml: refused, it holds over 1,000,000"):
        RunFolder.existing(str(tmp_path)).load_config()
    assert time.process_time() - start < 5


@pytest.mark.parametrize("option", ["model", "data"])
def test_a_stored_option_that_cannot_be_used_names_its_config(tmp_path: Path, option: str) -> None:
    write_run(tmp_path / "run")
    path = tmp_path / "run" / "config.yaml"
    cfg = OmegaConf.load(path)
    cfg[option].speed = 3
    path.write_text(OmegaConf.to_yaml(cfg))
    found = Run.open(tmp_path / "run")
    with pytest.raises(InputError, match=r"config\.yaml: .*unexpected keyword argument 'speed'"):
        _ = found.network, found.data


def test_a_damaged_sweep_yaml_is_named(tmp_path: Path) -> None:
    (tmp_path / "sweep.yaml").write_text("name: sweep\n")
    with pytest.raises(InputError, match=r"sweep\.yaml: "):
        open_shared(tmp_path)


def changed(folder: Path, option: str, value: object) -> Path:
    """The config of a run with an option of it changed."""
    write_run(folder)
    path = folder / "config.yaml"
    cfg = OmegaConf.load(path)
    OmegaConf.update(cfg, option, value)
    path.write_text(OmegaConf.to_yaml(cfg))
    return path


@pytest.mark.parametrize(
    "option", ["data.seed", "trainer.max_epochs", "model.kernel_sizes[0]", "data.split._target_"]
)
def test_a_stored_option_without_a_value_names_its_config(tmp_path: Path, option: str) -> None:
    path = changed(tmp_path, option, "???")
    with pytest.raises(InputError) as found:
        Run.open(tmp_path)
    assert str(found.value) == f"{path}: {option} is '???', which is no value; give it one"


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("model.spike_hidden", 2**31, r"model: VideoUNet would take \d+\.\d GiB of memory"),
        ("model.kernel_sizes", [10**5 + 1] * 4, r"model: VideoUNet would take .*"),
        ("recording.population.trials_per_condition", 10**8, r"simulation: spikes would take .*"),
        ("recording.stimulus.variants", 10**8, r"simulation: videos would take .*"),
        ("recording.stimulus.frame.resolution", 1e4, r"simulation: videos would take .*"),
        ("data.pseudo.per_condition", 10**13, r"pseudo.per_condition would take .* GiB of memory"),
        ("data.pseudo.per_condition", 2**31, r"pseudo.per_condition would take .* GiB of memory"),
    ],
)
def test_a_stored_option_that_takes_too_much_memory_names_its_config_and_the_limit(
    tmp_path: Path, option: str, value: object, said: str
) -> None:
    changed(tmp_path, option, value)
    found = Run.open(tmp_path)
    with pytest.raises(InputError, match=rf"config\.yaml: .*{said}.* may fill \d+\.\d GiB"):
        _ = found.data.dataset("train"), found.network


@pytest.mark.parametrize("value", ["bust", -0.5, {"a": 1}])
def test_weights_that_are_none_name_their_config(tmp_path: Path, value: object) -> None:
    changed(tmp_path, "weights", value)
    with pytest.raises(InputError, match=r"config\.yaml: weights=.*choose from best, last"):
        Run.open(tmp_path)


def test_weights_are_drawn_the_same_where_their_memory_is_counted() -> None:
    weights = []
    for counted in (nullcontext(), WithinMemory("layer")):
        torch.manual_seed(0)
        with counted:
            weights.append(torch.nn.Linear(3, 2).weight)
    assert torch.equal(*weights)
    too_much = pytest.raises(InputError, match=r"^layer would take 8192\.0 GiB of memory")
    with too_much, WithinMemory("layer"):
        torch.nn.Linear(2**20, 2**21)


def test_no_folder_of_a_run_leads_elsewhere(tmp_path: Path) -> None:
    run, away = tmp_path / "run", tmp_path / "away"
    write_run(run)
    away.mkdir()
    (run / "wandb").mkdir()
    (run / "wandb" / "latest").symlink_to(run / "checkpoints")  # its own
    assert Run.open(run).folder.path == run
    (run / "figures").symlink_to(away)
    with pytest.raises(InputError, match=r"figures is a link to .*away, where nothing of a run"):
        Run.open(run)
    with pytest.raises(InputError, match=r"run_dir: .*figures is a link"):
        RunFolder.create(str(run), "run")
    assert list(away.iterdir()) == []


@pytest.mark.timeout(60)
@pytest.mark.parametrize("kind", ["pipe", "device", "socket"])
def test_what_is_no_file_is_neither_waited_for_nor_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    run = tmp_path / "run"
    write_run(run)
    odd = run / "checkpoints" / "metrics.json"
    if kind == "pipe":
        os.mkfifo(odd)
    elif kind == "device":
        odd.symlink_to("/dev/zero")
    else:
        monkeypatch.chdir(odd.parent)  # names of sockets are short
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(odd.name)
    with pytest.raises(InputError, match=r"metrics\.json is a pipe, a socket or a device; refused"):
        Run.open(run)
    assert stored_json(odd) == {}
    assert stored_table(odd) is None
    with pytest.raises(InputError, match="no such file"):
        load_stored(odd)
    with pytest.raises(InputError, match="no such file"):
        load_csv(odd)
