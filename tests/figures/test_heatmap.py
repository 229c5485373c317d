from io import BytesIO

import numpy as np
import pandas as pd
import pytest

from mua_decode.figures import heatmap
from mua_decode.types import InputError


def _scores(values: np.ndarray) -> pd.DataFrame:
    rows = ("V4", "MT")
    return pd.DataFrame(
        [
            {"row": rows[i], "column": c, "value": values[i, j]}
            for i in range(2)
            for j, c in enumerate(("cue", "stimulus"))
        ]
    )


def test_cells_carry_numbers_and_missing_ones_none():
    table = _scores(np.array([[0.5, -1.0], [np.nan, 0.25]]))
    figure = heatmap(table, label="r", title="t", note="n")
    figure.savefig(BytesIO(), format="png")
    ax, bar = figure.axes
    assert [t.get_text() for t in ax.texts] == ["0.5", "-1", "0.25"]
    np.testing.assert_array_equal(ax.images[0].get_array()[0], [0.5, -1])
    assert ax.images[0].get_clim() == (-1, 1)  # white is zero
    assert bar.get_ylabel() == "r"
    assert [t.get_text() for t in ax.get_yticklabels()] == ["V4", "MT"]


def test_scale_lies_about_zero_even_where_all_values_have_one_sign():
    clim = heatmap(_scores(np.array([[0.5, 1], [2, 3]])), label="r").axes[0].images[0].get_clim()
    assert clim == (-3, 3)
    same = heatmap(_scores(np.zeros((2, 2))), label="r").axes[0].images[0].get_clim()
    assert same[1] > same[0]


def test_numbers_can_be_read_on_their_colour():
    ax = heatmap(_scores(np.array([[0.0, 1], [2, 3]])), label="r").axes[0]
    assert [t.get_color() for t in ax.texts][::3] == ["black", "white"]


def test_wrong_tables_are_named():
    table = _scores(np.ones((2, 2)))
    with pytest.raises(InputError, match="lack column"):
        heatmap(table[["row", "value"]], label="r")
    with pytest.raises(InputError, match="comes twice"):
        heatmap(pd.concat([table, table]), label="r")
    with pytest.raises(InputError, match="no number"):
        heatmap(table.assign(value=np.nan), label="r")
