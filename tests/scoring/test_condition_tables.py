from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor

from mua_decode.data import Batch
from mua_decode.metrics import MSE, Identification, Motion, Shown
from mua_decode.scoring.condition_tables import VideoScorer, condition_tables, permutation_tests
from mua_decode.types import Segment, StimulusSet
from tests.conftest import make_stimuli

K = 8
STIMULI = make_stimuli(K, variants=3)
VIDEOS = torch.from_numpy(STIMULI.videos).permute(0, 2, 1, 3, 4).float() / 255
MEANS = torch.from_numpy(STIMULI.mean_videos()).permute(0, 2, 1, 3, 4)
METRICS = [MSE(), Identification(similarity="correlation")]
HIGHER = {"mse": False, "identification": True, "direction_error": False}


def trials(seed: int, *, informed: bool, each: int = 6) -> Iterator[Batch]:
    """Activity with a strong onset; the first site says the condition, if any does."""
    rng = np.random.default_rng(seed)
    condition = np.repeat(np.arange(K), each)
    spikes = rng.normal(size=(len(condition), 6, 4)).astype(np.float32)
    spikes[:, 2:] += 10
    if informed:
        spikes[:, 0, 0] = condition
    variant = condition * 3 + rng.integers(0, 3, len(condition))
    for rows in np.array_split(np.arange(len(condition)), 3):
        yield Batch(
            torch.from_numpy(spikes[rows]), VIDEOS[variant[rows]],
            torch.from_numpy(condition[rows]), torch.from_numpy(rows),
        )  # fmt: skip


def decode(spikes: Tensor) -> Tensor:
    """Shows a blank without an onset; with one, the condition the first bin of a site names."""
    named = spikes[:, 0, 0].round().long() % K
    on = (spikes[:, 2:].mean((1, 2)) > 5).view(-1, 1, 1, 1, 1)
    return torch.where(on, MEANS[named], torch.zeros(1))


def p_of(seed: int, *, informed: bool) -> list[float]:
    tables = condition_tables(
        decode, trials(seed, informed=informed), candidates=MEANS, metrics=METRICS, stimuli=STIMULI
    )
    found = permutation_tests(tables, group="x", higher_is_better=HIGHER, seed=seed, n=499)
    return found.frame["p"].tolist()


def test_an_onset_without_conditions_is_not_significant_and_conditions_are() -> None:
    blank = np.array([p_of(seed, informed=False) for seed in range(25)])
    assert (blank[:, 0] <= 0.05).mean() <= 0.16
    assert (blank[:, 1] <= 0.05).mean() <= 0.16
    assert p_of(0, informed=True) == [pytest.approx(1 / 500)] * 2


def test_the_diagonal_is_the_score_of_averages() -> None:
    tables = condition_tables(
        decode, trials(1, informed=True), candidates=MEANS, metrics=METRICS, stimuli=STIMULI
    )
    assert set(tables) == {("mse", "all"), ("identification", "all")}
    np.testing.assert_array_equal(tables["identification", "all"], np.eye(K))
    batches = list(trials(1, informed=True))
    video, condition = (torch.cat([b[i] for b in batches]) for i in (1, 2))
    shown = torch.stack([video[condition == k].mean(0) for k in range(K)])
    expected = ((MEANS[2] - shown[5]) ** 2).mean()
    assert tables["mse", "all"][2, 5] == pytest.approx(float(expected), rel=1e-5)


def gratings(k: int, *, still: int = -1) -> tuple[Tensor, StimulusSet]:
    """Drifting plaids, one direction per condition; condition ``still`` does not move."""
    y, x = torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing="ij")
    angle = 2 * np.pi * torch.arange(k) / k
    speed = torch.where(torch.arange(k) == still, 0.0, 0.8)
    t = torch.arange(6.0)
    dx = (speed * torch.cos(angle))[:, None] * t
    dy = (-speed * torch.sin(angle))[:, None] * t
    u = x - dx[..., None, None]
    v = y - dy[..., None, None]
    frames = 0.5 + 0.2 * torch.sin(0.6 * u) + 0.2 * torch.sin(0.6 * v)
    video = frames[:, None].repeat(1, 3, 1, 1, 1)
    stimuli = make_stimuli(k, n_frames=6, shape=(3, 32, 32))
    segments = (Segment("stimulus", 0, 6, 1.0),)
    return video, StimulusSet(
        videos=stimuli.videos, condition=stimuli.condition, conditions=stimuli.conditions,
        segments=segments, frame_s=0.1,
    )  # fmt: skip


def test_motion_is_measured_once_per_video_and_agrees_with_the_metric() -> None:
    video, stimuli = gratings(5)
    metric = Motion()
    scorer = VideoScorer(metric, video.roll(1, 0), candidates=video, stimuli=stimuli)
    calls = []
    metric.direction = lambda v: calls.append(v)  # type: ignore[assignment,method-assign]
    found = np.stack([scorer.against(k, video[k][None]) for k in range(5)], axis=1)
    assert not calls
    shown = Shown(video=video[:1].expand(5, -1, -1, -1, -1), condition=torch.full((5,), 0),
                  candidates=video)  # fmt: skip
    np.testing.assert_allclose(found[:, 0], Motion()(video.roll(1, 0), shown).numpy(), atol=1e-4)


def test_undefined_directions_are_guesses_and_still_conditions_are_left_out() -> None:
    video, stimuli = gratings(4, still=2)

    def batches() -> Iterator[Batch]:
        yield Batch(torch.arange(4.0)[:, None, None], video, torch.arange(4), torch.arange(4))

    def lossy(spikes: Tensor) -> Tensor:
        return torch.where((spikes == 1)[..., None, None], torch.full((), 0.5), video)

    table = condition_tables(
        lossy, batches(), candidates=video, metrics=[Motion()], stimuli=stimuli
    )["direction_error", "stimulus"]
    assert np.isnan(table[:, 2]).all()
    assert (table[1, [0, 1, 3]] == 90).all()
    assert (table[[0, 3], [0, 3]] < 8).all()
    row = permutation_tests({("direction_error", "stimulus"): table}, group="x", seed=0,
                            higher_is_better=HIGHER, n=99).frame.iloc[0]  # fmt: skip
    assert row["n"] == 3
    assert row["metric"] == "trial_average/direction_error/stimulus"


def test_64_conditions_take_few_seconds() -> None:
    video, stimuli = gratings(64)

    def batches() -> Iterator[Batch]:
        yield Batch(torch.zeros(64, 1, 1), video, torch.arange(64), torch.arange(64))

    start = time.process_time()
    condition_tables(lambda _: video, batches(), candidates=video, metrics=[Motion(), MSE()],
                     stimuli=stimuli)  # fmt: skip
    assert time.process_time() - start < 5
