from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from mua_decode.analyses.isolate.noise_inputs import (
    PUBLISHED,
    ShownTrials,
    asked,
    compare_with_noise,
    independent_trials,
    noise_means,
    published_comparison,
    score_noise_inputs,
)
from mua_decode.metrics import MSE, Identification, Shown
from mua_decode.statistics import correct, rank_p
from mua_decode.types import HypothesisTable, PseudoTrials, ResultTable
from tests.conftest import make_stimuli

STIMULI = make_stimuli(4, variants=5)
TRUE = torch.from_numpy(STIMULI.mean_videos()).permute(0, 2, 1, 3, 4)
TRIAL_CONDITION = np.repeat(STIMULI.condition, 6)
TRIAL_VIDEO = np.repeat(np.arange(20), 6)
LABELS = {"run": "decoder", "split": "test", "condition": "all", "trial": "single_trial"}
LABELS |= {"mask": "x", "segment": "all", "unit": "1", "n": 8}
HIGHER = {"mse": False, "ssim": True, "identification": True}


def score(decode, number: int = 200) -> dict[tuple[str, str], np.ndarray]:
    trials = ShownTrials(
        input_shape=(6, 5), condition=TRIAL_CONDITION, video=TRIAL_VIDEO, candidates=TRUE,
        stimuli=STIMULI,
    )  # fmt: skip
    metrics = [MSE(), Identification(similarity="correlation")]
    return score_noise_inputs(decode, trials, metrics=metrics, number=number, seed=0)


def rank(scores, **observed: float):
    table = ResultTable.from_rows([LABELS | {"metric": m, "value": v} for m, v in observed.items()])
    return compare_with_noise(scores, table, mask="only V4", higher_is_better=HIGHER, seed=0)


def test_a_decoder_that_guesses_a_condition_identifies_one_in_k() -> None:
    def guess(spikes: Tensor) -> Tensor:
        assert spikes.shape[1:] == (6, 5)
        return TRUE[(spikes.sum((1, 2)) * 1e4).long() % 4]

    scores = score(guess)["identification", "all"]
    assert scores.shape == (200, 4)
    np.testing.assert_array_equal(scores.sum(axis=1), 1)  # each decodes one condition
    rows, _ = rank({("identification", "all"): scores}, identification=0.3)
    assert rows.frame["value"][0] == pytest.approx(1 / 4, abs=0.01)


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


def test_a_decoder_that_ignores_its_input_scores_on_noise_as_on_the_data() -> None:
    def constant(spikes: Tensor) -> Tensor:
        return TRUE.mean(0, keepdim=True).expand(len(spikes), -1, -1, -1, -1)

    videos = torch.from_numpy(STIMULI.videos).permute(0, 2, 1, 3, 4).float() / 255
    condition = torch.from_numpy(STIMULI.condition)
    observed = MSE()(constant(videos), Shown(video=videos, condition=condition, candidates=TRUE))
    rows, tests = rank(score(constant), mse=float(observed.mean()))
    assert rows.frame["value"][0] == pytest.approx(float(observed.mean()), rel=0.005)
    assert tests.frame["p"][0] > 0.02


def test_a_constant_decoder_passes_on_no_unequal_counts_of_conditions() -> None:
    """A split of pooled trials leaves conditions unequally many; easy ones must not decide."""
    rng, p, used = np.random.default_rng(0), [], []
    noise = lambda score, sd: score + sd * rng.normal(size=(100, 16))  # noqa: E731
    for seed in range(40):
        easy, trials = rng.normal(size=16), rng.poisson(12, 16) + 1
        for decoded, found in ((easy, p), (easy + 1, used)):
            rows = [
                LABELS | {"metric": "mse", "condition": f"c{k}", "value": v, "n": n}
                for k, (v, n) in enumerate(zip(decoded, trials, strict=True))
            ]
            whole = {"value": float(np.average(decoded, weights=trials)), "n": trials.sum()}
            table = ResultTable.from_rows([LABELS | {"metric": "mse"} | whole, *rows])
            scores = {("mse", "all"): noise(easy, 0.05)}
            asked = {"mask": "x", "higher_is_better": {"mse": True}, "seed": seed}
            tested = compare_with_noise(scores, table, **asked, pairings=999)[1]
            found.append(tested.frame["p"][0])
    assert np.mean(np.array(p) <= 0.05) <= 0.15  # of 40; conditions counted alike: .5
    assert max(used) <= 0.001


def test_rank_of_the_data_among_pairings_of_few_noise_inputs() -> None:
    noise = np.random.default_rng(0).uniform(0.2, 0.3, (100, 8))
    scores = {("mse", "all"): noise, ("ssim", "all"): noise}
    rows, tests = rank(scores, mse=0.1, ssim=0.1)
    assert tests.frame["p"].tolist() == [pytest.approx(1e-4), 1.0]
    assert (tests.frame["n"] == 100).all()  # inputs: pairings that reuse them are not independent
    assert set(tests.frame["n_unit"]) == {"noise inputs"}
    assert tests.frame["note"].str.contains("100 noise inputs, reused").all()
    assert set(tests.frame["question"]) == {"is the input used at all?"}  # our test, so named
    assert rows.frame["run"].tolist() == ["chance/noise"] * 2
    assert rows.frame["value"].tolist() == [pytest.approx(noise.mean(), abs=1e-3)] * 2
    assert rows.frame["n"].tolist() == [100, 100]
    assert set(tests.frame["group"]) == set(rows.frame["mask"]) == {"only V4"}
    six = correct(HypothesisTable.concat([rank(scores, mse=0.1)[1]] * 6)).frame
    assert (six["p_corrected"] < 0.05).all()


def published(averages: np.ndarray, noise: np.ndarray) -> pd.DataFrame:
    rows = [
        LABELS | {"metric": "mse", "trial": "trial_average", "condition": f"c{k}", "value": v}
        for k, v in enumerate(averages)
    ]
    asked = {"mask": "only V4", "higher_is_better": HIGHER}
    return published_comparison({("mse", "all"): noise}, ResultTable.from_rows(rows), **asked).frame


def test_the_published_test_compares_64_averages_with_100_predictions() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(0.3, 0.02, (100, 1)) + rng.normal(0, 0.02, (100, 64))
    t, fraction = (row for _, row in published(rng.normal(0.1, 0.02, 64), noise).iterrows())
    assert (t["df"], t["n"], t["p"] < 1e-6) == (162, 164, True)
    assert t["note"].startswith("each noise input averaged over all conditions (our reading)")
    assert (fraction["effect"], fraction["n"]) == (0, 100)
    assert np.isnan(fraction["p"])
    t, fraction = (row for _, row in published(rng.normal(0.3, 0.02, 64), noise).iterrows())
    assert t["p"] > 0.05
    assert 0.3 < fraction["effect"] < 0.7
    assert t["question"] == "same test as published, other quantity: is the input used at all?"
    assert asked("cue_shape") == asked("colour_cosine") == asked("direction_error") == PUBLISHED
    assert asked("ssim") != PUBLISHED


def test_no_condition_weighs_more_than_another_in_the_null() -> None:
    # Twelve easy conditions in front: dealt in turn, 100 inputs would meet them 24 times.
    easy = np.where(np.arange(64) < 12, 1.0, 0.0)
    noise = np.broadcast_to(easy, (100, 64)) + np.random.default_rng(0).normal(0, 0.1, (100, 64))
    row = published(easy, noise).iloc[0]
    assert f"mean difference {float(easy.mean() - noise.mean()):.4g}" in row["note"]
    assert abs(easy.mean() - noise.mean()) < 0.01


def test_a_worse_score_than_noise_is_beyond_none_of_it() -> None:
    rng = np.random.default_rng(1)
    worse = published(rng.normal(0.6, 0.02, 64), rng.normal(0.3, 0.02, (100, 64)))
    assert worse["p"][0] < 1e-6  # two-sided, as published: it says that they differ
    assert worse["effect"][1] == 1


def draws(noise: np.ndarray, rng: np.random.Generator, times: int, groups=None) -> np.ndarray:
    k = noise.shape[1]
    of = np.full(k, times)
    return noise_means(noise, np.ones(k), times=of, groups=groups, draws=199, rng=rng)


@pytest.mark.parametrize(("conditions", "trials"), [(512, 4), (8, 20), (8, 1)])
def test_noise_is_as_sure_as_data_that_is_no_better(conditions: int, trials: int) -> None:
    """Of 512 conditions the mean is surer than that of the hundred inputs it is compared with."""
    rng, p, found = np.random.default_rng(1), [], []
    for _ in range(60):
        noise = np.repeat(rng.normal(size=(100, 1)), conditions, axis=1)
        own = rng.normal(size=(trials, conditions)).mean()
        null = draws(noise, rng, trials)
        p.append(float(rank_p(null, own)))
        found.append(float(rank_p(null, own + 4 * null.std())))
    # Of 60; the same hundred throughout: .25 of 512 conditions; one input a condition: p of 8
    # conditions of 20 trials between .2 and .8.
    assert np.mean(np.array(p) <= 0.05) <= 0.133
    assert np.mean((np.array(p) < 0.2) | (np.array(p) > 0.8)) > 0.2
    assert np.mean(np.array(found) <= 0.05) > 0.9


def test_conditions_of_one_presentation_get_the_same_inputs() -> None:
    noise = np.repeat(np.random.default_rng(0).normal(size=(100, 1)), 8, axis=1)
    alone, pairs = (
        draws(noise, np.random.default_rng(0), 3, groups).std()
        for groups in (None, np.arange(8) // 4)
    )
    assert pairs > 1.5 * alone
    undefined = noise.copy()
    undefined[:, 0], undefined[3] = np.nan, np.nan
    assert np.isfinite(draws(undefined, np.random.default_rng(0), 3)).all()


def test_pseudo_trials_of_few_recorded_trials_are_worth_those_few() -> None:
    rng = np.random.default_rng(0)
    condition = np.repeat([0, 2], [100, 4])
    source = np.concatenate([rng.integers(0, 10, (100, 50)), np.tile(np.arange(4), (50, 1)).T])
    pool = SimpleNamespace(sites=[None] * 50)
    pseudo = PseudoTrials(pool, condition, source, condition)  # type: ignore[arg-type]
    # 100 that draw from 10 have in common what 100 * 10 / 109 have; each once is each its own.
    assert independent_trials(pseudo).tolist() == [9, 4]
    random_sites = np.where(np.arange(104)[:, None] < 100, rng.integers(0, 50, (100 + 4, 50)), 0)
    more = PseudoTrials(pool, condition, source, condition, source_site=random_sites)  # type: ignore[arg-type]
    assert independent_trials(more)[0] > 60
