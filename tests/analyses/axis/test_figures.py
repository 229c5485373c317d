"""Figures of the axis analyses draw what they are given."""

import numpy as np
import pandas as pd
import pytest

from mua_decode.analyses.axis.figures.imagery import imagery_scatter, reality_curve
from mua_decode.analyses.axis.figures.tuning import axis_ramps, tuning_shares
from mua_decode.figures.image_gallery import image_gallery
from mua_decode.types import InputError


def test_ramps_show_examples_and_the_mean():
    rng = np.random.default_rng(0)
    curves = rng.random((6, 8))
    given = {"names": list("abcdef"), "correlation": np.linspace(0, 1, 6), "title": ""}
    figure = axis_ramps(
        np.arange(8.0), curves, curves, **given, tuned=np.arange(6) > 1, n_examples=3
    )
    assert len(figure.axes) == 4
    titles = [ax.get_title() for ax in figure.axes]
    assert titles[0].startswith("f")  # the best tuned site first
    assert "4 tuned sites" in titles[-1]
    with pytest.raises(InputError, match="curves must be"):
        axis_ramps(np.arange(7.0), curves, curves, **given, tuned=np.ones(6, bool))


def test_shares_have_a_bar_per_region_and_space():
    shares = pd.DataFrame(
        [
            {
                "space": s,
                "region": r,
                "share_tuned": 0.5,
                "share_low": 0.3,
                "share_high": 0.7,
                "n_sites": 10,
            }
            for s in ("one", "two")
            for r in ("all", "V4", "IT")
        ]
    )
    sites = pd.DataFrame({"space": ["one", "two"], "region": "V4", "heldout_correlation": 0.5})
    figure = tuning_shares(shares, sites, title="")
    assert len(figure.axes[0].patches) == 4
    with pytest.raises(InputError, match="lacks n_sites"):
        tuning_shares(shares.drop(columns="n_sites"), sites, title="")


def test_gallery_has_a_cell_per_image():
    rows = {"a": np.zeros((3, 3, 8, 8)), "b": np.ones((3, 1, 4, 4))}
    assert len(image_gallery(rows, captions={"a": ["1", "2", "3"]}, title="").axes) == 6
    with pytest.raises(InputError, match="with one M"):
        image_gallery({"a": np.zeros((3, 3, 8, 8)), "b": np.zeros((2, 3, 8, 8))}, title="")


def test_scatter_and_curve_draw():
    rng = np.random.default_rng(0)
    a, b = rng.random((5, 7)), rng.random((5, 7))
    given = {"correlation": np.zeros(7), "scale": np.full(7, np.nan), "title": ""}
    assert len(imagery_scatter(a, b, reactivated=np.arange(7) > 3, **given).axes) == 3
    with pytest.raises(InputError, match="imagery scatter"):
        imagery_scatter(a, b[1:], reactivated=np.arange(7) > 3, **given)
    table = pd.DataFrame(
        {"n_sites": [1, 2], "accuracy": [0.6, 0.9], "sd_over_subsets": 0.1, "null_95": 0.55}
    )
    figure = reality_curve(table, title="")
    assert figure.axes[0].get_lines()[0].get_ydata().tolist() == [0.6, 0.9]
