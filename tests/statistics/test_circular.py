import warnings

import numpy as np
import pytest
from scipy import stats

from mua_decode.statistics import folded_error, paired_circular, v_test
from mua_decode.types import InputError

NAMES = {"question": "q", "group": "MT", "metric": "direction", "n_unit": "conditions"}


@pytest.mark.parametrize("test", [v_test, paired_circular])
def test_level_is_five_per_cent_without_an_effect(test) -> None:  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(150):
        angles, other = rng.uniform(0, 360, (2, 12))
        second = {v_test: (30.0,), paired_circular: (other,)}[test]
        found = test(angles, *second, rng=rng, n_resamples=99, **NAMES)
        hits += found.frame["p"][0] <= 0.05
    assert 0.01 <= hits / 150 <= 0.1


def test_v_test_knows_where_the_angles_should_point() -> None:
    rng = np.random.default_rng(2)
    angles = np.rad2deg(rng.vonmises(np.pi / 2, 2.0, 16))
    right = v_test(angles, 90.0, rng=rng, **NAMES).frame.iloc[0]
    wrong = v_test(angles, -90.0, rng=rng, **NAMES).frame.iloc[0]
    assert right["p"] < 0.001
    assert wrong["p"] > 0.99
    assert right["effect"] == pytest.approx(np.cos(np.deg2rad(angles - 90)).mean())
    # The statistic is standard normal in large samples (Zar 2010, table B.35).
    uniform = v_test(np.linspace(0, 300, 200), 0.0, rng=rng, **NAMES).frame.iloc[0]
    assert uniform["p"] == pytest.approx(stats.norm.sf(uniform["statistic"]), abs=0.02)


def test_paired_errors_fold_and_few_pairs_are_permuted_completely() -> None:
    assert folded_error(np.array([0, 190, -190, 360, 180, 350])).tolist() == [
        0, 170, 170, 0, 180, 10,
    ]  # fmt: skip
    rng = np.random.default_rng(3)
    masked, unmasked = np.array([30.0, 350, -25, 40, 200]), np.array([1.0, 359, 2, -3, 358])
    found = paired_circular(masked, unmasked, rng=rng, **NAMES).frame.iloc[0]
    assert found["p"] == pytest.approx(2 / 2**5)
    difference = np.array([29, 9, 23, 37, 158])
    assert found["effect"] == pytest.approx(difference.mean())
    assert found["low"] < found["effect"] < found["high"]


def test_missing_and_degenerate_angles() -> None:
    rng = np.random.default_rng(4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        some = v_test(np.array([10.0, np.nan, 12, 14]), 0.0, rng=rng, **NAMES).frame.iloc[0]
        one = v_test(np.array([10.0]), 0.0, rng=rng, **NAMES).frame.iloc[0]
        same = paired_circular(np.ones(4), np.ones(4), rng=rng, **NAMES).frame.iloc[0]
        lost = paired_circular(np.array([1, np.nan]), np.ones(2), rng=rng, **NAMES).frame.iloc[0]
        equal = v_test(np.zeros(8), 0.0, rng=rng, **NAMES).frame.iloc[0]
    assert some["n"] == 3
    assert "1 angles with NaN" in some["note"]
    assert np.isnan(one["p"])
    assert same["p"] == 1
    assert np.isnan(lost["p"])
    assert equal["effect"] == 1
    assert equal["p"] < 0.001
    with pytest.raises(InputError, match="equal lengths"):
        paired_circular(np.ones(3), np.ones(4), rng=rng, **NAMES)
