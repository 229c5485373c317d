from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from mua_decode.analysis.noise_inputs import compare_with_noise, score_noise_inputs
from mua_decode.metrics import MSE, Identification
from mua_decode.types import ResultTable
from tests.conftest import make_stimuli

STIMULI = make_stimuli(4)
TRUE = torch.from_numpy(STIMULI.mean_videos()).permute(0, 2, 1, 3, 4)


def score(decode, number: int = 200) -> dict[tuple[str, str], np.ndarray]:
    return score_noise_inputs(
        decode, (6, 5), true=TRUE, condition=np.arange(4), candidates=TRUE,
        metrics=[MSE(), Identification(similarity="correlation")], stimuli=STIMULI,
        number=number, seed=0,
    )  # fmt: skip


def test_a_decoder_that_guesses_a_condition_identifies_one_in_k() -> None:
    def guess(spikes: Tensor) -> Tensor:
        assert spikes.shape[1:] == (6, 5)
        return TRUE[(spikes.sum((1, 2)) * 1e4).long() % 4]

    scores = score(guess)
    assert scores["identification", "all"].shape == (200,)
    assert scores["identification", "all"].mean() == pytest.approx(1 / 4, abs=0.06)
    assert scores["identification", "all"].std() > 0.1


def test_inputs_are_standard_normal_and_a_function_of_the_seed() -> None:
    seen: list[Tensor] = []

    def decode(spikes: Tensor) -> Tensor:
        seen.append(spikes.clone())
        return TRUE[:1].expand(len(spikes), -1, -1, -1, -1)

    first, second = score(decode), score(decode)
    np.testing.assert_array_equal(first["mse", "all"], second["mse", "all"])
    noise = torch.cat(seen[: len(seen) // 2])
    assert noise.shape[0] == 200
    assert float(noise.mean()) == pytest.approx(0, abs=0.05)
    assert float(noise.std()) == pytest.approx(1, abs=0.05)


def test_rank_of_the_data_among_the_noise() -> None:
    labels = {"run": "decoder", "split": "test", "condition": "all", "trial": "single_trial"}
    labels |= {"mask": "x", "segment": "all", "unit": "1", "n": 8}
    table = ResultTable.from_rows(
        [labels | {"metric": "mse", "value": 0.1}, labels | {"metric": "ssim", "value": 0.1}]
    )
    noise = np.linspace(0.2, 0.3, 19)
    rows, tests = compare_with_noise(
        {("mse", "all"): noise, ("ssim", "all"): noise}, table, mask="only V4",
        higher_is_better={"mse": False, "ssim": True},
    )  # fmt: skip
    assert tests.frame["p"].tolist() == [pytest.approx(1 / 20), 1.0]
    assert rows.frame["run"].tolist() == ["chance/noise"] * 2
    assert rows.frame["value"].tolist() == [pytest.approx(0.25)] * 2
    assert set(tests.frame["group"]) == set(rows.frame["mask"]) == {"only V4"}
