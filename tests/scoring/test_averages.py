from collections.abc import Callable

import numpy as np
import pytest
import torch

from mua_decode.data import DecodingData, PseudoTrialPlan, SplitPlan
from mua_decode.scoring.averages import Averages, as_bytes, batches_of, first_trials, known_mean
from mua_decode.types import InputError, Recording


@pytest.fixture
def data(build_recording: Callable[..., Recording]) -> DecodingData:
    plan = PseudoTrialPlan(per_condition=30, fresh=False)
    recording = build_recording(2, variants=3)
    return DecodingData(
        recording, window=None, split=SplitPlan(), pseudo=plan, batch_size=5, seed=0
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_averages_are_those_of_all_trials_and_batches_are_handed_out(
    data: DecodingData, dtype: torch.dtype
) -> None:
    averages = Averages(data.mean_videos(None), dtype=dtype)
    given = list(averages.over(lambda batch: 1 - batch.video, data.batches("test")))
    video = torch.cat([batch.video for _, batch in given])
    condition = torch.cat([batch.condition for _, batch in given])
    assert all(torch.equal(decoded, 1 - batch.video) for decoded, batch in given)
    assert torch.equal(averages.condition, condition)
    assert averages.present.tolist() == sorted(set(condition.tolist()))
    for row, k in enumerate(averages.present):
        mean = video[condition == k].mean(0)
        torch.testing.assert_close(averages.shown[row], mean)
        torch.testing.assert_close(averages.decoded[row], 1 - mean)


def test_conditions_without_trials_are_left_out(data: DecodingData) -> None:
    averages = Averages(data.mean_videos(None))
    condition = data.dataset("test").pseudo.condition
    rows = np.flatnonzero(condition >= 2)
    for _ in averages.over(lambda batch: batch.video, batches_of(data, "test", rows)):
        pass
    assert averages.present.tolist() == [2, 3]
    assert averages.decoded.shape == data.mean_videos(None)[2:].shape
    assert torch.equal(averages.decoded, averages.shown)


def test_the_first_trials_of_every_condition_in_order(data: DecodingData) -> None:
    condition = data.dataset("test").pseudo.condition
    rows = first_trials(data, "test", 2)
    assert (np.diff(rows) > 0).all()
    assert (np.bincount(condition[rows]) == 2).all()
    for k in np.unique(condition):
        assert set(np.flatnonzero(condition == k)[:2]) <= set(rows)
    assert first_trials(data, "test", None).tolist() == list(range(len(condition)))
    with pytest.raises(InputError, match="trials_per_condition"):
        first_trials(data, "test", 0)


def test_bytes_and_means() -> None:
    assert as_bytes(torch.tensor([-1.0, 0.5, 2.0])).tolist() == [0, 128, 255]
    assert known_mean(np.array([1.0, np.nan, 3.0])) == (2.0, 2)
    mean, n = known_mean(np.array([np.nan]))
    assert np.isnan(mean)
    assert n == 0
