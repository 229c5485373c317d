import numpy as np
import pytest

from mua_decode.simulation.rates import time_course
from mua_decode.simulation.tuning import von_mises


def test_von_mises_has_mean_zero_and_unit_depth() -> None:
    curve = von_mises(np.arange(0, 360, 1.0), kappa=2.0)
    assert curve.mean() == pytest.approx(0, abs=1e-9)
    assert np.ptp(curve) == pytest.approx(1)
    assert curve.argmax() == 0


def test_time_course_waits_peaks_settles_and_lingers() -> None:
    time_s = np.arange(0, 4, 0.01)
    one = np.ones(1)
    course = time_course(
        time_s,
        onset_s=0.5,
        offset_s=2.0,
        latency_s=0.1 * one,
        rise_s=0.01,
        transient_s=0.1 * one,
        sustained=0.4 * one,
        linger=0.25,
    )[:, 0]
    assert (course[time_s <= 0.6] == 0).all()
    assert 0.6 < time_s[course.argmax()] < 0.7
    assert course.max() > 0.75
    assert course[np.isclose(time_s, 1.9)] == pytest.approx(0.4, abs=1e-3)
    assert course[-1] == pytest.approx(0.1, abs=1e-3)
