"""Intervals of pooled numbers hold what they promise at the number of units there is."""

from __future__ import annotations

import numpy as np
import pytest

from mua_decode.statistics import jackknife_interval, pooled_interval


@pytest.mark.parametrize("sessions", [2, 3, 6])
def test_few_sessions_of_unequal_size_cover(sessions: int) -> None:
    rng, inside, runs = np.random.default_rng(sessions), 0, 400
    for _ in range(runs):
        unit = np.repeat(np.arange(sessions), rng.integers(3, 20, sessions))
        value = 0.5 * rng.normal(size=sessions)[unit] + rng.normal(size=len(unit))
        found = pooled_interval(value, unit)
        inside += found.low <= 0 <= found.high
    assert 0.915 < inside / runs < 0.98  # s.e. 0.011; a cluster bootstrap: .49, .78, .84


@pytest.mark.parametrize(("units", "each"), [(6, 1), (8, 2), (16, 1)])
def test_a_correlation_left_out_unit_by_unit_covers(units: int, each: int) -> None:
    """Values of a unit share noise; the slope differs between units."""
    rng, inside, runs = np.random.default_rng(units), 0, 300

    def pair(n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        unit = np.repeat(np.arange(n), each)
        x = rng.normal(size=(len(unit), 20))
        noise = 0.8 * rng.normal(size=(n, 20))[unit] + 0.6 * rng.normal(size=x.shape)
        slope = (0.5 + 0.4 * rng.normal(size=n))[unit, None]
        return x, slope * x + noise, unit

    def fisher(x: np.ndarray, y: np.ndarray) -> float:
        return float(np.arctanh(np.corrcoef(x.ravel(), y.ravel())[0, 1]))

    true = fisher(*pair(20_000)[:2])
    for _ in range(runs):
        x, y, unit = pair(units)
        found = jackknife_interval(lambda keep, x=x, y=y: fisher(x[keep], y[keep]), unit)  # type: ignore[misc]
        inside += found.low <= true <= found.high
    assert 0.91 < inside / runs < 0.985


def test_one_unit_has_no_interval() -> None:
    values, one = np.arange(5.0), np.zeros(5)
    for found in (
        pooled_interval(values, one),
        jackknife_interval(lambda keep: float(values[keep].mean()), one),
    ):
        assert found.estimate == 2
        assert np.isnan(found.low)
        assert np.isnan(found.high)


def test_leaving_out_units_of_a_mean_is_the_t_interval_of_their_means() -> None:
    values, unit = np.random.default_rng(0).normal(size=40), np.repeat(np.arange(4), 10)
    left = jackknife_interval(lambda keep: float(values[keep].mean()), unit)
    assert left == pytest.approx(pooled_interval(values, unit))


def test_resampled_units_cover_too() -> None:
    rng, inside, runs = np.random.default_rng(0), 0, 200
    for _ in range(runs):
        unit = np.repeat(np.arange(25), rng.integers(2, 9, 25))
        value = rng.normal(0, 0.5, 25)[unit] + rng.standard_normal(len(unit))
        found = pooled_interval(value, unit)
        inside += found.low <= 0 <= found.high
    assert 0.91 <= inside / runs <= 0.985
    median = pooled_interval(value, unit, of="median")
    assert median.low < np.median(value) == median.estimate < median.high


def test_equal_units_give_the_t_interval_of_their_means() -> None:
    rng = np.random.default_rng(0)
    value, unit = rng.standard_normal(40), np.repeat(np.arange(4), 10)
    means = value.reshape(4, 10).mean(axis=1)
    half = 3.182446 * means.std(ddof=1) / 2
    expected = (means.mean(), means.mean() - half, means.mean() + half)
    assert pooled_interval(value, unit) == pytest.approx(expected, abs=1e-5)
    assert np.isnan(pooled_interval(np.full(3, np.nan), np.arange(3))).all()
