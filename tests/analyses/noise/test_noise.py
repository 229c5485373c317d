"""Sites of pure noise must decode at chance; the published order decodes them far above it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from mua_decode.commands.main import main
from mua_decode.data import DecodingData
from mua_decode.metrics import Identification, Shown
from mua_decode.runs.config import compose
from mua_decode.runs.instantiate import instantiate
from mua_decode.types import LeakState

SMALL_FRAMES = "recording.stimulus.frame.resolution=0.25"
CHANCE = 1 / 16


def reader(data: DecodingData, part: str) -> Callable[[], Iterator[tuple[Tensor, Tensor]]]:
    return lambda: ((b.spikes, b.condition) for b in data.batches(part))


def floors(*overrides: str) -> tuple[DecodingData, dict[str, float]]:
    """Identification by a linear and by a lookup decoder in the experiment's own setting."""
    options = [SMALL_FRAMES, "floor.ridge.context=trial", *overrides]
    cfg = compose("train", ["experiment=noise_canary", *options])
    data: DecodingData = instantiate(cfg.data, recording=instantiate(cfg.recording))
    videos = data.mean_videos("train")
    candidates = data.mean_videos(None)
    identification = Identification(similarity="correlation")
    scores = {}
    for name in ("lookup", "ridge"):
        floor = instantiate(cfg.floor[name])
        floor.fit(reader(data, "train"), reader(data, "val"), videos)
        hits = [
            identification(floor.predict(b.spikes), Shown(b.video, b.condition, candidates))
            for b in data.batches("test")
        ]
        scores[name] = float(torch.cat(hits).mean())
    return data, scores


def standard_error(data: DecodingData) -> float:
    """Binomial, over recorded trials: pseudo-trials are no new evidence."""
    return math.sqrt(CHANCE * (1 - CHANCE) / data.n_recorded_trials("test"))


def test_split_first_is_at_chance() -> None:
    data, scores = floors()
    assert data.audit.shared == 0
    assert (data.n_sites, data.n_recorded_trials("test")) == (24, 32)
    for score in scores.values():
        assert abs(score - CHANCE) < 3 * standard_error(data)


def test_pooled_first_is_far_above_chance_and_flagged() -> None:
    data, scores = floors("data.split.unit=pseudo_trial")
    assert data.leaks is LeakState.LEAKING
    assert data.audit.shared == data.audit.test == 3840
    assert data.audit.line.startswith("LEAKING")
    assert all(score > 4 * CHANCE for score in scores.values())


@pytest.mark.slow
@pytest.mark.timeout(1800)  # minutes of training
@pytest.mark.parametrize("leaking", [False, True])
def test_the_network_shows_the_same(tmp_path: Path, leaking: bool) -> None:
    unit = "pseudo_trial" if leaking else "recorded_trial"
    main(["train", "experiment=noise_canary", f"run_dir={tmp_path}", f"data.split.unit={unit}"])
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    score = metrics["test/single_trial/identification"]
    if leaking:
        assert score > 3 * CHANCE
    else:
        assert abs(score - CHANCE) < 3 * math.sqrt(CHANCE * (1 - CHANCE) / 32)
