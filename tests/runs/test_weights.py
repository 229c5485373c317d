from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
import torch

from mua_decode.commands.main import main
from mua_decode.runs.build import load_checkpoint
from mua_decode.runs.config import compose
from mua_decode.runs.fingerprint import Fingerprint
from mua_decode.runs.folder import RunFolder
from mua_decode.runs.run import Run
from mua_decode.runs.variants import Variant, run_variant
from mua_decode.types import InputError
from tests.stored_run import write_run
from tests.tiny import TINY

FEW = ["recording.population.trials_per_condition=6", "data.pseudo.per_condition=10"]
FAST = [*TINY, *FEW, "trainer.max_epochs=3", "metric=[mse]", "floor=[]"]
EIGHT_TO_TWO = ["data.split.train=0.8", "data.split.val=0", "data.split.test=0.2"]


def epoch(checkpoint: Path | None) -> int:
    assert checkpoint is not None
    return int(load_checkpoint(checkpoint)["epoch"])


def test_a_run_is_scored_with_the_weights_it_says(tmp_path: Path) -> None:
    recording, _ = write_run(tmp_path)
    folder = tmp_path / "checkpoints"
    state = load_checkpoint(folder / "best.ckpt")
    moved = {k: v + 1 for k, v in state["state_dict"].items()}
    torch.save(state | {"state_dict": moved}, folder / "last.ckpt")

    def opened(**options: object) -> dict[str, torch.Tensor]:
        return Run.open(tmp_path, recording=recording, **options).network.state_dict()  # type: ignore[arg-type]

    best, last = opened(checkpoint="best"), opened(checkpoint="last")
    name = next(k for k, v in best.items() if v.is_floating_point())
    assert torch.equal(best[name] + 1, last[name])
    assert torch.equal(opened()[name], best[name])
    assert torch.equal(opened(overrides=["weights=last"])[name], last[name])
    text = (tmp_path / "config.yaml").read_text()
    assert "weights: best\n" in text
    (tmp_path / "config.yaml").write_text(text.replace("weights: best\n", ""))
    assert torch.equal(opened()[name], best[name])  # as runs of earlier versions, that lack it
    with pytest.raises(InputError, match=r"^weights=worst: choose from best, last$"):
        opened(overrides=["weights=worst"])


def test_to_say_what_was_never_said_is_no_difference() -> None:
    cfg = compose("train", TINY)
    earlier = {k: v for k, v in cfg.items() if k != "weights"}
    assert Fingerprint.of(cfg).difference(Fingerprint.of(earlier)) is None
    cfg.weights = "last"
    assert "weights" in str(Fingerprint.of(cfg).difference(Fingerprint.of(earlier)))


def test_everything_follows_the_weights_of_the_run(tmp_path: Path) -> None:
    """Trained at a rate that only ever makes it worse after the first epoch."""
    worse = ["task=zhang2026", "task.optimizer.lr=3", "task.scheduler.gamma=1", "weights=last"]
    main(["train", *FAST, *worse, f"run_dir={tmp_path / 'a'}"])
    folder = RunFolder(tmp_path / "a")
    best, last = (epoch(folder.checkpoint(name)) for name in ("best", "last"))
    assert (last, best < last) == (2, True)
    assert epoch(Run.open(folder.path).checkpoint) == last
    scores = json.loads(folder.metrics.read_text())
    main(["evaluate", f"run_dir={folder.path}", "metric=[mse]", "floor=[]"])
    main(["evaluate", f"run_dir={folder.path}", "metric=[mse]", "floor=[]", "checkpoint=best"])
    again, other = (
        json.loads((folder.path / f"evaluation_test_{n}" / "metrics.json").read_text())
        for n in ("last", "best")
    )
    assert again == scores
    assert other["test/single_trial/mse"] != scores["test/single_trial/mse"]
    source = Run.open(folder.path)
    varied = run_variant(source, Variant("b"), tmp_path)
    assert epoch(varied.run.checkpoint) == last
    rows = len(pd.read_csv(tmp_path / "b" / "epochs.csv"))
    scored = run_variant(source, Variant("b", ("weights=best",)), tmp_path)
    assert epoch(scored.run.checkpoint) == best
    assert len(pd.read_csv(tmp_path / "b" / "epochs.csv")) == rows == 3
    assert scored.metrics["test/single_trial/mse"] == other["test/single_trial/mse"]


@pytest.mark.parametrize("unit", ["recorded_trial", "pseudo_trial"])
def test_eight_to_two_has_no_validation(tmp_path: Path, unit: str) -> None:
    split = [*EIGHT_TO_TWO, f"data.split.unit={unit}", "weights=last", "trainer.max_epochs=1"]
    main(["train", *FAST, *split, f"run_dir={tmp_path}"])
    assert "val/loss" not in pd.read_csv(tmp_path / "epochs.csv")
    scores = json.loads((tmp_path / "metrics.json").read_text())
    assert scores["test/n_pseudo_trials"] == 16
    assert scores["leaking"] == (unit == "pseudo_trial")
