from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mua_decode.commands.main import COMMANDS, main
from mua_decode.recordings import write_recording
from mua_decode.types import Recording
from tests.stored_run import write_run

SMALL = "recording=simulated_small"


def fails(capsys: pytest.CaptureFixture[str], *args: str) -> str:
    with pytest.raises(SystemExit) as stop:
        main(list(args))
    assert stop.value.code == 2
    lines = [
        line
        for line in capsys.readouterr().err.splitlines()
        if line.startswith("mua-decode: ") or "Traceback" in line
    ]
    assert len(lines) == 1
    return lines[0]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["trian"], "there is no command 'trian' (did you mean 'train'?)"),
        (["train", "model.widht=3"], "'model.widht' is not an option of train (did you mean"),
        (["train", "modl=mlp_decoder"], "'modl' is not an option of train (did you mean 'model'?)"),
        (["train", "+foo=1"], "'foo' is not an option of train"),
        (
            ["train", "model=mlp_decoder", "model.spike_hidden=8"],
            "'model.spike_hidden' is not an option of train (did you mean 'model.hidden_sizes'?)",
        ),
        (["train", "size=reduced"], "'size' is not an option of train"),
        (["train", "metric=[ident]"], "metric=ident: there is no such metric (did you mean 'ide"),
        (["train", "recording=simulatd"], "(did you mean 'simulated'?)"),
        (["train", "experiment=zhang"], "(did you mean 'zhang2026'?)"),
        (["adopt", "weights=x", "figures.draw=false"], "'figures' is not an option of adopt"),
        (
            ["train", "model.width=wide"],
            "model.width: expected a whole number such as 32, found 'wide'",
        ),
        (["train", "data.pseudo.fresh=7"], "data.pseudo.fresh: expected true or false"),
        (["train", "seed=-1"], "seed: expected a whole number >= 0, found -1"),
        (["train", "seed=true"], "seed: expected a whole number >= 0, found True"),
        (["train", "--fast"], "unknown flag --fast"),
        (["train", "recording=v1_movies"], "recording.root is not set"),
        (["train", SMALL, "data.regions=[v4]"], "region 'v4' is not in this recording (did you"),
        (["train", SMALL, "data.window.width_s=9"], "longer than the trial (4.5 s)"),
        (["train", SMALL, "data.window.width_s=0.05"], "must be at least step_s"),
        (["train", SMALL, "data.split.n_folds=90"], "20 trials are fewer than n_folds=90"),
        (["train", SMALL, "data.sites_per_region=99"], "fewer than the 99 asked for"),
        (
            ["train", SMALL, "task.optimizer._target_=os.system"],
            "is named by no config of mua_decode",
        ),
        (["train", SMALL, "ckpt_path=/nowhere.ckpt"], "no such checkpoint: /nowhere.ckpt"),
        (["train", SMALL, "run_dir=/proc/nowhere"], "run_dir: cannot write to /proc/nowhere"),
        (["evaluate"], "run_dir is not set"),
        (["evaluate", "run_dir=/"], "/ holds no run (no config.yaml)"),
        (["evaluate", "part=tset"], "did you mean 'test'?"),
        (["inspect", "recording=native"], "recording.path is not set"),
        (["inspect", "recording=native", "recording.path=/x.h5"], "no such file: /x.h5"),
        (["simulate", "recording=simulated_small", "out=/proc/x/y.h5"], "cannot write to"),
    ],
)
def test_bad_input_is_said_in_one_line(
    args: list[str], message: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    if args[:1] == ["train"] and not any(a.startswith("run_dir") for a in args):
        args = [*args, f"run_dir={tmp_path / 'run'}"]
    assert message in fails(capsys, *args)
    assert not list(tmp_path.rglob("metrics.json"))
    assert not list(tmp_path.rglob("*.ckpt"))


def test_debug_shows_the_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["train", "recording=v1_movies", "--debug"])
    assert "Traceback" in capsys.readouterr().err


def test_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    from mua_decode.runs.config import declared, groups

    main([])
    overview = capsys.readouterr().out
    for command in COMMANDS:
        assert command in overview
        main([command, "--help"])
        text = capsys.readouterr().out
        assert f"conf/{command}.yaml" in text
        listed = re.findall(r"^  (\w+)=", text.partition("config groups:")[2], re.MULTILINE)
        assert set(listed) == declared(command) & set(groups())


def test_every_option_of_every_group_composes() -> None:
    from mua_decode.runs.config import compose, groups

    for group in ("recording", "data", "model", "loss", "task", "trainer", "logger"):
        for option in groups()[group]:
            assert group in compose("train", [f"{group}={option}"])
    for experiment in groups()["experiment"]:
        assert compose("train", [f"experiment={experiment}"]).name == experiment


def test_an_existing_run_is_not_overwritten(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "last.ckpt").touch()
    assert "already holds a run" in fails(capsys, "train", SMALL, f"run_dir={tmp_path}")


def test_simulate_then_inspect(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "sim.h5"
    main(["simulate", SMALL, f"out={path}"])
    main(["inspect", "recording=native", f"recording.path={path}"])
    text = capsys.readouterr().out
    for word in ("8 conditions", "session01", "V4", "loss weight 5", "sha256 videos"):
        assert word in text


def test_inspect_takes_the_line_of_a_training(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    line = ["experiment=noise_canary", "recording.population.trials_per_condition=4", "seed=3"]
    shown = tmp_path / "rates.png"
    ignored = ["trainer.max_epochs=1", f"run_dir={tmp_path / 'r'}"]
    main(["inspect", *line, *ignored, f"activity={shown}"])
    assert shown.is_file()
    text = capsys.readouterr().out
    assert "16 conditions" in text
    assert "mua-decode train experiment=noise_canary" in text
    assert not (tmp_path / "r").exists()
    assert "no such experiment" in fails(capsys, "inspect", "experiment=nope")


def test_every_command_has_a_script() -> None:
    scripts = Path(__file__).parents[2] / "scripts"
    assert {p.stem for p in scripts.glob("*.py")} == set(COMMANDS)
    done = subprocess.run(
        [sys.executable, str(scripts / "inspect.py"), "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "mua-decode inspect" in done.stdout


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "a"
    write_run(folder)
    (folder / "metrics.json").write_text("{}")  # as if it were finished
    return folder


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["evaluate", "device=cuda"], "device=cuda: this machine has no CUDA device"),
        (["evaluate", "out_dir=/proc/no"], "out_dir: cannot write to /proc/no"),
        (["encode", "out_dir=/proc/no"], "out_dir: cannot write to /proc/no"),
        (["crossval", "out_dir=/proc/no"], "out_dir: cannot write to /proc/no"),
        (["export", "format=torch", "out=/proc/no/x.pt2"], "out: cannot write to /proc/no"),
        (["generalise", "held_out=foo"], "held_out: is a group of options (held_out.combinations"),
        (["encode", "bands=foo"], "bands: expected a list of [low, high] in Hz, found foo"),
        (["crossval", "n_folds=500"], "4 trials are fewer than n_folds=500"),
    ],
)
def test_a_question_that_cannot_be_asked_is_said_in_one_line(
    run: Path, args: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if "device=cuda" in args and torch.cuda.is_available():
        pytest.skip("this machine has a CUDA device")
    line = fails(capsys, args[0], f"run_dir={run}", *args[1:])
    assert message in line
    assert "could be trained" not in line  # said before any is tried
    assert not list(run.rglob("fold_*"))


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["train", "seed=12345678901234567890123"], "seed: expected at most 9223372036854775807"),
        (["train", "model.kernel_sizes=3"], "model.kernel_sizes: expected a list such as [7, 5"),
        (["reproduce", "steps=[decodr]"], "there is no step 'decodr' (did you mean 'decoder'?)"),
        (["simulate", "out="], "out is not set; give a file: out=FILE.h5"),
    ],
)
def test_what_is_wrong_is_said_before_the_recording_is_read(
    args: list[str], message: str, capsys: pytest.CaptureFixture[str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        main([*args, SMALL])
    assert stop.value.code == 2
    said = capsys.readouterr().err
    assert message in said
    assert "reading the recording" not in said
    assert not list(tmp_path.iterdir())


def test_names_are_shown_on_a_terminal_that_has_no_sign_for_them(
    recording: Recording, tmp_path: Path
) -> None:
    write_recording(replace(recording, name="größe ² 味"), tmp_path / "ä.h5")
    ascii_only = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    command = [sys.executable, "-m", "mua_decode", "inspect", "recording=native"]
    done = subprocess.run(
        [*command, f"recording.path={tmp_path / 'ä.h5'}"],
        capture_output=True,
        check=False,
        env=os.environ | ascii_only,
    )
    assert done.returncode == 0, done.stderr
    assert b"gr??e" in done.stdout or b"gr?e" in done.stdout


def test_steps_are_those_that_are_known() -> None:
    from mua_decode.reproduce import steps
    from mua_decode.reproduce.plan import STEPS

    source = Path(steps.__file__).read_text(encoding="utf-8")
    assert set(re.findall(r'step\(\s*"(\w+)"', source)) == set(STEPS)
