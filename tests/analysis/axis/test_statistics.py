"""Corrections and intervals."""

import numpy as np
import pytest

from mua_decode.analysis.axis import correct, share
from mua_decode.types import InputError


def test_holm_and_benjamini_hochberg_by_hand():
    p = np.array([0.01, np.nan, 0.04, 0.03])
    np.testing.assert_allclose(correct(p, "holm"), [0.03, np.nan, 0.06, 0.06])
    np.testing.assert_allclose(correct(p, "fdr_bh"), [0.03, np.nan, 0.04, 0.04])
    np.testing.assert_allclose(correct(p, "none"), p)
    with pytest.raises(InputError, match="fdr_bh"):
        correct(p, "bonferoni")


def test_share_has_an_exact_interval_and_none_of_nothing():
    value, low, high = share(np.arange(20) < 16)
    assert (value, low, high) == pytest.approx((0.8, 0.5634, 0.9427), abs=1e-3)
    assert np.isnan(share(np.zeros(0, bool))).all()
