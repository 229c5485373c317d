import numpy as np
import pytest

from mua_decode.statistics import (
    gaussian_input_null,
    label_permutation,
    noise_comparison,
    permutation_null,
    rank_p,
)
from mua_decode.types import InputError

NAMES = {"question": "q", "group": "decoder", "metric": "ssim"}


def difference(values: np.ndarray):  # type: ignore[no-untyped-def]
    return lambda labels: float(values[labels == 1].mean() - values[labels == 0].mean())


def test_level_and_power() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 10)
    p = [
        float(permutation_null(difference(rng.normal(size=20)), labels, n=39, rng=rng).p)
        for _ in range(300)
    ]
    assert 0.02 <= np.mean(np.array(p) <= 0.05) <= 0.085
    found = permutation_null(difference(labels + 0.1 * rng.normal(size=20)), labels, n=99, rng=rng)
    assert found.p == 1 / 100
    assert abs(found.null.mean()) < 0.2


def test_groups_keep_their_labels() -> None:
    labels, groups = np.array([0, 0, 1, 1, 2, 2, 2]), np.array([0, 0, 0, 1, 1, 1, 1])
    seen = []
    permutation_null(lambda x: seen.append(x.copy()) or 0.0, labels, groups=groups, n=50, rng=np.random.default_rng(0))  # fmt: skip # noqa: E501
    assert len(seen) == 51
    for one in seen:
        assert sorted(one[:3]) == [0, 0, 1]
        assert sorted(one[3:]) == [1, 2, 2, 2]
    assert len({tuple(one) for one in seen}) > 3


def test_a_statistic_that_never_changes_has_p_one_and_an_undefined_one_none() -> None:
    rng = np.random.default_rng(0)
    found = permutation_null(lambda _: np.array([1.0, np.nan]), np.arange(4), n=9, rng=rng)
    np.testing.assert_array_equal(found.p, [1.0, np.nan])
    with pytest.raises(InputError, match=r"found \(3,\)"):
        permutation_null(lambda _: 0.0, np.arange(4), groups=np.arange(3), rng=rng)
    with pytest.raises(InputError, match="at least 1"):
        permutation_null(lambda _: 0.0, np.arange(4), n=0, rng=rng)


def test_gaussian_noise_is_the_published_chance() -> None:
    noise = np.linspace(0, 1, 100)
    best = gaussian_input_null(noise, 1.5, **NAMES).frame.iloc[0]
    assert best["p"] == pytest.approx(1 / 101)
    assert best["statistic"] == pytest.approx(1 / noise.std(ddof=1))
    assert best["effect"] == pytest.approx(1.0)
    assert (best["low"], best["high"]) == pytest.approx((1.5 - 0.975, 1.5 - 0.025))
    assert (best["n"], best["n_unit"]) == (100, "reconstructions of Gaussian noise")
    assert "Gaussian noise inputs" in best["test"]
    assert gaussian_input_null(noise, 0.5, **NAMES).frame["p"][0] == pytest.approx(51 / 101)
    low = gaussian_input_null(noise, -0.5, better="lower", **NAMES).frame.iloc[0]
    assert low["p"] == pytest.approx(1 / 101)
    assert low["statistic"] > 0


def test_level_of_the_gaussian_null_and_missing_scores() -> None:
    rng = np.random.default_rng(1)
    scores = rng.normal(size=(300, 101))
    p = [gaussian_input_null(s[1:], float(s[0]), **NAMES).frame["p"][0] for s in scores]
    assert 0.02 <= np.mean(np.array(p) < 0.05) <= 0.085
    lost = gaussian_input_null(np.array([np.nan, 0.1, 0.2]), 0.3, **NAMES).frame.iloc[0]
    assert lost["n"] == 2
    assert "1 noise scores with NaN" in lost["note"]
    assert np.isnan(gaussian_input_null(np.ones(3), np.nan, **NAMES).frame["p"][0])
    flat = gaussian_input_null(np.ones(3), 2.0, **NAMES).frame.iloc[0]
    assert np.isnan(flat["statistic"])
    assert flat["p"] == pytest.approx(1 / 4)
    with pytest.raises(InputError, match="better"):
        gaussian_input_null(np.ones(3), 2.0, better="more", **NAMES)


def test_ties_survive_rounding_and_a_null_without_a_value_counts_as_reached() -> None:
    null = np.full(99, 0.123456789)
    rounded = float(f"{null[0] + 5e-7:.6g}")
    assert rounded > null[0]
    assert gaussian_input_null(null, rounded, **NAMES).frame["p"][0] == 1
    assert gaussian_input_null(-null, -0.123456, better="lower", **NAMES).frame["p"][0] == 1
    assert gaussian_input_null(null, 0.1236, **NAMES).frame["p"][0] == 1 / 100
    assert rank_p(np.array([0.0, np.nan, np.nan, 2.0]), 1.0) == 4 / 5
    scores = iter([1.0, *[np.nan] * 9])
    found = permutation_null(lambda _: next(scores), np.arange(4), n=9, rng=np.random.default_rng())
    assert found.p == 1


def test_level_and_power_of_permuted_conditions() -> None:
    rng = np.random.default_rng(2)
    p = []
    for _ in range(200):
        table = rng.normal(size=(8, 1)) + rng.normal(size=(1, 8)) + rng.normal(size=(8, 8)) + 5
        p.append(label_permutation(table, rng=rng, n=199, **NAMES).frame["p"][0])
    assert 0.015 <= np.mean(np.array(p) <= 0.05) <= 0.095
    better = table - 4 * np.eye(8)
    row = label_permutation(better, rng=rng, better="lower", n=999, **NAMES).frame.iloc[0]
    assert row["p"] <= 0.005
    assert row["statistic"] == pytest.approx(better.diagonal().mean())
    assert row["effect"] == pytest.approx(row["statistic"] - better.mean(), abs=0.1)
    assert row["low"] < row["effect"] < row["high"] < 0
    assert (row["n"], row["n_unit"]) == (8, "conditions")


def test_conditions_without_a_score_of_what_was_shown_are_left_out() -> None:
    table = np.eye(6)
    table[:, 2] = np.nan
    row = label_permutation(table, rng=np.random.default_rng(0), n=99, **NAMES).frame.iloc[0]
    assert (row["n"], row["statistic"]) == (5, 1)
    assert "1 conditions without a score" in row["note"]
    nothing = label_permutation(np.full((3, 3), np.nan), rng=np.random.default_rng(0), **NAMES)
    assert np.isnan(nothing.frame["p"][0])
    with pytest.raises(InputError, match="expected a table"):
        label_permutation(table[:4], rng=np.random.default_rng(0), **NAMES)
    with pytest.raises(InputError, match="better"):
        label_permutation(table, rng=np.random.default_rng(0), n=0, **NAMES)


def test_the_published_comparison_with_noise_is_a_t_of_162_and_a_fraction() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(size=100)
    better = noise_comparison(rng.normal(2, 1, 64), noise, **NAMES).frame
    assert better["df"][0] == 162
    assert better["p"][0] < 1e-6
    assert better["effect"][1] < 0.1
    assert np.isnan(better["p"][1])
    p = [noise_comparison(*rng.normal(size=(2, 64)), **NAMES).frame["p"][0] for _ in range(200)]
    assert 0.01 < np.mean(np.array(p) <= 0.05) < 0.1
    lower = noise_comparison(np.full(3, -9.0), noise, better="lower", **NAMES).frame
    assert lower["effect"][1] == 0
    lost = noise_comparison(np.full(3, np.nan), noise, **NAMES).frame
    assert lost["p"].isna().all()
    assert np.isnan(lost["effect"][1])
