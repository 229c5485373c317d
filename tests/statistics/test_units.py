from __future__ import annotations

import numpy as np
import pytest

from mua_decode.statistics import Interval, Units, interval_columns, unit_interval, unit_t
from mua_decode.types import InputError

ASKED = {"question": "q", "group": "V4", "metric": "m"}
LEVEL = np.indices((4, 4, 4)).reshape(3, -1)
CUES = Units.crossed([("cues", LEVEL[0])])
ALL = Units.crossed(list(zip(("cues", "colours", "directions"), LEVEL, strict=True)))
EACH = Units.each(64)


def drawn(rng: np.random.Generator, icc: float, *, factors: int) -> np.ndarray:
    """64 values of mean 0; ``icc`` of their variance is shared out over the first factors."""
    out = rng.normal(size=64) * (1 - icc) ** 0.5
    for level in LEVEL[:factors]:
        out += rng.normal(size=4)[level] * (icc / factors) ** 0.5
    return out


def covered(found: Interval) -> bool:
    return found.low <= 0 <= found.high


@pytest.mark.parametrize(
    ("units", "icc", "factors"), [(CUES, 0.5, 1), (CUES, 0.0, 1), (ALL, 0.5, 3), (ALL, 0.1, 2)]
)
def test_the_interval_over_units_covers(units: Units, icc: float, factors: int) -> None:
    rng = np.random.default_rng(0)
    kept = [
        covered(unit_interval(drawn(rng, icc, factors=factors), units, rng=rng))
        for _ in range(1500)
    ]
    assert 0.92 < np.mean(kept) < 0.985  # s.e. 0.006


def test_an_interval_that_takes_conditions_for_units_covers_too_little() -> None:
    rng = np.random.default_rng(1)
    kept = [covered(unit_interval(drawn(rng, 0.5, factors=1), EACH, rng=rng)) for _ in range(60)]
    assert np.mean(kept) < 0.7


def test_the_test_over_units_keeps_its_size_and_finds_what_all_units_share() -> None:
    rng = np.random.default_rng(2)
    p = [unit_t(drawn(rng, 0.5, factors=1), CUES, **ASKED).frame["p"][0] for _ in range(300)]
    assert 0.02 < np.mean(np.array(p) < 0.05) < 0.09
    found = unit_t(3 + drawn(rng, 0.2, factors=1), CUES, **ASKED).frame.iloc[0]
    assert found["p"] < 0.01
    assert (found["n"], found["n_unit"], found["df"]) == (4, "cues", 3)
    assert found["low"] < 3 < found["high"]
    crossed = unit_t(3 + drawn(rng, 0.2, factors=3), ALL, **ASKED).frame.iloc[0]
    assert crossed["p"] < 0.01
    assert (crossed["n"], crossed["n_unit"]) == (4, "cues × colours × directions")


def test_means_of_units_leave_out_what_is_undefined_and_labels_are_read_back() -> None:
    values = LEVEL[0].astype(float)
    values[:3] = np.nan
    assert CUES.means(values)[0].tolist() == [0, 1, 2, 3]
    assert CUES.count(values) == 4
    assert ALL.count(np.where(LEVEL[1] < 2, values, np.nan)) == 2
    again = Units.of_columns(ALL.name, ALL.labels)
    np.testing.assert_array_equal(again.levels, ALL.levels)


def test_an_interval_over_units_stands_beside_the_mean_it_is_centred_on() -> None:
    rng = np.random.default_rng(3)
    values = rng.normal(size=64) + 3 * LEVEL[0]
    values[(LEVEL[0] == 3) & (LEVEL[1] > 0)] = np.nan  # one cue has a quarter of its values
    found = interval_columns(values, CUES, rng=rng)
    ends = (found["units_low"], found["units_high"])
    assert found["units_mean"] == pytest.approx(np.mean(ends))
    assert found["units_mean"] == pytest.approx(CUES.means(values)[0].mean())
    assert found["units_mean"] - np.nanmean(values) > 0.5  # not the mean that tables print
    alone = interval_columns(values, EACH, rng=rng)
    assert alone["units_mean"] == pytest.approx(np.nanmean(values))


def test_what_cannot_be_concluded_is_said() -> None:
    one = unit_t(np.where(LEVEL[0] == 0, 1.0, np.nan), CUES, **ASKED).frame.iloc[0]
    assert np.isnan(one["p"])
    assert one["note"].endswith("fewer than 2 units")
    same = unit_t(np.zeros(64), CUES, **ASKED).frame.iloc[0]
    assert same["p"] == 1
    for units, p in ((CUES, 2.0**-3), (EACH, 2.0**-63), (ALL, 2.0**-3)):
        alike = unit_t(np.full(64, 0.3), units, **ASKED).frame.iloc[0]
        assert alike["p"] == p
        assert alike["test"].startswith("exact sign flip")
        assert ("smallest possible p" in alike["note"]) == (p > 0.05)
        assert np.isnan([alike["low"], alike["high"], alike["statistic"]]).all()
        ends = unit_interval(np.full(64, 0.3), units, rng=np.random.default_rng(0))
        assert (np.isnan(ends[1:]).all(), "are the same" in ends.reason) == (True, True)
    nothing = unit_interval(np.full(64, np.nan), ALL, rng=np.random.default_rng(0))
    assert all(np.isnan(nothing))
    with pytest.raises(InputError, match=r"expected levels \(M, 2\)"):
        Units("cues × colours", LEVEL[:1].T)
    with pytest.raises(InputError, match=r"expected values \(64,\)"):
        CUES.means(np.zeros(3))
