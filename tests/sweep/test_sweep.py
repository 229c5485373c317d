"""Sweeps: the budget is shared and exact, dead workers lose nothing, the best can be trained."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import optuna
import pandas as pd
import pytest
from omegaconf import OmegaConf
from optuna.trial import TrialState

from mua_decode.commands.main import main
from mua_decode.runs.config import compose
from mua_decode.runs.variants import changed_config, flat_config
from mua_decode.sweep.space import Dimension, Space, overrides
from mua_decode.sweep.study import SharedStudy
from mua_decode.sweep.summary import train_line
from mua_decode.types import InputError
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


def shared(folder: Path, **options: int) -> SharedStudy:
    return SharedStudy(f"sqlite:///{folder / 's.db'}", "s", **options)


@pytest.fixture(autouse=True)
def quiet() -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)


def test_many_workers_take_every_slot_once(tmp_path: Path) -> None:
    shared(tmp_path)
    taken: list[int] = []

    def take() -> None:
        mine = shared(tmp_path)
        mine.lay_out(12)  # all lay out at once: surplus trials must not count
        while (slot := mine.claim(12)) is not None:
            taken.append(slot.number)
            mine.finish(slot, TrialState.COMPLETE, float(slot.number))

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == list(range(12))
    assert all(s.done for s in shared(tmp_path).slots(12))


def test_a_silent_trial_is_run_again_once_with_the_same_values(tmp_path: Path) -> None:
    study = shared(tmp_path, heartbeat_s=1, grace_s=2, retries=1)
    study.lay_out(2)
    slot = study.claim(2)
    assert slot is not None
    space = Space((Dimension("a", "float", 0.0, 1.0),))
    values = space.suggest(study.trial(slot, optuna.samplers.RandomSampler(seed=1)))
    assert study.slots(2)[0].trial.state == TrialState.RUNNING
    time.sleep(3.2)
    others = [shared(tmp_path, heartbeat_s=1, grace_s=2, retries=1) for _ in range(2)]
    for other in others:
        other.revive(2)
        other.revive(2)
    assert not study.runs(slot)
    again = others[0].claim(2)
    assert again is not None
    assert (again.number, again.attempts) == (0, 2)
    assert space.suggest(study.trial(again, optuna.samplers.RandomSampler(seed=9))) == values
    # Dead once more: given up, with a reason, and never a third time.
    time.sleep(3.2)
    for other in others:
        other.revive(2)
    first = study.slots(2)[0]
    assert first.failed
    assert "died" in first.trial.user_attrs["reason"]
    last = study.claim(2)
    assert last is not None
    assert last.number == 1


def test_a_released_trial_waits_for_the_next(tmp_path: Path) -> None:
    study = shared(tmp_path)
    study.lay_out(1)
    slot = study.claim(1)
    assert slot is not None
    assert study.claim(1) is None
    study.release(slot)
    again = study.claim(1)
    assert again is not None
    assert again.number == slot.number


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
        Space.read([entry], compose("train", []))


def test_values_are_written_as_on_the_command_line() -> None:
    values = {"a": None, "b": True, "c": 1e-05, "d": "[3,3]", "e": "none"}
    assert overrides(values) == ["a=null", "b=true", "c=1e-05", "d=[3,3]", "e=none"]
    grid = Space((Dimension("x", "log", 1.0, 100.0, points=3), Dimension("y", "int", 1, 5, 2)))
    assert len(grid.combinations()) == 9
    assert grid.combinations()[4] == pytest.approx({"x": 10.0, "y": 3})


def test_the_line_gives_back_the_config() -> None:
    cfg = compose("train", [*TINY, "experiment=zhang2026", "trainer=gpu", "seed=3"])
    best = changed_config(cfg, ["task.optimizer.lr=0.0123", "model.skip_connections=add"])
    line = shlex.split(shlex.join(train_line(best)))
    again, wanted = flat_config(compose("train", line)), flat_config(best)
    assert {k: v for k, v in again.items() if k != "name"} == {
        k: v for k, v in wanted.items() if k != "name"
    }


def test_a_sweep_in_this_process(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    main(["sweep", *SMALL, "sweep.n_trials=4", f"out_dir={out}"])
    table = pd.read_csv(out / "trials.csv")
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
        assert (out / "figures" / f"{name}.png").stat().st_size > 5000
    # Given again, nothing is run again; a larger budget adds the difference.
    before = (out / "trials" / "0001" / "epochs.csv").stat().st_mtime_ns
    main(["sweep", *SMALL, "sweep.n_trials=5", f"out_dir={out}"])
    assert len(pd.read_csv(out / "trials.csv")) == 5
    assert (out / "trials" / "0001" / "epochs.csv").stat().st_mtime_ns == before
    with pytest.raises(SystemExit):
        main(["sweep", *SMALL, "trainer.max_epochs=3", f"out_dir={out}"])
    assert "trainer.max_epochs is 2 there and 3 here" in capsys.readouterr().err


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
