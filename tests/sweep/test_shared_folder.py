"""A folder that others can read and write: it holds no secret, and workers obey who starts them."""

from __future__ import annotations

import json
import signal
import sys
import time
from pathlib import Path

import optuna
import pytest
from omegaconf import DictConfig, OmegaConf
from optuna.distributions import CategoricalDistribution
from optuna.trial import TrialState

from mua_decode.commands.main import main
from mua_decode.runs.config import compose
from mua_decode.runs.plan import plain
from mua_decode.sweep import study, worker
from mua_decode.sweep.launch import LocalLauncher, SubmititLauncher
from mua_decode.sweep.plan import Sweep
from mua_decode.sweep.private import VARIABLE, told, worker_options
from mua_decode.sweep.summary import summarise
from mua_decode.types import InputError, masked
from tests.sweep.test_sweep import SMALL

PASSWORD = "s3cr3t-w0rd"
URL = f"postgresql://lab:{PASSWORD}@localhost:1/optuna"


def test_passwords_are_masked_wherever_they_stand() -> None:
    assert (
        masked(f"cannot open {URL}: no")
        == "cannot open postgresql://lab:***@localhost:1/optuna: no"
    )
    assert PASSWORD not in masked(f"mysql+x://lab:{PASSWORD}/@odd@host/db?password={PASSWORD}&a=1")
    for plain_text in ("sqlite:////tmp/a.db", "postgresql://user@host/db", "a: b@c", "12:30"):
        assert masked(plain_text) == plain_text


@pytest.mark.parametrize("url", [URL, URL.replace("://", "+nothing://"), f"{URL}/((", "x" + URL])
def test_no_error_tells_the_password(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], url: str
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["sweep", *SMALL, f"out_dir={tmp_path}", f"storage={url}"])
    assert stop.value.code == 2
    shown = capsys.readouterr()
    assert PASSWORD not in shown.err + shown.out
    assert ("***" in shown.err) == ("((" not in url)  # that one Hydra does not repeat at all


def test_the_folder_holds_no_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened, real = [], study._open

    def open_here(url: str, heartbeat_s: int, grace_s: int) -> object:
        opened.append(url)
        return real(f"sqlite:///{tmp_path / 'elsewhere.db'}", heartbeat_s, grace_s)

    monkeypatch.setattr(study, "_open", open_here)
    out = tmp_path / "out"
    short = ["sweep.n_trials=1", "trainer.max_epochs=1", f"storage={URL}"]
    main(["sweep", *SMALL, *short, f"out_dir={out}"])
    assert set(opened) == {URL}
    files = [p for p in out.rglob("*") if p.is_file()]
    assert {"sweep.yaml", "best.yaml", "config.yaml"} <= {p.name for p in files}
    assert [p for p in files if PASSWORD.encode() in p.read_bytes()] == []
    assert OmegaConf.load(out / "sweep.yaml").storage == masked(URL)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A sweep's folder to which somebody wrote; their package lies on the path of the worker."""
    (tmp_path / "evil_package.py").write_text(
        f"from pathlib import Path\ndef make(**_):\n    Path({str(tmp_path / 'ran')!r}).touch()\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    cfg = compose("sweep", [*SMALL, "sweep.n_trials=1", "trainer.max_epochs=1"])
    cfg.out_dir, cfg.trusted = str(tmp_path), ["evil_package"]
    cfg.recording = {"_target_": "evil_package.make"}
    cfg.logger = {"_target_": "pytorch_lightning.loggers.WandbLogger", "project": "theirs"}
    cfg.storage = f"sqlite:///{tmp_path / 'theirs.db'}"
    (tmp_path / "sweep.yaml").write_text(OmegaConf.to_yaml(cfg))
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    return tmp_path


def test_a_worker_trusts_what_its_own_launcher_says(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match=r"evil_package\.make is named by no config"):
        worker.work_in(str(folder))
    assert not (folder / "ran").exists()
    assert not (folder / "theirs.db").exists()
    monkeypatch.setenv(VARIABLE, json.dumps({"trusted": ["evil_package"]}))
    with pytest.raises(InputError, match="returns no Recording"):
        worker.work_in(str(folder))
    assert (folder / "ran").exists()  # so it was not left alone for another reason


def test_a_worker_is_told_storage_logger_and_trainer(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[DictConfig] = []
    monkeypatch.setattr(Sweep, "open", lambda cfg, _: seen.append(cfg))
    monkeypatch.setattr(worker, "work", lambda _: None)
    worker.work_in(str(folder))
    assert (seen[0].storage, seen[0].logger, seen[0].trusted) == (None, {}, [])
    own = {"storage": URL, "logger": {"_target_": "x"}, "trusted": ["mine"], "trainer": {"a": 1}}
    own |= {"callbacks": {"x": {"_target_": "y"}}}
    for name, value in worker_options({**own, "seed": 3}).items():
        monkeypatch.setenv(name, value)
    assert told() == own
    worker.work_in(str(folder))
    assert {name: plain(seen[1])[name] for name in own} == own
    assert seen[1].seed == 0
    monkeypatch.setenv(VARIABLE, "[")
    with pytest.raises(InputError, match="is not what a sweep tells"):
        told()


def test_the_launcher_tells_its_workers_in_their_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "python"
    script.write_text(f'#!/bin/sh\nprintf %s "${VARIABLE}" > {tmp_path}/told\necho "$@"\n')
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))
    launcher, end = LocalLauncher(), time.monotonic() + 60
    launcher.start(tmp_path, 1, worker_options({"storage": URL}))
    while launcher.alive():
        assert time.monotonic() < end
    assert json.loads((tmp_path / "told").read_text()) == {"storage": URL}
    assert PASSWORD not in (tmp_path / "workers" / "0.log").read_text()  # nor in its arguments
    assert PASSWORD not in repr(launcher)


def test_a_space_reaches_no_trainer_of_others(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs.yaml"
    theirs.write_text("_target_: pytorch_lightning.Trainer\nprofiler: advanced\n")
    cfg = compose("sweep", SMALL)
    for option, value in (
        ("trainer", str(theirs)),
        ("trainer.accelerator", "gpu"),
        ("trainer.max_epochs.x", "1"),
        ("callbacks", "[lr_monitor]"),
        ("callbacks.x", "1"),
        ("trusted", "[os]"),
        ("logger", "wandb"),
        ("storage", "sqlite:///x.db"),
        ("launcher", "submitit"),
    ):
        cfg.sweep.space = [{"option": option, "kind": "categorical", "choices": [value]}]
        with pytest.raises(InputError, match=rf"sweep\.space: '?{option}"):
            Sweep.open(cfg, tmp_path)
    cfg.sweep.space = [{"option": "trainer.max_epochs", "kind": "int", "low": 1, "high": 3}]
    assert Sweep.open(cfg, tmp_path).varied({"trainer.max_epochs": 2}, "x").cfg.trainer.max_epochs


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("trusted", "[evil_package]"),
        ("name", "${oc.env:PGPASSWORD}"),
        ("task.optimizer.lr", "${oc.env:PGPASSWORD}"),
        ("task.optimizer.amsgrad", "yes"),
        ("task.optimizer.lr", 7.0),
    ],
)
def test_a_trial_that_others_wrote_decides_nothing_and_reads_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    option: str,
    value: str | float,
) -> None:
    """The best of a study becomes best.yaml and a line to be typed."""
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    sweep = Sweep.open(compose("sweep", [*SMALL, "sweep.n_trials=1"]), tmp_path)
    shared = study.SharedStudy(sweep.plan, tmp_path)
    params = {"task.optimizer.lr": 0.001, "task.optimizer.amsgrad": True, option: value}
    ranges = {name: CategoricalDistribution([given]) for name, given in params.items()}
    trial = optuna.create_trial(
        state=TrialState.COMPLETE, value=-1.0, params=params, distributions=ranges
    )
    shared.study.add_trial(trial)
    with pytest.raises(InputError, match=rf"holds a trial whose {option} is not one"):
        summarise(sweep, shared)
    shown = capsys.readouterr()
    assert PASSWORD not in shown.out + shown.err
    files = [p for p in tmp_path.rglob("*") if p.is_file()]
    assert [p for p in files if PASSWORD.encode() in p.read_bytes()] == []


@pytest.mark.parametrize("mode", [0o777, 0o702])
def test_jobs_are_not_put_where_others_can_change_them(tmp_path: Path, mode: int) -> None:
    pytest.importorskip("submitit")
    tmp_path.chmod(mode)
    with pytest.raises(InputError, match="launcher=submitit: others can write to"):
        SubmititLauncher(cluster="local").start(tmp_path, 1)
    assert not (tmp_path / "jobs").exists()
