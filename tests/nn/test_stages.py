import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mua_decode.nn import derive_time_pools, stage_sizes
from mua_decode.nn.stages import as_pools


@pytest.mark.parametrize(
    ("bins", "pools"),
    [(45, (3, 3, 5, 1)), (1, (1, 1, 1, 1)), (11, (2, 2, 3, 1)), (47, (3, 4, 4, 1))],
)
def test_time_pools(bins, pools):
    assert derive_time_pools(bins) == pools


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 2000))
def test_time_pools_leave_one_bin(bins):
    pools = derive_time_pools(bins)
    assert math.prod(pools) >= bins
    sizes, _ = stage_sizes((bins, 32, 32), as_pools(None, (2, 2, 2, 2), n_bins=bins))
    assert sizes[-1] == (1, 2, 2)


@settings(max_examples=50, deadline=None)
@given(st.tuples(*[st.integers(1, 60)] * 3))
def test_a_window_never_exceeds_what_it_pools(size):
    sizes, windows = stage_sizes(size, ((3, 2, 2), (3, 2, 2), (5, 2, 2), (1, 2, 2)))
    for before, after, window in zip(sizes, sizes[1:], windows, strict=False):
        for n, m, w in zip(before, after, window, strict=True):
            assert w <= n
            assert m == math.ceil(n / w)


def test_wrong_factors_are_refused():
    with pytest.raises(ValueError, match="time_pools"):
        as_pools((3, 3), (2, 2, 2, 2), n_bins=9)
    with pytest.raises(ValueError, match="at least 1"):
        as_pools((0, 3, 1, 1), (2, 2, 2, 2), n_bins=9)
    with pytest.raises(ValueError, match="n_bins"):
        derive_time_pools(0)
