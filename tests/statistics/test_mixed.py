from __future__ import annotations

import numpy as np
import pytest

from mua_decode.statistics import Units, mixed_mean, unit_t

ASKED = {"question": "q", "group": "V4", "metric": "m"}
LEVEL = np.indices((4, 4, 4)).reshape(3, -1)
ALL = Units.crossed(list(zip(("cues", "colours", "directions"), LEVEL, strict=True)))


def of_sessions(rng: np.random.Generator, mean: float) -> tuple[np.ndarray, Units]:
    session = np.repeat(np.arange(8), rng.integers(3, 25, 8))
    value = mean + 0.5 * rng.normal(size=8)[session] + rng.normal(size=len(session))
    return value, Units.crossed([("sessions", session)])


def of_conditions(rng: np.random.Generator, mean: float) -> tuple[np.ndarray, Units]:
    shared = sum(s * rng.normal(size=4)[f] for s, f in zip((1.0, 0.5), LEVEL, strict=False))
    return mean + shared + rng.normal(size=64), ALL


@pytest.mark.parametrize("draw", [of_sessions, of_conditions])
def test_its_size_holds_it_finds_what_is_planted_and_agrees_with_unit_means(draw) -> None:  # type: ignore[no-untyped-def]
    rng, p, found, agree = np.random.default_rng(0), [], [], 0
    for _ in range(24):
        values, units = draw(rng, 0.0)
        p.append(mixed_mean(values, units, **ASKED).frame["p"][0])
        agree += (p[-1] <= 0.05) == (unit_t(values, units, **ASKED).frame["p"][0] <= 0.05)
    for _ in range(6):
        found.append(mixed_mean(*draw(rng, 4.0), **ASKED).frame.iloc[0])
    assert np.mean(np.array(p) <= 0.05) <= 0.2  # of 24; counted one by one: .4 and more
    assert agree >= 21
    assert np.mean([row["p"] <= 0.05 for row in found]) > 0.8
    assert np.mean([row["low"] < 4 < row["high"] for row in found]) > 0.7


def test_factors_that_do_nothing_are_left_out_and_what_is_left_agrees_with_unit_means() -> None:
    rng, p = np.random.default_rng(0), []
    for _ in range(60):
        values = rng.normal(size=64)
        mixed, plain = (f(values, ALL, **ASKED).frame.iloc[0] for f in (mixed_mean, unit_t))
        assert mixed["p"] == pytest.approx(plain["p"], abs=0.06)
        left_out = mixed["note"] == (
            "share of the variance: cues 0.00, colours 0.00, directions 0.00, residual 1.00"
        )
        if left_out:
            assert mixed["df"] == 63
        p.append(left_out)
    assert 0.3 < np.mean(p) < 0.8  # by chance a factor moves its means in .46 of them


def test_what_cannot_be_fitted_says_so() -> None:
    one = Units.crossed([("sessions", np.zeros(5))])
    for values, units, said in (
        (np.arange(5.0), one, "one of the sessions, no interval over sessions"),
        (np.arange(5.0), Units.each(5), "no conditions are shared"),
        (np.ones(64), ALL, "every value is the same"),
    ):
        row = mixed_mean(values, units, **ASKED).frame.iloc[0]
        assert np.isnan(row["p"])
        assert row["note"] == said
    assert mixed_mean(np.zeros(64), ALL, **ASKED).frame["p"][0] == 1
    values, units = of_sessions(np.random.default_rng(0), 0.0)
    values[:2] = np.nan
    assert "2 values with NaN left out" in mixed_mean(values, units, **ASKED).frame["note"][0]
