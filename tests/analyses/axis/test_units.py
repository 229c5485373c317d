"""Intervals over sessions hold what they promise where sites of a session share its noise."""

import numpy as np
import pytest

from mua_decode.analyses.axis.units import Units, unit_correlation, unit_share
from mua_decode.statistics import median_interval, share
from mua_decode.types import SiteTable


def _sites(session, subject):
    n = len(session)
    return SiteTable([f"s{i}" for i in range(n)], ["IT"] * n, session, subject)


def test_subjects_where_two_are_known_else_sessions():
    assert Units.of_sites(_sites(["a", "b", "c"], ["x", "x", "y"])).name == "subjects"
    assert Units.of_sites(_sites(["a", "b"], ["x", "x"])).name == "sessions"
    assert Units.of_sites(_sites(["a", "b"], ["", "y"])).name == "sessions"
    one = Units.of_sites(_sites(["a", "a"], ["x", "x"]))
    assert one.said == "one of the sessions: no interval over sessions"
    assert np.isnan(unit_share(np.array([True, False]), one.label).low)


@pytest.mark.parametrize(("n_units", "runs"), [(3, 150), (8, 100)])
def test_intervals_over_units_cover_and_those_over_sites_do_not(n_units, runs):
    rng, inside = np.random.default_rng(n_units), np.zeros(4)
    for _ in range(runs):
        unit = np.repeat(np.arange(n_units), rng.integers(15, 40, n_units))
        hit = rng.random(len(unit)) < rng.beta(1.6, 2.4, n_units)[unit]
        value = rng.normal(0, 0.2, n_units)[unit] + rng.normal(0, 0.3, len(unit))
        few = {"rng": rng, "draws": 100}
        found = (
            (unit_share(hit, unit), 0.4),
            (unit_correlation(value, unit), 0),
            (share(hit), 0.4),
            (median_interval(value, **few), 0),
        )
        inside += [i.low <= true <= i.high for i, true in found]
    covered = inside / runs
    tolerance = 2.6 * np.sqrt(0.05 * 0.95 / runs)
    assert (covered[:2] > 0.95 - tolerance).all()
    assert (covered[2:] < 0.85).all()


def test_a_share_that_no_unit_contradicts_keeps_the_exact_interval():
    unit = np.repeat([0, 1, 2], 10)
    found = unit_share(np.zeros(30, bool), unit)
    assert found == share(np.zeros(30, bool))
