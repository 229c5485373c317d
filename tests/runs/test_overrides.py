"""Changes of a run's config: a mistyped one is refused, whatever command it is given to."""

from __future__ import annotations

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from mua_decode.commands.main import main
from mua_decode.runs.config import changed_config, compose
from mua_decode.types import InputError
from tests.stored_run import write_run


@pytest.fixture(scope="module")
def config():
    cfg = compose("train", ["recording=simulated_small"])
    OmegaConf.set_struct(cfg, False)
    return cfg


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("modle.width=3", "'modle' is not an option of the run (did you mean 'model'?)"),
        (
            "model.widht=3",
            "'model.widht' is not an option of the run (did you mean 'model.width'?)",
        ),
        ("trainer.max_epohcs=3", "(did you mean 'trainer.max_epochs'?); +trainer.max_epohcs=..."),
        ("metric.mse.fo=1", "'metric.mse.fo' is not an option of the run"),
        ("task.optimizer.momentum=.9", "+task.optimizer.momentum=... adds it"),
        ("logger.project=1", "'logger.project' is not an option of the run"),
        ("+modle.width=3", "'modle' is not an option of the run"),
        ("width", "'width' is not written name=value"),
    ],
)
def test_what_no_config_has_is_refused(config, change: str, said: str) -> None:
    with pytest.raises(InputError) as raised:
        changed_config(config, [change])
    assert said in str(raised.value)


@pytest.mark.parametrize(
    "change",
    ["model.width=3", "early_stopping=3", "+task.optimizer.momentum=.9", "metric=[mse]",
     "metric.mse._target_=x", "model=mlp_decoder", "data.regions=[MT]"],
)  # fmt: skip
def test_what_a_config_has_is_changed(config, change: str) -> None:
    assert changed_config(config, [change]) != config


def test_an_option_that_is_newer_than_the_run_is_known(config) -> None:
    earlier = config.copy()
    del earlier.data.split["stream"], earlier["early_stopping"]
    changed = changed_config(earlier, ["data.split.stream=own", "early_stopping=2"])
    assert (changed.data.split.stream, changed.early_stopping) == ("own", 2)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "a"
    write_run(folder)
    return folder


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("evaluate", ["out_dir={out}"]),
        ("decode", ["recording=simulated_small", "out={out}"]),
        ("export", ["out={out}.pt2", "format=torch"]),
        ("ablate", ["out_dir={out}"]),
        ("encode", ["out_dir={out}"]),
        ("crossval", ["out_dir={out}"]),
    ],
)
def test_every_command_refuses_a_mistyped_change(
    run: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    command: str,
    options: list[str],
) -> None:
    given = [o.format(out=tmp_path / "out") for o in options]
    for change, said in (
        ("overrides=['trainer.max_epohcs=3']", "(did you mean 'trainer.max_epochs'?)"),
        ("overrides=trainer.max_epochs=3", "overrides='[\"trainer.max_epochs=3\"]'"),
    ):
        with pytest.raises(SystemExit) as stopped:
            main([command, f"run_dir={run}", *given, change])
        assert stopped.value.code == 2
        assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_config_file_that_has_changed_is_read_anew(tmp_path: Path) -> None:
    own = tmp_path / "model" / "own.yaml"
    own.parent.mkdir()
    asked = ["recording=simulated_small", "model=own", f"hydra.searchpath=[{tmp_path}]"]
    for width in (3, 57):
        own.write_text(f"_target_: mua_decode.models.VideoUNet\nwidth: {width}\n")
        found = compose("train", asked)
        assert found.model.width == width
        found.model.width = 1  # a change of what is composed stays with it
        assert compose("train", asked).model.width == width
