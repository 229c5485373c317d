from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from omegaconf import OmegaConf

from mua_decode.analyses.encode.command import encode_again
from mua_decode.commands.main import main
from mua_decode.figures import FigureStyle, styled
from mua_decode.runs.config import compose
from mua_decode.runs.encoding import encoding_config, encoding_run
from mua_decode.runs.epochs import TrainingProgress
from mua_decode.runs.run import Run
from mua_decode.types import COLUMNS, N_UNIT, InputError
from tests.counted import uncounted
from tests.tiny import TINY

QUICK = ["score.splits=5", "score.noise_videos=12", "trainer.max_epochs=1"]


UNDRAWN = "figures.draw=false"


@pytest.fixture(autouse=True)
def undrawn() -> Iterator[None]:
    """Figures are looked at once; without a command nothing says how they are drawn."""
    with styled(FigureStyle(draw=False)):
        yield


def train(folder: Path, *overrides: str) -> Path:
    few = ["trainer.max_epochs=1", "metric=[mse]", "floor=[]"]
    main(["train", *TINY, *few, f"run_dir={folder}", *overrides])
    return folder


def encode(folder: Path, *overrides: str) -> dict:
    main(["encode", f"run_dir={folder}", *QUICK, *overrides])
    return json.loads((folder / "encoding" / "metrics.json").read_text())


def copy_of(run: Path, folder: Path) -> Path:
    """A run that was trained but not encoded."""
    return Path(shutil.copytree(run, folder, ignore=shutil.ignore_patterns("encoding")))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(tmp_path_factory.mktemp("run") / "a")


@pytest.fixture(scope="module")
def encoded(trained: Path) -> dict:
    return encode(trained)


def test_an_encoding_leaves_everything_that_was_promised(trained: Path, encoded: dict) -> None:
    assert uncounted(trained / "encoding") == []
    folder = trained / "encoding"
    files = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
    named = {"config.yaml", "epochs.csv", "metrics.json", "results.csv", "sites.csv", "tests.csv"}
    named |= {"recording.json", "traces.csv", "spectra.csv", "command.json", "report.html"}
    figures = {f"figures/{n}.png" for n in ("encoding", "loss", "traces", "spectra")}
    assert files == named | figures | {"checkpoints/best.ckpt", "checkpoints/last.ckpt"}
    for key in (
        "test/single_trial/encoding_r",
        "test/trial_average/encoding_r/V4",
        "test/trial_average/encoding_r_region_time/MT",
        "floor/time_course/trial_average/encoding_r_region/V4",
        "floor/condition_mean/single_trial/encoding_r",
        "ceiling/split_half/trial_average/encoding_r/V4",
        "chance/noise_videos/trial_average/encoding_r_region/LIP",
        "chance/gaussian_videos/trial_average/encoding_r_region_time/LIP",
        "chance/gaussian_videos/trial_average/null_fraction/LIP",
    ):
        assert isinstance(encoded[key], float)
    assert encoded["bands/2-10 Hz"] == (
        "not applicable: band 2-10 Hz needs a step of at most 50 ms; "
        "this run has 100 ms (Nyquist 5 Hz)"
    )
    assert encoded["test/trial_average/band_r2_2-10Hz"] is None
    assert encoded["floor/time_course/single_trial/encoding_r"] > 0.05
    table = pd.read_csv(folder / "results.csv")
    assert tuple(table.columns) == (*COLUMNS, N_UNIT)
    assert set(table["trial"]) == {"single_trial", "trial_average"}
    sites = pd.read_csv(folder / "sites.csv")
    assert len(sites) == 28
    tests = pd.read_csv(folder / "tests.csv")
    assert tests.loc[tests["p"].notna(), ["test", "n", "n_unit", "correction"]].notna().all(None)


def test_the_model_is_that_of_the_run_unless_it_is_overridden(trained: Path, encoded: dict) -> None:
    cfg = OmegaConf.load(trained / "encoding" / "config.yaml")
    assert cfg.model._target_ == "mua_decode.models.InvertedVideoUNet"
    assert (cfg.model.width, cfg.model.spike_hidden) == (2, 16)
    assert list(cfg.model.kernel_sizes) == [3, 3, 3, 3]
    run = OmegaConf.load(trained / "config.yaml")
    assert cfg.data == run.data
    assert cfg.recording == run.recording
    out = f"out_dir={trained / 'other'}"
    main(["encode", f"run_dir={trained}", *QUICK, UNDRAWN, out, "model.width=3", "bands=[[0.5,2]]"])
    assert OmegaConf.load(trained / "other" / "config.yaml").model.width == 3
    other = json.loads((trained / "other" / "metrics.json").read_text())
    assert other["bands/0.5-2 Hz"] == "measured"
    assert isinstance(other["test/trial_average/band_r2_region_0.5-2Hz/V4"], float)


def test_an_encoding_is_trained_as_the_run_was_unless_it_is_overridden(
    trained: Path, tmp_path: Path
) -> None:
    changes = ["task=zhang2026", "trainer.gradient_clip_val=null", "trainer.max_epochs=7"]
    changes += ["trainer.accelerator=cpu", "trainer.devices=2", "weights=last"]
    source = Run.open(trained).changed([*changes, "data.batch_size=12"])
    whole = encoding_config(compose("encode", []), source)
    assert whole.task.optimizer == source.cfg.task.optimizer
    assert whole.task.optimizer._target_ == "torch.optim.Adamax"
    assert whole.task.scheduler == source.cfg.task.scheduler
    assert whole.task.scheduler_interval == "epoch"
    assert whole.task._target_ == "mua_decode.tasks.EncodeVideo"
    assert whole.trainer == {**source.cfg.trainer, "devices": 1}
    assert (whole.trainer.max_epochs, whole.trainer.gradient_clip_val) == (7, None)
    assert (whole.weights, whole.data.batch_size) == ("last", 12)
    own = ["task.optimizer.lr=0.1", "trainer.max_epochs=2", "trainer.gradient_clip_val=0.5"]
    other = encoding_config(compose("encode", [*own, "weights=best"]), source)
    assert (other.task.optimizer.lr, other.task.optimizer._target_) == (0.1, "torch.optim.Adamax")
    assert (other.trainer.max_epochs, other.trainer.gradient_clip_val) == (2, 0.5)
    assert other.weights == "best"
    whole = encoding_config(compose("encode", ["trainer=default", "task.scheduler=null"]), source)
    assert (whole.trainer.max_epochs, whole.task.scheduler) == (40, None)
    named = ["task.optimizer._target_=torch.optim.SGD", "task.optimizer.lr=0.2"]
    sgd = encoding_config(compose("encode", named), source).task.optimizer
    assert dict(sgd) == {"_target_": "torch.optim.SGD", "_partial_": True, "lr": 0.2}


def test_what_was_inherited_is_what_trains(tmp_path: Path) -> None:
    few = ["recording.population.trials_per_condition=4", "data.pseudo.per_condition=5"]
    run = train(tmp_path / "a", *few, "task=zhang2026", "weights=last")
    quick = ["score.splits=2", "score.noise_videos=4", "bands=[]", "trainer.max_epochs=4"]
    main(["encode", f"run_dir={run}", *quick, UNDRAWN])
    log = pd.read_csv(run / "encoding" / "epochs.csv")
    assert log["lr"].to_numpy() == pytest.approx([0.01, 0.01, 0.0085, 0.0085])
    last = torch.load(run / "encoding" / "checkpoints" / "last.ckpt", weights_only=True)
    assert "exp_inf" in last["optimizer_states"][0]["state"][0]  # Adamax keeps this, Adam does not


def test_sites_drawn_anew_have_no_encoding(trained: Path, tmp_path: Path) -> None:
    source = Run.open(trained).changed(["data.pseudo.draw=random_sites"])
    with pytest.raises(InputError, match=r"^encode: .* data.pseudo.draw=site"):
        encoding_run(compose("encode", QUICK), source, tmp_path / "a")


def test_an_encoding_takes_the_data_of_a_run_at_hand(
    trained: Path, encoded: dict, tmp_path: Path
) -> None:
    source = Run.open(copy_of(trained, tmp_path / "copy"), checkpoint=None)
    before = source.recording, source.data
    cfg = compose("encode", QUICK)
    run, _ = encoding_run(cfg, source, tmp_path / "beside")
    assert (run.recording, run.data) == before
    assert cfg.run_dir is None
    assert encode_again(source, tmp_path / "out", QUICK) == encoded


def test_an_encoding_is_gone_on_with_only_if_it_is_the_same(
    trained: Path, encoded: dict, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(trained, tmp_path / "copy"))
    folder, source = run / "encoding", Run.open(run)
    assert encode_again(source, folder, QUICK) == encoded
    assert len(pd.read_csv(folder / "epochs.csv")) == 1  # nothing was trained again
    line = "holds an encoding of another config: model.width is 2 there and 3 here; remove the"
    with pytest.raises(InputError, match=line):
        encode_again(source, folder, [*QUICK, "model.width=3"])
    about = json.loads((folder / "recording.json").read_text()) | {"checksum": "another"}
    (folder / "recording.json").write_text(json.dumps(about))
    with pytest.raises(InputError, match="recording: its content has changed"):
        encode_again(source, folder, QUICK)


def test_an_interrupted_encoding_goes_on_exactly(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    unbroken = encode(copy_of(trained, tmp_path / "unbroken"), "trainer.max_epochs=3", UNDRAWN)
    run = copy_of(trained, tmp_path / "broken")
    finish = TrainingProgress.on_train_epoch_end

    def stop(self: TrainingProgress, trainer, pl_module) -> None:  # type: ignore[no-untyped-def]
        finish(self, trainer, pl_module)
        if trainer.current_epoch == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(TrainingProgress, "on_train_epoch_end", stop)
    with pytest.raises(SystemExit) as stopped:
        encode(run, "trainer.max_epochs=3", UNDRAWN)
    assert stopped.value.code == 130
    assert f"go on with run_dir={run} ckpt_path=auto" in capsys.readouterr().err.replace("\n", "")
    assert not (run / "encoding" / "metrics.json").exists()
    monkeypatch.undo()
    assert encode(run, "trainer.max_epochs=3", "ckpt_path=last", UNDRAWN) == unbroken
    logs = [pd.read_csv(tmp_path / n / "encoding" / "epochs.csv") for n in ("unbroken", "broken")]
    for column in ("epoch", "train/loss", "val/loss"):
        assert logs[0][column].tolist() == pytest.approx(logs[1][column].tolist(), abs=1e-6)


def test_a_fine_step_measures_the_published_bands(tmp_path: Path) -> None:
    few = [
        "data.pseudo.per_condition=10",
        "recording.population.trials_per_condition=10",
        "data.regions=[V4]",
    ]
    metrics = encode(train(tmp_path / "fine", "data.window.step_s=0.02", *few), UNDRAWN)
    assert metrics["bin_s"] == 0.02
    for band in ("2-10Hz", "above10Hz"):
        for run in ("test", "floor/time_course", "floor/condition_mean"):
            assert metrics[f"{run}/trial_average/band_r2_{band}"] < 1
        assert isinstance(metrics[f"test/trial_average/band_r2_region_{band}/V4"], float)
    assert metrics["bands/2-10 Hz"].startswith("measured; 100 ms counts are themselves a low-pass")


@pytest.mark.parametrize(
    "changes",
    [
        ["data.split.unit=pseudo_trial"],
        ["data.split.unit=condition", "data.split.held_out=['cross*green*']"],
        ["data.regions=[MT]", "data.pseudo.draw=session", "data.root=true"],
    ],
)
def test_other_splits_and_populations(tmp_path: Path, changes: list[str]) -> None:
    metrics = encode(train(tmp_path / "r", *changes, "data.pseudo.per_condition=10"), UNDRAWN)
    assert -1 <= metrics["test/single_trial/encoding_r"] <= 1
    table = pd.read_csv(tmp_path / "r" / "encoding" / "results.csv")
    leaking = "pseudo_trial" in changes[0]
    assert metrics["leaking"] is leaking
    assert set(table["split"]) == {"test (leaking)" if leaking else "test"}


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["run_dir=null"], "run_dir is not set"),
        ([], "already holds a run; go on with it (ckpt_path=auto) or choose another out_dir"),
        (["out_dir=OUT", "model.width=0"], "width: expected at least 1, found 0"),
        (["out_dir=OUT", "model.width=wide"], "InvertedVideoUNet: "),
        (["out_dir=OUT", "model=mlp_decoder"], "model, loss or task: "),
        (
            ["out_dir=OUT", "task=decode"],
            "task: DecodeVideo predicts no activity; mua-decode encode needs task=encode",
        ),
        (["out_dir=OUT", "bands=[[10,2]]"], "with 0 < low < high"),
        (["out_dir=OUT", "score.splits=0"], "splits: expected at least 1, found 0"),
        (["out_dir=OUT", "score.alpha=2"], "alpha: expected between 0 and 1, found 2"),
        (["out_dir=OUT", "score.correction=bonferoni"], "correction: choose from holm, fdr_bh"),
        (["out_dir=OUT", "trainer.max_epochs=0"], "trainer.max_epochs: expected >= 1"),
        (["out_dir=OUT", "ckpt_path=/nowhere.ckpt"], "no such checkpoint: /nowhere.ckpt"),
        (["out_dir=OUT", "loss._target_=os.system"], "is named by no config of mua_decode"),
        (["out_dir=OUT", "model.widht=3"], "'model.widht' is not an option of encode"),
    ],
)
def test_bad_input_is_said_in_one_line(
    trained: Path, encoded: dict, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    args: list[str], message: str,
) -> None:  # fmt: skip
    out = tmp_path / "out"
    capsys.readouterr()
    with pytest.raises(SystemExit) as stop:
        main(["encode", f"run_dir={trained}", *(a.replace("OUT", str(out)) for a in args)])
    lines = [x for x in capsys.readouterr().err.splitlines() if x.startswith("mua-decode: ")]
    assert stop.value.code == 2, lines
    assert len(lines) == 1
    assert message in lines[0]
    assert not list(tmp_path.rglob("*.ckpt"))


def test_a_finer_step_measures_the_bands_that_a_coarse_one_refuses(
    trained: Path, tmp_path: Path
) -> None:
    fine = ["data.window.step_s=0.02", "data.pseudo.per_condition=5"]
    source = Run.open(trained, checkpoint=None).changed(fine)
    flat = encode_again(source, tmp_path / "fine", QUICK)
    assert flat["bin_s"] == 0.02
    assert flat["window_s"] == 0.1
    # Every bin shows the frame at the centre of its window.
    stimuli, whole = source.data.stimuli, source.recording.stimuli
    assert (source.data.n_bins, stimuli.n_frames) == (221, 221)
    frame = ((np.arange(221) * 0.02 + 0.05) / 0.1 + 1e-6).astype(int)
    np.testing.assert_array_equal(stimuli.videos[3], whole.videos[3][frame])
    for band in ("2-10Hz", "above10Hz"):
        assert flat[f"bands/{band.replace('Hz', ' Hz').replace('above', 'above ')}"].startswith(
            "measured"
        )
        for metric in ("band_r2_region", "band_r2_region_time"):
            assert flat[f"test/trial_average/{metric}_{band}/V4"] <= 1
    spectra = pd.read_csv(tmp_path / "fine" / "spectra.csv")
    assert 24.5 < spectra["frequency_hz"].max() <= 25
