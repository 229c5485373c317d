from __future__ import annotations

import gc
import weakref
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import pytorch_lightning as pl
import torch

from mua_decode.commands.main import main
from mua_decode.runs.config import changed_config, compose
from mua_decode.runs.folder import RunFolder
from mua_decode.runs.run import Run
from mua_decode.runs.train import Scored, Training
from mua_decode.runs.variants import Outcome, Variant, run_variant, run_variants
from mua_decode.types import InputError, ResultTable
from tests.tiny import TINY

FAST = [*TINY, "trainer.max_epochs=2", "metric=[mse]", "floor=[mean_video]"]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return Run(RunFolder(tmp_path_factory.mktemp("nowhere")), compose("train", FAST))


def tables(source: Run, variants: list[Variant], folder: Path, what: str) -> Outcome[ResultTable]:
    def each(_: Variant, scored: Scored) -> ResultTable:
        return scored.table

    return run_variants(source, variants, folder, each, what=what)


def test_overrides_change_options_and_replace_groups(source: Run) -> None:
    cfg = changed_config(
        source.cfg, ["model=mlp_decoder", "floor=[]", "metric=[ssim,mse]", "data.regions=[MT]"]
    )
    assert cfg.model._target_ == "mua_decode.models.MLPDecoder"
    assert "width" not in cfg.model
    assert dict(cfg.floor) == {}
    assert list(cfg.metric) == ["ssim", "mse"]
    assert cfg.data.regions == ["MT"]
    assert source.cfg.model.width == 2  # the source is left as it is
    assert source.cfg.data.regions is None


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("modle.width=3", "'modle' is not an option of the run .did you mean 'model'"),
        ("model=mlp_decodr", "no such model .did you mean 'mlp_decoder'"),
        ("data.regions", "not written name=value"),
        ("data.regions=[V4", "data.regions="),
    ],
)
def test_overrides_that_cannot_be_applied(source: Run, override: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        changed_config(source.cfg, [override])


def test_a_variant_is_the_run_that_train_makes(source: Run, tmp_path: Path) -> None:
    variant = Variant("only_MT", ("data.regions=[MT]",))
    scored = run_variant(source, variant, tmp_path, training=Training(watch=pl.Callback()))
    main(
        ["train", *FAST, "figures.draw=true", "data.regions=[MT]", f"run_dir={tmp_path / 'plain'}"]
    )
    made, plain = (
        {str(p.relative_to(tmp_path / n)) for p in (tmp_path / n).rglob("*") if p.is_file()}
        for n in ("only_MT", "plain")
    )
    assert made == plain - {"report.html", "command.json"}  # of a command
    for name in ("metrics.json", "results.csv", "recording.json"):
        assert (tmp_path / "only_MT" / name).read_text() == (tmp_path / "plain" / name).read_text()
    assert set(scored.table.frame["run"]) == {
        "decoder", "floor/mean_video", "ceiling/condition_mean"
    }  # fmt: skip
    assert scored.run.data.n_sites == 6
    spikes = next(scored.run.data.batches("test")).spikes
    reopened = Run.open(tmp_path / "only_MT", device="cpu")
    with torch.no_grad():
        assert torch.equal(scored.run.decode(spikes), reopened.decode(spikes))


class Interrupt(pl.Callback):
    """Ctrl-C in the second epoch."""

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.current_epoch == 1:
            raise KeyboardInterrupt


def test_interrupted_goes_on_finished_stays_and_other_configs_are_refused(
    source: Run, tmp_path: Path
) -> None:
    whole = tables(source, [Variant("a")], tmp_path / "whole", "run").found["a"]
    with pytest.raises(KeyboardInterrupt):
        run_variant(source, Variant("a"), tmp_path, training=Training(watch=Interrupt()))
    assert not (tmp_path / "a" / "metrics.json").exists()
    assert len(pd.read_csv(tmp_path / "a" / "epochs.csv")) == 1
    table = run_variant(source, Variant("a"), tmp_path).table
    assert pd.read_csv(tmp_path / "a" / "epochs.csv")["epoch"].tolist() == [0, 1]
    pd.testing.assert_frame_equal(table.frame, whole.frame)

    log, weights = tmp_path / "a" / "epochs.csv", tmp_path / "a" / "checkpoints" / "last.ckpt"
    before = log.read_text(), weights.stat().st_mtime_ns
    again = run_variant(source, Variant("a"), tmp_path).table
    pd.testing.assert_frame_equal(again.frame, table.frame)
    scored = run_variant(source, Variant("a", ("metric=[psnr]",)), tmp_path).table
    assert set(scored.frame["metric"]) == {"psnr"}
    assert (log.read_text(), weights.stat().st_mtime_ns) == before  # nothing was trained

    with pytest.raises(InputError, match=r"trainer\.max_epochs is 2 there and 3 here"):
        run_variant(source, Variant("a", ("trainer.max_epochs=3",)), tmp_path)
    with pytest.raises(InputError, match="would change the recording itself"):
        run_variant(source, Variant("b", ("recording.seed=3",)), tmp_path)


def test_a_run_of_another_recording_is_not_taken_for_this_one(source: Run, tmp_path: Path) -> None:
    short = ("trainer.max_epochs=1", "floor=[]")
    run_variant(source, Variant("fold_0", short), tmp_path)
    other = replace(
        source.recording,
        sessions=tuple(
            replace(s, trials=s.trials.iloc[::-1].reset_index(drop=True))
            for s in source.recording.sessions
        ),
    )
    changed = Run(source.folder, source.cfg, recording=other)
    with pytest.raises(InputError, match="recording: its content has changed") as error:
        run_variant(changed, Variant("fold_0", short), tmp_path)
    assert source.recording.checksum[:12] in str(error.value)
    assert other.checksum[:12] in str(error.value)


def test_a_variant_is_let_go_when_it_was_asked(source: Run, tmp_path: Path) -> None:
    seen: list[weakref.ref[object]] = []

    def each(_: Variant, scored: Scored) -> int:
        gc.collect()
        alive = sum(r() is not None for r in seen)
        seen.extend(weakref.ref(o) for o in (scored.run, scored.run.data, scored.run.network))
        return alive

    short = ("trainer.max_epochs=1", "floor=[]")
    variants = [Variant(f"s{n}", (*short, f"seed={n}", f"data.seed={n}")) for n in range(3)]
    assert run_variants(source, variants, tmp_path, each).found == {"s0": 0, "s1": 0, "s2": 0}


def test_data_that_serve_several_runs_keep_no_trainer(source: Run, tmp_path: Path) -> None:
    shared = source.data
    scored = run_variant(source, Variant("own"), tmp_path)
    assert scored.run.data is shared
    assert shared.trainer is None


def test_what_fails_in_a_question_is_no_failed_training(source: Run, tmp_path: Path) -> None:
    def each(_: Variant, scored: Scored) -> None:
        raise ZeroDivisionError(scored.run.folder.path.name)

    short = Variant("good", ("trainer.max_epochs=1", "floor=[]"))
    with pytest.raises(ZeroDivisionError, match="good"):
        run_variants(source, [short], tmp_path, each)


def test_one_failure_does_not_lose_the_others(
    source: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    short = ("trainer.max_epochs=1", "floor=[]")
    variants = [Variant("bad", ("data.regions=[MTT]",)), Variant("good", short)]
    outcome = tables(source, variants, tmp_path, "region")
    assert list(outcome.found) == ["good"]
    assert "did you mean 'MT'" in outcome.failures["bad"]
    printed = capsys.readouterr().err
    assert "region 2 of 2 (good)" in printed
    assert "region bad failed: region 'MTT' is not in this recording" in printed
    with pytest.raises(InputError, match="no region could be trained; bad"):
        tables(source, variants[:1], tmp_path, "region")
    with pytest.raises(InputError, match="names repeat"):
        tables(source, variants[:1] * 2, tmp_path, "region")
