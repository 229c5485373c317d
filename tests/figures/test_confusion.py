from io import BytesIO

import numpy as np
import pytest

from mua_decode.figures import confusion
from mua_decode.types import InputError


def test_rows_are_shares_in_the_order_of_groups():
    condition = np.array([0, 0, 0, 1, 1, 3])
    identified = np.array([0, 2, -1, 1, 0, 3])
    figure = confusion(condition, identified, names=list("abcd"), groups=["x", "y", "x", "y"])
    figure.savefig(BytesIO(), format="png")
    ax = figure.axes[0]
    shown = np.ma.filled(ax.images[0].get_array().astype(float), np.nan)
    third = 1 / 3
    expected = [[third, third, 0, 0], [np.nan] * 4, [0.5, 0, 0.5, 0], [0, 0, 0, 1]]
    np.testing.assert_allclose(shown, expected)
    assert [t.get_text() for t in ax.get_yticklabels()] == ["a", "c", "b", "d"]
    assert "50.0% of 6 trials right, chance 25.0%; grey: no trial (1 of 4" in ax.get_title()


@pytest.mark.parametrize(("groups", "n_labels"), [(True, 5), (False, 34)])
def test_many_conditions_are_labelled_readably(groups, n_labels):
    k = 100
    names = [f"condition {i}" for i in range(k)]
    cues = [f"cue {i // 20}" for i in range(k)] if groups else None
    figure = confusion(np.arange(k), np.arange(k), names=names, groups=cues)
    figure.savefig(BytesIO(), format="png")
    assert len(figure.axes[0].get_xticks()) == n_labels


def test_conditions_out_of_range_are_refused():
    with pytest.raises(InputError, match=r"outside 0\.\.1"):
        confusion(np.array([0, 2]), np.array([0, 1]), names=["a", "b"])
    with pytest.raises(InputError, match="one filled"):
        confusion(np.zeros(0, int), np.zeros(0, int), names=["a", "b"])
    with pytest.raises(InputError, match="2 groups"):
        confusion(np.array([0]), np.array([0]), names=["a", "b"], groups=["x"])
