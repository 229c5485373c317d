import pytest

from mua_decode.benchmark.floor import step_operations
from mua_decode.benchmark.timing import Timing, time_alternately
from mua_decode.benchmark.workloads import Sizes


def test_programs_run_in_turn():
    calls = []
    times = time_alternately({n: (lambda n=n: calls.append(n)) for n in "ab"}, rounds=3)
    assert "".join(calls) == "ab" + "ab" * 3
    assert len(times["a"].seconds) == 3


def test_median_spread_and_ratio():
    fast, slow = Timing((1.0, 2.0, 3.0)), Timing((4.0, 6.0, 12.0))
    assert fast.median == 2.0
    assert fast.spread == pytest.approx(0.5)
    assert fast.ratio_to(slow) == 4.0


def test_operations_are_counted_from_the_shapes():
    sizes = Sizes(sites=140, bins=45, frame=32)
    assert step_operations("baseline", sizes) == pytest.approx(31.4e9, rel=0.01)
    assert step_operations("fused", sizes) < 20e9
