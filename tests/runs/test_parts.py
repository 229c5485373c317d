"""Metrics, floors and callbacks of a config, ours and others."""

from __future__ import annotations

import ast
from functools import partial
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf

import mua_decode
from mua_decode.commands.main import main
from mua_decode.losses import MSELoss, SSIMLoss, SSIMMSELoss
from mua_decode.runs.instantiate import instantiate
from mua_decode.runs.parts import build_callbacks, build_floors, build_metrics
from mua_decode.runs.search_path import folders_asked
from mua_decode.runs.stored import without_command_line
from mua_decode.runs.stored_paths import absolute, beside
from mua_decode.types import InputError
from tests.tiny import TINY

LIGHTNING = "pytorch_lightning.callbacks"


def test_callbacks_of_a_folder() -> None:
    kept = {
        "ema": {"_target_": f"{LIGHTNING}.EMAWeightAveraging", "decay": 0.9},
        "checkpoints": {"_target_": "mua_decode.runs.checkpoints.EveryEpochs", "every_n_epochs": 2},
    }
    out = {
        "elsewhere": {"_target_": f"{LIGHTNING}.ModelCheckpoint", "dirpath": "/tmp/x"},
        "lr_monitor": {"_target_": f"{LIGHTNING}.LearningRateMonitor"},
        "nested": {"_target_": f"{LIGHTNING}.EarlyStopping", "monitor": {"_target_": "os.system"}},
        "more": {"_target_": f"{LIGHTNING}.EarlyStopping", "strict": False},
        "text": "os.system",
    }
    cfg, left_out = without_command_line(OmegaConf.create({"callbacks": kept | out}))
    assert cfg.callbacks == kept
    assert left_out == [f"callbacks.{name}" for name in out]


@pytest.mark.parametrize(
    ("part", "target", "message"),
    [
        ("metric", "collections.OrderedDict", "metric.x: is no VideoMetric, it lacks name"),
        ("floor", "collections.OrderedDict", "floor.x: is no Floor, it lacks fit"),
        (
            "callbacks",
            "collections.OrderedDict",
            "OrderedDict is no Lightning callback",
        ),
        ("callbacks", "mua_decode.models.MLPDecoder", "cannot stand in the place of a callbacks"),
        ("metric", "os.system", "metric.x: _target_: os.system is named by no config"),
    ],
)
def test_what_is_no_part_is_said(part: str, target: str, message: str) -> None:
    cfg = OmegaConf.create({part: {"x": {"_target_": target}}, "trusted": ["collections"]})
    build = {
        "metric": build_metrics,
        "floor": build_floors,
        "callbacks": partial(build_callbacks, logged=False, first=True),
    }[part]
    with pytest.raises(InputError, match=message):
        build(cfg)


@pytest.mark.parametrize("place", ["sweep", "launcher", "callbacks"])
def test_trust_reaches_every_place_but_those_with_a_list(place: str) -> None:
    cfg = OmegaConf.create({"_target_": "fractions.Fraction", "numerator": 3})
    assert instantiate(cfg, trusted=["fractions"], place=place) == 3
    for listed in ("trainer", "logger"):
        with pytest.raises(InputError, match="cannot stand in the place"):
            instantiate(cfg, trusted=["fractions"], place=listed)


def test_losses_of_one_term() -> None:
    generator = torch.Generator().manual_seed(0)
    a, b = torch.rand(2, 3, 1, 4, 12, 12, generator=generator)
    weights = [1.0, 2.0, 2.0, 5.0]
    both = SSIMMSELoss(weights, data_range=1.0, normalisation="mean")
    terms = both.terms(a, b)
    single = SSIMLoss(weights, data_range=1.0, normalisation="mean")(a, b)
    torch.testing.assert_close(single, terms.dissimilarity)
    by_frame = (a - b).square().mean(dim=(0, 1, 3, 4))
    expected = (by_frame * torch.tensor(weights)).sum() / 10
    torch.testing.assert_close(MSELoss(weights, normalisation="mean")(a, b), expected)
    summed = MSELoss(weights, normalisation="sum")(a, b)
    torch.testing.assert_close(summed, expected * 10 * 144)
    assert MSELoss(weights, normalisation="mean")(a, a) == 0
    with pytest.raises(ValueError, match="T = 4"):
        MSELoss(weights, normalisation="mean")(a[:, :, :3], b[:, :, :3])


def test_paths_are_stored_so_that_a_run_opens_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "r.h5").touch()
    (tmp_path / "simulation").touch()
    monkeypatch.chdir(tmp_path)
    recording = {"path": "data/r.h5", "name": "simulation", "films": ["data/r.h5", "not/there"]}
    cfg = OmegaConf.create({"recording": recording, "run_dir": "data", "name": "data/r.h5"})
    found = absolute(cfg)
    here = str(tmp_path / "data" / "r.h5")
    assert found.recording == {"path": here, "name": "simulation", "films": [here, "not/there"]}
    assert (found.run_dir, found.name) == (str(tmp_path / "data"), "data/r.h5")
    assert cfg.recording.path == "data/r.h5"
    monkeypatch.chdir("/")
    handed_on = OmegaConf.create({"recording": {"path": "r.h5"}})
    assert beside(handed_on, tmp_path / "data").recording.path == here
    assert beside(handed_on, tmp_path).recording.path == "r.h5"


def test_a_package_of_configs_is_searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lab_of_configs" / "conf").mkdir(parents=True)
    (tmp_path / "lab_of_configs" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    folders, rest = folders_asked(["seed=1", "hydra.searchpath=[pkg://lab_of_configs.conf,/x]"])
    assert folders == [tmp_path / "lab_of_configs" / "conf", Path("/x")]
    assert rest == ["seed=1"]
    with pytest.raises(InputError, match="there is no package nowhere_at_all"):
        folders_asked(["hydra.searchpath=[pkg://nowhere_at_all]"])


def test_whatever_is_built_is_told_what_is_trusted() -> None:
    package = Path(mua_decode.__file__).parent
    calls = [
        (path.relative_to(package), call)
        for path in sorted(package.rglob("*.py"))
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call)
        and "instantiate" in {getattr(call.func, "id", ""), *(ast.unparse(a) for a in call.args)}
    ]
    untold = [
        f"{path}:{call.lineno}"
        for path, call in calls
        if "trusted" not in (told := {k.arg: ast.unparse(k.value) for k in call.keywords})
        and told.get("place") != "'trainer'"  # which reaches the network, and is ours alone
    ]
    assert len(calls) > 12
    assert untold == []


def test_a_training_that_stopped_early_is_not_gone_on_with(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = [
        "train", *TINY, "metric=[mse]", "floor=[]", "trainer.max_epochs=9",
        "callbacks=[early_stopping]",
        "callbacks.early_stopping.min_delta=100", "callbacks.early_stopping.patience=1",
        f"run_dir={tmp_path}", "ckpt_path=auto",
    ]  # fmt: skip
    epochs = []
    for _ in range(3):
        main(asked)
        epochs.append(len((tmp_path / "epochs.csv").read_text().splitlines()) - 1)
        assert "stopped early after 2 of 9 epochs" in capsys.readouterr().err
    assert epochs == [2, 2, 2]
