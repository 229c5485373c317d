from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import pytorch_lightning as pl
from omegaconf import DictConfig

from mua_decode.commands.main import main
from mua_decode.runs.build import build_recording
from mua_decode.runs.config import compose
from mua_decode.runs.variants import Variant, changed_config, run_variant, run_variants
from mua_decode.types import InputError, Recording
from tests.tiny import TINY

FAST = [*TINY, "trainer.max_epochs=2", "metric=[mse]", "floor=[mean_video]"]


@pytest.fixture(scope="module")
def source() -> DictConfig:
    return compose("train", FAST)


@pytest.fixture(scope="module")
def recording(source: DictConfig) -> Recording:
    return build_recording(source)


def test_overrides_change_options_and_replace_groups(source: DictConfig) -> None:
    cfg = changed_config(
        source, ["model=mlp_decoder", "floor=[]", "metric=[ssim,mse]", "data.regions=[MT]"]
    )
    assert cfg.model._target_ == "mua_decode.models.MLPDecoder"
    assert "width" not in cfg.model
    assert dict(cfg.floor) == {}
    assert list(cfg.metric) == ["ssim", "mse"]
    assert cfg.data.regions == ["MT"]
    assert source.model.width == 2  # the source is left as it is
    assert source.data.regions is None


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("modle.width=3", "'modle' is not an option of the run .did you mean 'model'"),
        ("model=mlp_decodr", "no such model .did you mean 'mlp_decoder'"),
        ("data.regions", "not written name=value"),
        ("data.regions=[V4", "data.regions="),
    ],
)
def test_overrides_that_cannot_be_applied(source: DictConfig, override: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        changed_config(source, [override])


def test_a_variant_is_the_run_that_train_makes(
    source: DictConfig, recording: Recording, tmp_path: Path
) -> None:
    variant = Variant("only_MT", ("data.regions=[MT]",))
    table = run_variant(source, variant, tmp_path, recording=recording)
    main(["train", *FAST, "data.regions=[MT]", f"run_dir={tmp_path / 'plain'}"])
    made, plain = (
        {str(p.relative_to(tmp_path / n)) for p in (tmp_path / n).rglob("*") if p.is_file()}
        for n in ("only_MT", "plain")
    )
    assert made == plain
    for name in ("metrics.json", "results.csv"):
        assert (tmp_path / "only_MT" / name).read_text() == (tmp_path / "plain" / name).read_text()
    assert set(table.frame["run"]) == {"decoder", "floor/mean_video", "ceiling/condition_mean"}


class Interrupt(pl.Callback):
    """Ctrl-C in the second epoch."""

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.current_epoch == 1:
            raise KeyboardInterrupt


def test_interrupted_goes_on_finished_stays_and_other_configs_are_refused(
    source: DictConfig, recording: Recording, tmp_path: Path
) -> None:
    whole = run_variants(source, [Variant("a", ())], tmp_path / "whole", recording=recording)
    with pytest.raises(KeyboardInterrupt):
        run_variant(source, Variant("a", ()), tmp_path, recording=recording, watch=Interrupt())
    assert not (tmp_path / "a" / "metrics.json").exists()
    assert len(pd.read_csv(tmp_path / "a" / "epochs.csv")) == 1
    table = run_variant(source, Variant("a", ()), tmp_path, recording=recording, draw=False)
    assert pd.read_csv(tmp_path / "a" / "epochs.csv")["epoch"].tolist() == [0, 1]
    pd.testing.assert_frame_equal(table.frame, whole.tables["a"].frame)

    log, weights = tmp_path / "a" / "epochs.csv", tmp_path / "a" / "checkpoints" / "last.ckpt"
    before = log.read_text(), weights.stat().st_mtime_ns
    again = run_variant(source, Variant("a", ()), tmp_path, recording=recording)
    pd.testing.assert_frame_equal(again.frame, table.frame)
    scored = run_variant(
        source, Variant("a", ("metric=[psnr]",)), tmp_path, recording=recording, draw=False
    )
    assert set(scored.frame["metric"]) == {"psnr"}
    assert (log.read_text(), weights.stat().st_mtime_ns) == before  # nothing was trained

    with pytest.raises(InputError, match=r"trainer\.max_epochs is 2 there and 3 here"):
        run_variant(source, Variant("a", ("trainer.max_epochs=3",)), tmp_path, recording=recording)
    with pytest.raises(InputError, match="would change the recording itself"):
        run_variant(source, Variant("b", ("recording.seed=3",)), tmp_path, recording=recording)


def test_one_failure_does_not_lose_the_others(
    source: DictConfig,
    recording: Recording,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    short = ("trainer.max_epochs=1", "floor=[]")
    variants = [Variant("bad", ("data.regions=[MTT]",)), Variant("good", short)]
    found = run_variants(source, variants, tmp_path, recording=recording, what="region")
    assert list(found.tables) == ["good"]
    assert "did you mean 'MT'" in found.failures["bad"]
    printed = capsys.readouterr().err
    assert "region 2 of 2 (good)" in printed
    assert "region bad failed: region 'MTT' is not in this recording" in printed
    with pytest.raises(InputError, match="no region could be trained; bad"):
        run_variants(source, variants[:1], tmp_path, recording=recording, what="region")
    with pytest.raises(InputError, match="names repeat"):
        run_variants(source, variants[:1] * 2, tmp_path, recording=recording)
