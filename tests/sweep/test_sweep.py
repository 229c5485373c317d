"""Sweeps: the budget is shared and exact, dead workers lose nothing, the best can be trained."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import imageio.v3 as iio
import optuna
import pandas as pd
import pytest
from omegaconf import OmegaConf
from optuna.trial import TrialState

from mua_decode.commands.main import main
from mua_decode.recordings import write_recording
from mua_decode.runs.build import build_recording
from mua_decode.runs.config import changed_config, compose
from mua_decode.runs.fingerprint import Fingerprint, flat_config
from mua_decode.runs.folder import RunFolder
from mua_decode.runs.instantiate import instantiate
from mua_decode.runs.plan import plain
from mua_decode.runs.train_line import train_line
from mua_decode.sweep.launch import LocalLauncher
from mua_decode.sweep.plan import SweepPlan
from mua_decode.sweep.space import Dimension, Space, overrides
from mua_decode.sweep.study import SharedStudy
from mua_decode.sweep.worker import work_in
from mua_decode.types import InputError, read_table
from tests.tiny import TINY

SPACE = (
    "sweep.space=[{option:task.optimizer.lr,kind:log,low:0.0005,high:0.05},"
    "{option:model.skip_connections,kind:categorical,choices:[none,add]}]"
)
SMALL = [*TINY, SPACE, "trainer.max_epochs=2", "model=mlp_decoder", "model.hidden_sizes=[4,4]"]
SMALL = [o for o in SMALL if not o.startswith(("model.width", "model.kernel", "model.spike"))]
SMALL = [o.replace("model.skip_connections", "task.optimizer.amsgrad") for o in SMALL]
SMALL = [o.replace("choices:[none,add]", "choices:[true,false]") for o in SMALL]
SMALL += ["+task.optimizer.amsgrad=false"]


PLAN = SweepPlan(
    name="s",
    storage=None,
    workers=1,
    seed=0,
    n_trials=2,
    grid=False,
    heartbeat_s=10,
    grace_s=60,
    retries=1,
    space=Space((Dimension("a", "float", 0.0, 1.0),)),
    sampler=optuna.samplers.RandomSampler,
    pruner=optuna.pruners.NopPruner(),
)


def shared(folder: Path, n_trials: int = 2) -> SharedStudy:
    return SharedStudy(replace(PLAN, n_trials=n_trials), folder)


def fall_silent(study: SharedStudy) -> None:
    """Make the last sign of life of every trial an hour old."""
    with study.storage.engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE trial_heartbeats SET heartbeat = datetime('now', '-1 hour')"
        )


def test_many_workers_take_every_slot_once(tmp_path: Path) -> None:
    shared(tmp_path)

    def take(_: int) -> list[int]:
        mine, taken = shared(tmp_path, 12), []
        mine.lay_out()  # all lay out at once: surplus trials must not count
        while (slot := mine.claim()) is not None:
            taken.append(slot.number)
            mine.finish(slot, TrialState.COMPLETE, float(slot.number))
        return taken

    with ThreadPoolExecutor(4) as workers:
        taken = [number for numbers in workers.map(take, range(4)) for number in numbers]
    assert sorted(taken) == list(range(12))
    assert shared(tmp_path, 12).complete


def test_a_silent_trial_is_run_again_once_with_the_same_values(tmp_path: Path) -> None:
    study = shared(tmp_path)
    study.lay_out()
    slot = study.claim()
    assert slot is not None
    values = PLAN.space.suggest(study.trial(slot, PLAN.sampler(seed=1)))
    study.revive()  # it was heard of just now
    assert study.runs(slot)
    fall_silent(study)
    others = [shared(tmp_path) for _ in range(2)]
    for other in others:
        other.revive()
        other.revive()
    assert not study.runs(slot)
    again = others[0].claim()
    assert again is not None
    assert (again.number, again.attempts) == (0, 2)
    assert PLAN.space.suggest(study.trial(again, PLAN.sampler(seed=9))) == values
    # Dead once more: given up, with a reason, and never a third time.
    fall_silent(study)
    for other in others:
        other.revive()
    first = study.slots()[0]
    assert first.failed
    assert "died" in first.trial.user_attrs["reason"]
    last = study.claim()
    assert last is not None
    assert last.number == 1


def test_a_trial_at_work_is_heard_of(tmp_path: Path) -> None:
    study = SharedStudy(replace(PLAN, heartbeat_s=1, grace_s=2), tmp_path)
    study.lay_out()
    slot = study.claim()
    assert slot is not None
    heard = threading.Event()
    record = study.storage.record_heartbeat

    def recorded(number: int) -> None:
        record(number)
        heard.set()

    study.storage.record_heartbeat = recorded  # type: ignore[method-assign]
    fall_silent(study)
    with study.heartbeat(slot):
        assert heard.wait(60)
    study.revive()
    assert study.runs(slot)


def test_a_clock_set_back_keeps_no_trial_from_the_living(tmp_path: Path) -> None:
    """A heartbeat that lies a day ahead: by the clock nobody would miss the trial till then."""
    plan = replace(PLAN, heartbeat_s=1, grace_s=2)
    study, other = (SharedStudy(plan, tmp_path) for _ in range(2))
    study.lay_out()
    dead, alive = study.claim(), study.claim()
    assert dead is not None
    assert alive is not None

    def beat(minute: int) -> None:
        with study.storage.engine.begin() as connection:
            for slot, at in ((dead, 0), (alive, minute)):
                connection.exec_driver_sql(
                    f"UPDATE trial_heartbeats SET heartbeat = datetime('now', 'start of day', "
                    f"'+2 day', '+{at} minute') WHERE trial_id = {slot.trial._trial_id}"
                )

    for minute in range(4):
        beat(minute)
        other.revive()
        assert study.runs(alive)
        assert study.runs(dead) == (minute < 2)
        time.sleep(1.05)


def test_a_trial_that_another_worker_ended_meanwhile_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    late, quick = shared(tmp_path), shared(tmp_path)
    late.lay_out()
    before = late.slots()
    slot = quick.claim()
    assert slot is not None
    quick.finish(slot, TrialState.COMPLETE, 1.0)
    monkeypatch.setattr(late, "slots", lambda: before)
    found = late.claim()
    assert found is not None
    assert found.number == 1


def test_a_released_trial_waits_for_the_next(tmp_path: Path) -> None:
    study = shared(tmp_path, 1)
    study.lay_out()
    slot = study.claim()
    assert slot is not None
    assert study.claim() is None
    study.release(slot)
    again = study.claim()
    assert again is not None
    assert again.number == slot.number


def test_a_study_knows_what_its_trials_have_in_common(tmp_path: Path) -> None:
    study = shared(tmp_path)
    study.study.set_user_attr("config", {"a": 1, "name": "s"})  # as an earlier version left it
    study.join(Fingerprint({"a": 1}))
    assert "recording" not in study.study.user_attrs
    study.join(Fingerprint({"a": 1}, "x" * 64))
    assert study.study.user_attrs["recording"] == "x" * 64
    study.join(Fingerprint({"a": 1}))
    with pytest.raises(InputError, match=f"{tmp_path} holds .* a is 1 there and 2 here; choose"):
        study.join(Fingerprint({"a": 2}, "x" * 64))
    with pytest.raises(InputError, match="checksum is xxxxxxxxxxxx there and yyyyyyyyyyyy here"):
        study.join(Fingerprint({"a": 1}, "y" * 64))


def test_a_value_that_is_no_number_does_not_differ_from_itself(tmp_path: Path) -> None:
    study = shared(tmp_path)
    study.join(Fingerprint({"a": float("nan")}))
    study.join(Fingerprint({"a": float("nan")}))
    with pytest.raises(InputError, match="a is nan there and 2 here"):
        study.join(Fingerprint({"a": 2}))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"workers": 0}, "workers: expected a number >= 1, found 0"),
        ({"n_trials": 0}, "sweep.n_trials: expected a number >= 1, found 0"),
        ({"retries": -1}, "sweep.retries: expected a number >= 0, found -1"),
        ({"grace_s": 10}, "1 <= heartbeat_s < grace_s, found 10 and 10"),
        (
            {"grid": True, "space": Space((Dimension("a", "int", 1, 3),)), "n_trials": 4},
            "sweep.n_trials: the grid has 3 combinations, found 4",
        ),
    ],
)
def test_a_wrong_plan_is_refused(options: dict, message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        replace(PLAN, **options)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"option": "model.widht", "kind": "int", "low": 1, "high": 2}, "did you mean.*width"),
        ({"option": "model.width", "kind": "whole", "low": 1, "high": 2}, "there is no kind"),
        ({"option": "model.width", "kind": "int", "low": 3, "high": 2}, "low must be below"),
        ({"option": "model.width", "kind": "int", "low": 1.5, "high": 2}, "whole numbers"),
        ({"option": "task.optimizer.lr", "kind": "log", "low": 0, "high": 1}, "low"),
        ({"option": "model.width", "kind": "categorical"}, "choices"),
        ({"option": "recording.seed", "kind": "int", "low": 1, "high": 2}, "same for all trials"),
        ({"option": "model.width", "low": 1, "high": 2}, "kind"),
    ],
)
def test_a_wrong_space_is_refused_in_one_line(entry: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Space.read([entry], plain(compose("train", [])))


def test_a_damaged_study_is_named_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before it is opened, and while it is in use: no second look mends a file."""
    opened = shared(tmp_path)
    opened.lay_out()
    opened.storage.engine.dispose()
    path, page = tmp_path / "study.db", 4096
    sound = path.read_bytes()
    path.write_bytes(sound[:page] + b"\xff" * (len(sound) - page))
    with pytest.raises(InputError, match=r"storage: .*study\.db is damaged: "):
        opened.slots()
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    for damaged in (path.read_bytes(), b"no database" * 999):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match=r"storage: cannot open .*study\.db"):
            shared(tmp_path)
    assert waits == []


def test_values_are_written_as_on_the_command_line() -> None:
    values = {"a": None, "b": True, "c": 1e-05, "d": "[3,3]", "e": "none"}
    assert overrides(values) == ["a=null", "b=true", "c=1e-05", "d=[3,3]", "e=none"]
    grid = Space((Dimension("x", "log", 1.0, 100.0, points=3), Dimension("y", "int", 1, 5, 2)))
    assert len(grid.combinations()) == 9
    assert grid.combinations()[4] == pytest.approx({"x": 10.0, "y": 3})


def test_the_line_gives_back_the_config() -> None:
    tiny = [o for o in TINY if not o.startswith("figures")]  # no part of what a run is
    cfg = compose("train", [*tiny, "experiment=zhang2026", "trainer=gpu", "seed=3"])
    best = changed_config(cfg, ["task.optimizer.lr=0.0123", "model.skip_connections=add"])
    line = shlex.split(shlex.join(train_line(best)))
    again, wanted = flat_config(compose("train", line)), flat_config(best)
    assert {k: v for k, v in again.items() if k != "name"} == {
        k: v for k, v in wanted.items() if k != "name"
    }


def test_a_sweep_in_this_process(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    main(["sweep", *SMALL, "sweep.n_trials=4", "figures.draw=true", f"out_dir={out}"])
    table = read_table(out / "trials.csv")
    assert list(table["state"]) == ["finished"] * 4
    assert table["task.optimizer.lr"].nunique() == 4
    best = table.loc[table["val_loss"].idxmin()]
    epochs = pd.read_csv(Path(best["folder"]) / "epochs.csv")
    assert best["val_loss"] == pytest.approx(epochs["val/loss"].min())
    # Trials are runs without scores: the test part stays unseen.
    left = {p.name for p in Path(best["folder"]).iterdir()}
    assert {"config.yaml", "epochs.csv", "checkpoints"} <= left
    assert not left & {"metrics.json", "results.csv", "figures"}
    assert OmegaConf.load(out / "best.yaml").task.optimizer.lr == best["task.optimizer.lr"]
    for name in ("parallel", "history", "importance"):
        assert iio.imread(out / "figures" / f"{name}.png").std() > 10  # something is drawn
    # Given again, nothing is run again; a larger budget adds the difference.
    before = (out / "trials" / "0001" / "epochs.csv").stat().st_mtime_ns
    main(["sweep", *SMALL, "sweep.n_trials=5", f"out_dir={out}"])
    assert len(pd.read_csv(out / "trials.csv")) == 5
    assert (out / "trials" / "0001" / "epochs.csv").stat().st_mtime_ns == before
    with pytest.raises(SystemExit):
        main(["sweep", *SMALL, "trainer.max_epochs=3", f"out_dir={out}"])
    assert "trainer.max_epochs is 2 there and 3 here" in capsys.readouterr().err


def test_a_recording_that_changed_stops_a_sweep_before_any_trial(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out, path = tmp_path / "out", tmp_path / "rec.h5"
    small = [o for o in SMALL if not o.startswith("recording")] + ["trainer.max_epochs=1"]
    command = ["sweep", *small, "recording=native", f"recording.path={path}", f"out_dir={out}"]
    simulated = ["recording=simulated_small", "recording.stimulus.frame.resolution=0.5"]
    first = build_recording(compose("train", simulated))
    write_recording(first, path)
    main([*command, "sweep.n_trials=1"])
    storage = f"sqlite:///{out / 'study.db'}"
    study = optuna.load_study(study_name="sweep", storage=storage)
    assert study.user_attrs["recording"] == first.checksum
    other = build_recording(compose("train", [*simulated, "recording.seed=5"]))
    path.unlink()
    write_recording(other, path)
    capsys.readouterr()
    with pytest.raises(SystemExit) as stop:
        main([*command, "sweep.n_trials=2"])
    assert stop.value.code == 2
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert first.checksum[:12] in line
    assert other.checksum[:12] in line
    states = [t.state for t in optuna.load_study(study_name="sweep", storage=storage).trials]
    assert states == [TrialState.COMPLETE, TrialState.WAITING]
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    with pytest.raises(InputError, match=f"{first.checksum[:12]} there and {other.checksum[:12]}"):
        work_in(str(out))  # as a worker process does
    states = [t.state for t in optuna.load_study(study_name="sweep", storage=storage).trials]
    assert states == [TrialState.COMPLETE, TrialState.WAITING]


def test_a_worker_that_refuses_says_why_and_is_not_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    worker = tmp_path / "worker"
    worker.write_text("#!/bin/sh\necho another recording >&2\nexit 2\n")
    worker.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(worker))
    launcher = LocalLauncher()
    launcher.start(tmp_path, 2)
    end = time.monotonic() + 60
    while launcher.alive():
        assert time.monotonic() < end
    shown = capsys.readouterr().err
    for index in range(2):
        assert f"worker {index} ended: another recording; see" in shown
    assert launcher.restarts == 3


def test_a_sweep_of_an_earlier_version_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = "mua_decode.commands.sweep_launch.LocalLauncher"
    short = ["sweep.n_trials=1", "trainer.max_epochs=1"]
    cfg = compose("sweep", [*SMALL, *short, "data.split.stream=shared"])
    cfg.launcher._target_, cfg.out_dir = target, str(tmp_path)
    assert instantiate(cfg.launcher, place="launcher") == LocalLauncher(restarts=3)
    (tmp_path / "sweep.yaml").write_text(OmegaConf.to_yaml(cfg))
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    work_in(str(tmp_path))
    # That version named no stream of the split, nor the recording.
    del cfg.data.split.stream
    (tmp_path / "sweep.yaml").write_text(OmegaConf.to_yaml(cfg))
    study = optuna.load_study(study_name="sweep", storage=f"sqlite:///{tmp_path / 'study.db'}")
    options = {k: v for k, v in study.user_attrs["config"].items() if k != "data.split.stream"}
    study.set_user_attr("config", options)
    study.set_user_attr("recording", None)
    main(["sweep", *SMALL, *short, f"out_dir={tmp_path}"])
    assert pd.read_csv(tmp_path / "trials.csv")["attempts"].tolist() == [1]
    assert OmegaConf.load(tmp_path / "sweep.yaml").data.split.stream == "shared"


def test_a_sweep_goes_on_where_its_recording_has_moved_to(tmp_path: Path) -> None:
    small = [o for o in SMALL if not o.startswith("recording")] + ["trainer.max_epochs=1"]
    options = ["recording=simulated_small", "recording.stimulus.frame.resolution=0.5"]
    recording = build_recording(compose("train", options))
    for number, name in enumerate(("a.h5", "b.h5")):
        write_recording(recording, tmp_path / name)
        place = ["recording=native", f"recording.path={tmp_path / name}"]
        trials = [f"sweep.n_trials={number + 1}", f"out_dir={tmp_path / 'out'}"]
        main(["sweep", *small, *place, *trials])
    assert pd.read_csv(tmp_path / "out" / "trials.csv")["state"].tolist() == ["finished"] * 2


def test_an_interrupted_trial_goes_on_only_as_the_same_run(tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = ["sweep", *SMALL, "trainer.max_epochs=1", "sweep.n_trials=1", f"out_dir={out}"]
    main(command)
    (first,) = pd.read_csv(out / "trials.csv").to_dict("records")
    folder = RunFolder(out / "trials" / "0000")
    (out / "study.db").unlink()  # the same seed draws the same values: it goes on and is at its end
    before = (folder.checkpoints / "last.ckpt").stat().st_mtime_ns
    main(command)
    (again,) = pd.read_csv(out / "trials.csv").to_dict("records")
    assert (again["val_loss"], again["state"]) == (first["val_loss"], "finished")
    assert (folder.checkpoints / "last.ckpt").stat().st_mtime_ns == before
    (out / "study.db").unlink()
    cfg = folder.load_config()
    cfg.task.optimizer.lr = 0.5
    folder.save_config(cfg)
    with pytest.raises(SystemExit):
        main(command)
    reason = pd.read_csv(out / "trials.csv")["reason"][0]
    assert "0000 holds another run: task.optimizer.lr is 0.5 there and" in reason


def test_hopeless_trials_are_stopped_early(tmp_path: Path) -> None:
    out = tmp_path / "out"
    rates = "sweep.space=[{option:task.optimizer.lr,kind:categorical,choices:[0.01,1e-9]}]"
    main(
        [
            "sweep",
            *[o for o in SMALL if o != SPACE and "sweep.space" not in o],
            rates,
            "sweep.grid=true",
            "sweep.n_trials=2",
            f"out_dir={out}",
            "trainer.max_epochs=4",
            "sweep.pruner.n_startup_trials=1",
            "sweep.pruner.n_warmup_steps=1",
        ]
    )
    table = pd.read_csv(out / "trials.csv").set_index("trial")
    assert list(table["state"]) == ["finished", "stopped"]
    assert list(table["epochs"]) == [4, 2]
    assert (Path(table["folder"][1]) / "checkpoints" / "last.ckpt").is_file()


@pytest.mark.slow
def test_a_killed_worker_loses_no_trial_and_none_is_run_twice(tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = [sys.executable, "-m", "mua_decode", "sweep", *SMALL, "trainer.max_epochs=4"]
    options = ["sweep.n_trials=12", "workers=2", "sweep.heartbeat_s=1", "sweep.grace_s=4"]
    with subprocess.Popen([*command, *options, f"out_dir={out}"]) as sweep:
        killed = _kill_one(out, done=5, limit_s=400)
        assert sweep.wait(600) == 0
    table = pd.read_csv(out / "trials.csv")
    assert len(table) == 12
    assert set(table["state"]) <= {"finished", "stopped"}
    assert table["attempts"].sum() == 13  # the killed one was begun twice, all others once
    storage = f"sqlite:///{out / 'study.db'}"
    trials = optuna.load_study(study_name="sweep", storage=storage).get_trials()
    ended = [t for t in trials if t.state in (TrialState.COMPLETE, TrialState.PRUNED)]
    assert len(ended) == 12
    assert len({tuple(t.params.items()) for t in ended}) == 12
    (dead,) = [t for t in trials if t.state == TrialState.FAIL]
    assert dead.user_attrs["worker"].endswith(f":{killed}")
    (again,) = [t for t in ended if t.user_attrs.get("retry_of") == dead.number]
    assert again.params == dead.params


def _kill_one(out: Path, *, done: int, limit_s: float) -> int:
    """SIGKILL a worker in the middle of a trial once ``done`` trials have ended."""
    storage, end = f"sqlite:///{out / 'study.db'}", time.monotonic() + limit_s
    while time.monotonic() < end:
        time.sleep(0.2)
        if not (out / "sweep.yaml").is_file():
            continue
        trials = optuna.load_study(study_name="sweep", storage=storage).get_trials()
        at_work = [t for t in trials if t.state == TrialState.RUNNING and "worker" in t.user_attrs]
        if sum(t.state.is_finished() for t in trials) >= done and at_work:
            worker = int(at_work[0].user_attrs["worker"].rpartition(":")[2])
            os.kill(worker, signal.SIGKILL)
            return worker
    raise AssertionError("the sweep did not get so far")


@pytest.mark.slow
def test_submitit_runs_workers_in_two_processes(tmp_path: Path) -> None:
    pytest.importorskip("submitit")
    out = tmp_path / "out"
    main(
        [
            "sweep",
            *SMALL,
            "sweep.n_trials=4",
            "workers=2",
            f"out_dir={out}",
            "launcher=submitit",
            "launcher.cluster=local",
            "launcher.gpus=0",
            "launcher.time_min=5",
            "launcher.cpus=1",
        ]
    )
    table = pd.read_csv(out / "trials.csv")
    assert list(table["state"]) == ["finished"] * 4
    assert table["attempts"].sum() == 4
    assert len(list((out / "jobs").glob("*_result.pkl"))) == 2
