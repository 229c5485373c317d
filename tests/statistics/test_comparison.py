import warnings

import numpy as np
import pytest
from scipy import optimize, stats

from mua_decode.statistics import paired_t, unpaired_t
from mua_decode.types import HypothesisTable, InputError

NAMES = {"question": "q", "group": "MT", "metric": "m", "n_unit": "conditions"}
TESTS = [unpaired_t, paired_t]


def row(table: HypothesisTable) -> dict:
    assert len(table) == 1
    return table.frame.iloc[0].to_dict()


def pair(n: int = 64, shift: float = 0.4) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    base = rng.normal(size=n)
    return base + shift + 0.5 * rng.normal(size=n), base


def test_published_test_has_126_degrees_of_freedom_and_scipys_numbers() -> None:
    a, b = pair()
    found, expected = row(unpaired_t(a, b, **NAMES)), stats.ttest_ind(a, b)
    assert (found["df"], found["n"], found["correction"]) == (126, 128, "none")
    assert found["statistic"] == pytest.approx(expected.statistic)
    assert found["p"] == pytest.approx(expected.pvalue)
    pooled = np.sqrt((a.var(ddof=1) + b.var(ddof=1)) / 2)
    assert found["effect"] == pytest.approx((a.mean() - b.mean()) / pooled)


def test_interval_of_cohens_d_inverts_the_noncentral_t() -> None:
    a, b = pair(12)
    found = row(unpaired_t(a, b[:9], **NAMES))
    scale = np.sqrt(12 * 9 / 21)
    for column, q in (("low", 0.975), ("high", 0.025)):
        exact = optimize.brentq(
            lambda nc, q=q: stats.nct.cdf(found["statistic"], 19, nc) - q, -10, 10
        )
        assert found[column] == pytest.approx(exact / scale, abs=1e-5)


def test_paired_t_equals_scipy_with_its_interval() -> None:
    a, b = pair()
    found, expected = row(paired_t(a, b, **NAMES)), stats.ttest_rel(a, b)
    interval = expected.confidence_interval()
    assert (found["df"], found["n"]) == (63, 64)
    assert found["p"] == pytest.approx(expected.pvalue)
    assert (found["low"], found["high"]) == pytest.approx((interval.low, interval.high))
    assert found["effect"] == pytest.approx((a - b).mean())
    assert f"dz {(a - b).mean() / (a - b).std(ddof=1):.3g}" in found["note"]


@pytest.mark.parametrize("test", TESTS)
def test_level_is_five_per_cent_when_nothing_differs(test) -> None:  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(0)
    hits = [test(*rng.normal(size=(2, 15)), **NAMES).frame["p"][0] < 0.05 for _ in range(200)]
    assert 0.015 <= np.mean(hits) <= 0.09


@pytest.mark.parametrize("test", TESTS)
def test_nan_is_dropped_and_counted(test) -> None:  # type: ignore[no-untyped-def]
    a, b = pair()
    a[[1, 5]] = np.nan
    found = row(test(a, b, **NAMES))
    assert "2 " in found["note"]
    assert "NaN left out" in found["note"]
    keep = np.delete(np.arange(64), [1, 5])
    clean = row(test(a[keep], b if test is unpaired_t else b[keep], **NAMES))
    assert found["p"] == pytest.approx(clean["p"])
    assert found["n"] == (126 if test is unpaired_t else 62)


@pytest.mark.parametrize("test", TESTS)
def test_degenerate_input_is_said_not_warned_about(test) -> None:  # type: ignore[no-untyped-def]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        same = row(test(np.full(5, 0.1), np.full(5, 0.1), **NAMES))
        few = row(test(np.ones(1), np.zeros(1), **NAMES))
        empty = row(test(np.full(3, np.nan), np.ones(3), **NAMES))
        shifted = row(test(np.full(8, 0.3), np.full(8, 0.1), **NAMES))
    assert same["p"] == 1
    assert np.isnan(few["p"])
    assert "fewer than 2" in few["note"]
    assert np.isnan(empty["p"])
    assert "NaN left out" in empty["note"]
    assert np.isnan(shifted["p"])
    assert shifted["note"]


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(InputError, match="equal lengths"):
        paired_t(np.ones(3), np.ones(4), **NAMES)
    with pytest.raises(InputError, match="one value per unit"):
        unpaired_t(np.ones((3, 2)), np.ones(4), **NAMES)
    with pytest.raises(InputError, match="infinite"):
        paired_t(np.array([np.inf, 1]), np.ones(2), **NAMES)
