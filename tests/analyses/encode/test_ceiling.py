from __future__ import annotations

import numpy as np
import pytest

from mua_decode.analyses.encode.ceiling import deal_halves, spearman_brown, split_half
from mua_decode.data.recorded import SessionTrials, condition_means

K, T = 24, 8


def session(
    values: np.ndarray, condition: np.ndarray, presentation: np.ndarray | None = None
) -> SessionTrials:
    r, _, n = values.shape
    return SessionTrials(
        values=values.astype(np.float32),
        observed=np.ones((r, n), bool),
        condition=condition,
        presentation=np.arange(r) if presentation is None else presentation,
        columns=np.arange(n),
    )


def run(s: SessionTrials, averages: np.ndarray | None = None, splits: int = 20):  # type: ignore[no-untyped-def]
    n = s.values.shape[2]
    averages = np.ones((1, n), bool) if averages is None else averages
    size = {"n_conditions": K, "n_bins": T, "n_sites": n}
    return split_half([s], averages=averages, splits=splits, rng=np.random.default_rng(0), **size)


@pytest.mark.parametrize(("trials", "noise"), [(4, 1.0), (5, 2.0), (8, 1.0)])
def test_reliability_is_the_share_of_signal_in_the_mean(trials: int, noise: float) -> None:
    rng = np.random.default_rng(1)
    condition = np.repeat(np.arange(K), trials)
    signal = rng.normal(size=(K, T, 12))
    values = signal[condition] + noise * rng.normal(size=(K * trials, T, 12))
    sites, region = run(session(values, condition))
    expected = 1 / (1 + noise**2 / trials)
    assert sites.average.mean() == pytest.approx(expected, abs=0.03)
    assert sites.single.mean() == pytest.approx(1 / (1 + noise**2), abs=0.04)
    assert (sites.p < 0.001).all()
    assert region.average[0] == pytest.approx(expected, abs=0.1)
    # The root of the reliability is what a perfect model reaches.
    mean = condition_means([session(values, condition)], n_conditions=K, n_bins=T, n_sites=12)[0]
    reached = [np.corrcoef(mean[..., n].ravel(), signal[..., n].ravel())[0, 1] for n in range(12)]
    assert np.mean(reached) == pytest.approx(np.sqrt(sites.average).mean(), abs=0.02)


def test_noise_alone_is_reliable_as_often_as_the_level_says() -> None:
    rng = np.random.default_rng(2)
    condition = np.repeat(np.arange(K), 4)
    # Trials differ by an offset each: bins of a trial are far from independent.
    values = rng.normal(size=(K * 4, 1, 300)) + 0.3 * rng.normal(size=(K * 4, T, 300))
    sites, _ = run(session(values, condition), splits=5)
    assert 0.01 < (sites.p < 0.05).mean() < 0.09
    assert abs(np.nanmean(sites.half_r)) < 0.03


def test_unequal_trials_are_counted_by_their_harmonic_mean() -> None:
    rng = np.random.default_rng(6)
    trials = np.tile([2, 20], K // 2)
    condition = np.repeat(np.arange(K), trials)
    signal = rng.normal(size=(K, T, 40))
    values = signal[condition] + 3 * rng.normal(size=(len(condition), T, 40))
    sites, _ = run(session(values, condition))
    assert sites.single.mean() == pytest.approx(0.1, abs=0.015)  # arithmetic means: .04
    assert sites.average.mean() == pytest.approx(1 / (1 + 9 * (1 / trials).mean()), abs=0.03)


def test_conditions_of_one_presentation_are_one_unit_of_the_test() -> None:
    rng = np.random.default_rng(7)
    condition, presentation = np.tile(np.arange(K), 4), np.arange(K * 4) // 4
    # Four conditions in a row are parts of one presentation, which has an offset of its own.
    values = rng.normal(size=(K, 1, 300))[presentation] + 0.3 * rng.normal(size=(K * 4, T, 300))
    size = {"n_conditions": K, "n_bins": T, "n_sites": 300}
    found = {}
    for name, groups in (("each", None), ("groups", np.arange(K) // 4)):
        rng_split = np.random.default_rng(0)
        sites, _ = split_half(
            [session(values, condition, presentation)],
            averages=np.ones((1, 300), bool), splits=5, rng=rng_split, groups=groups, **size,
        )  # fmt: skip
        found[name] = (sites.p < 0.05).mean()
        assert sites.n_groups[0] == (K if groups is None else 6)
    assert 0.01 < found["groups"] < 0.1
    assert found["each"] > 0.12


def test_noise_shared_by_sites_does_not_pass_for_signal() -> None:
    rng = np.random.default_rng(3)
    condition = np.repeat(np.arange(K), 6)
    shared = rng.normal(size=(K * 6, T, 1))
    values = shared + 0.1 * rng.normal(size=(K * 6, T, 5))
    _, region = run(session(values, condition))
    assert abs(region.half_r[0]) < 0.15


def test_trials_of_one_presentation_stay_in_one_half() -> None:
    rng = np.random.default_rng(4)
    condition = np.repeat(np.arange(K), 8)
    presentation = np.arange(K * 8) // 2
    noise = rng.normal(size=(K * 4, T, 6))
    sites, _ = run(session(noise[presentation], condition, presentation))
    assert np.abs(sites.half_r).max() < 0.25
    separate, _ = run(session(noise[presentation], condition))
    assert separate.half_r.min() > 0.3  # what splitting them would have claimed


def test_halves_are_equal_and_an_odd_trial_is_left_out() -> None:
    condition = np.array([0] * 5 + [1] * 4 + [2])
    for seed in range(20):
        half = deal_halves(condition, np.arange(10), np.random.default_rng(seed))
        for k, (first, second, out) in enumerate([(2, 2, 1), (2, 2, 0), (0, 0, 1)]):
            mine = half[condition == k]
            assert [(mine == h).sum() for h in (0, 1, -1)] == [first, second, out]


def test_one_trial_per_condition_has_no_reliability() -> None:
    values = np.random.default_rng(5).normal(size=(K, T, 3))
    sites, region = run(session(values, np.arange(K)))
    for found in (sites, region):
        assert np.isnan(found.half_r).all()
        assert np.isnan(found.average).all()
        assert np.isnan(found.p).all()


def test_spearman_brown() -> None:
    assert spearman_brown(np.array(0.5), 2) == pytest.approx(2 / 3)
    assert spearman_brown(spearman_brown(np.array(0.3), 4), 1 / 4) == pytest.approx(0.3)
    assert np.isnan(spearman_brown(np.array(-1.0), 2))


def test_missing_trials_are_left_out_of_means() -> None:
    values = np.ones((4, T, 2))
    values[1] = 3
    observed = np.array([[True, True], [True, False], [True, True], [False, True]])
    condition = np.array([0, 0, 1, 2])
    s = SessionTrials(
        (values * observed[:, None]).astype(np.float32), observed, condition, np.arange(4),
        np.array([1, 0]),
    )  # fmt: skip
    mean, number = condition_means([s], n_conditions=3, n_bins=T, n_sites=2)
    assert number.tolist() == [[1, 2], [1, 1], [1, 0]]
    np.testing.assert_allclose(mean[0, 0], [1, 2])
    assert np.isnan(mean[2, :, 1]).all()
