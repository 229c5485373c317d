"""Files and options from elsewhere: nothing runs code, everything is said in one line."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from mua_decode.commands.main import main
from mua_decode.recordings import read_native, write_recording
from mua_decode.runs.config import compose
from mua_decode.runs.folder import RunFolder
from mua_decode.runs.instantiate import instantiate
from mua_decode.types import InputError, Recording


@pytest.mark.parametrize(
    "target",
    [
        "os.system",
        "subprocess.getoutput",
        "mua_decode.commands.main.main",
        "mua_decode.commands.main.os.mkdir",
        "mua_decode.tasks.DecodeVideo.load_from_checkpoint",
        "mua_decode.recordings.write_recording",
        "pytorch_lightning.LightningModule.load_from_checkpoint",
        "torch.optim.Adam.__init__",
        "torch.optim.lr_scheduler.torch.load",
    ],
)
def test_only_what_shipped_configs_name_is_built(target: str) -> None:
    with pytest.raises(InputError, match=r"is named by no config of mua_decode|there is no torch"):
        instantiate(OmegaConf.create({"_target_": target}))


def test_optimisers_and_schedules_of_torch_are_built() -> None:
    weight = torch.nn.Parameter(torch.zeros(1))
    chosen = OmegaConf.create({"_target_": "torch.optim.RMSprop"})
    optimiser = instantiate(chosen, params=[weight])
    assert isinstance(optimiser, torch.optim.RMSprop)
    name = "torch.optim.lr_scheduler.ExponentialLR"
    schedule = instantiate(OmegaConf.create({"_target_": name, "gamma": 0.5}), optimizer=optimiser)
    assert schedule.gamma == 0.5


def test_trust_is_given_by_the_user_alone() -> None:
    cfg = OmegaConf.create({"_target_": "collections.OrderedDict", "a": 1})
    with pytest.raises(InputError, match="trusted"):
        instantiate(cfg)
    assert dict(instantiate(cfg, trusted=["collections"])) == {"a": 1}


@pytest.mark.parametrize("path", ["~/größe.h5", "a=b.h5", "a,b.h5", "my (data)/x.h5", "it's.h5"])
def test_paths_can_be_typed_as_they_are(path: str) -> None:
    cfg = compose("inspect", ["recording=native", f"recording.path={path}"])
    assert cfg.recording.path == path


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["data.split.train=1", "data.split.val=0", "data.split.test=0"], "both test and val are"),
        (["trainer.max_epochs=0"], "trainer.max_epochs: expected >= 1, found 0"),
        (["loss.window_size=99"], "model, loss or task"),
        (["task.optimizer.lr=-1"], "model, loss or task: Invalid learning rate"),
        (["task=encode"], "mua-decode encode"),
        (["early_stopping=soon"], "early_stopping: expected null or a number"),
        (["data.batch_size=12.5"], "data.batch_size: expected a whole number"),
        (["data.batch_size=null"], "data.batch_size: expected a whole number"),
        (["model=null"], "model=null"),
        (["data.regions=[4]"], "region '4' is not in this recording"),
        (["data.regions=v4"], "region 'v4' is not in this recording (did you mean 'V4'?)"),
        (["data.window.width_s=inf"], "data.window.width_s: expected a number"),
        (["data.sites_per_region=-1"], "sites_per_region: expected numbers >= 0"),
        (["~recording"], "a whole group cannot be removed"),
    ],
)
def test_wrong_options_show_before_anything_is_written(
    args: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    with pytest.raises(SystemExit) as stop:
        main(["train", "recording=simulated_small", "model.width=2", f"run_dir={run}", *args])
    assert stop.value.code == 2
    assert message in capsys.readouterr().err
    assert not run.exists() or not list(run.iterdir())


def test_a_finished_run_is_not_overwritten_without_its_checkpoints(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "metrics.json").write_text("{}")
    with pytest.raises(SystemExit):
        main(["train", "recording=simulated_small", f"run_dir={tmp_path}"])
    assert "already holds a run" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["model: {}", "- a", "a: ${b}", "{", "recording: text"])
def test_broken_run_configs_are_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(InputError, match=r"config.yaml: is not"):
        RunFolder.existing(str(tmp_path)).load_config()


def _spoil_version(file: h5py.File) -> None:
    file.attrs["version"] = "one"


def _spoil_frame(file: h5py.File) -> None:
    file["stimuli"].attrs["frame_s"] = np.nan


def _spoil_bin(file: h5py.File) -> None:
    file["sessions/s0"].attrs["window_s"] = np.nan


def _spoil_condition(file: h5py.File) -> None:
    values = file["sessions/s0/trials/condition"][()] + 0.5
    del file["sessions/s0/trials/condition"]
    file["sessions/s0/trials/condition"] = values


def _spoil_counts(file: h5py.File) -> None:
    del file["sessions/s0/counts"]
    file.create_dataset("sessions/s0/counts", (10**6, 10**4, 10**3), "u1", chunks=(1, 100, 100))


def _spoil_sites(file: h5py.File) -> None:
    file["sessions/s0/sites/session"][:] = "other"


def _spoil_table(file: h5py.File) -> None:
    del file["sessions/s0/trials"]
    file["sessions/s0/trials"] = np.zeros(3)


@pytest.mark.parametrize(
    "spoil",
    [
        _spoil_version,
        _spoil_frame,
        _spoil_bin,
        _spoil_condition,
        _spoil_counts,
        _spoil_sites,
        _spoil_table,
    ],
)
def test_spoilt_recording_files_are_named(recording: Recording, tmp_path: Path, spoil) -> None:
    path = tmp_path / "r.h5"
    write_recording(recording, path)
    with h5py.File(path, "a") as file:
        spoil(file)
    with pytest.raises(InputError, match=r"r\.h5: "):
        read_native(path, verify=False)


def test_brackets_in_names_are_shown(
    recording: Recording, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from dataclasses import replace

    first = recording.sessions[0]
    sites = replace(first.sites, region=np.array(["[/x]"] * 3))
    odd = replace(recording, sessions=(replace(first, sites=sites),))
    write_recording(odd, tmp_path / "r.h5")
    main(["inspect", "recording=native", f"recording.path={tmp_path / 'r.h5'}"])
    assert "[/x]" in capsys.readouterr().out
