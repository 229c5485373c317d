from io import BytesIO

import numpy as np
import pandas as pd
import pytest

from mua_decode.figures import boxes
from mua_decode.figures.boxes import stars
from mua_decode.types import InputError

ROWS = ("PFC", "MT", "V4")


def _values() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        [
            {"row": row, "metric": metric, "value": value, "unit": unit}
            for metric, unit in (("colour", "RGB"), ("direction_error", "degrees"))
            for i, row in enumerate(ROWS)
            for value in rng.normal(i, 1, 30)
        ]
    )


def _drawn(figure):
    figure.savefig(BytesIO(), format="png")
    return figure.axes


def test_one_panel_per_metric_with_boxes_at_the_quartiles():
    values = _values()
    axes = _drawn(boxes(values, title="t", note="n"))
    assert [ax.get_ylabel() for ax in axes] == ["colour (RGB)", "direction error (degrees)"]
    assert [t.get_text() for t in axes[0].get_xticklabels()] == list(ROWS)
    medians = [line.get_ydata()[0] for line in axes[0].lines if line.get_color() == "#D55E00"]
    expected = values[values["metric"] == "colour"].groupby("row", sort=False)["value"].median()
    np.testing.assert_allclose(medians, expected)


def test_marks_stand_above_the_points():
    values = _values()
    tests = pd.DataFrame({"row": ["MT", "V4"], "metric": "colour", "p": [0.2, 0.0005]})
    ax = _drawn(boxes(values, tests=tests))[0]
    marks = {t.get_text(): t.get_position() for t in ax.texts}
    assert set(marks) == {"n.s.", "***"}
    highest = values[values["metric"] == "colour"].groupby("row")["value"].max()
    assert marks["n.s."][0] == 1
    assert marks["n.s."][1] > highest["MT"]
    assert marks["***"][1] > highest["V4"]
    assert marks["***"][0] == 2
    assert ax.get_ylim()[1] > marks["***"][1]


def test_no_two_texts_overlap():
    tests = pd.DataFrame({"row": ROWS, "metric": "colour", "p": 0.01})
    ax = _drawn(boxes(_values(), tests=tests))[0]
    found = [t.get_window_extent() for t in ax.texts]
    assert len(found) == 3
    assert not any(a.overlaps(b) for i, a in enumerate(found) for b in found[:i])


@pytest.mark.parametrize(
    ("p", "mark"),
    [(0.0009, "***"), (0.001, "**"), (0.01, "*"), (0.05, "n.s."), (float("nan"), "?")],
)
def test_stars_change_at_their_limits(p, mark):
    assert stars(p) == mark


def test_a_row_without_numbers_says_so_and_what_is_wrong_is_named():
    values = _values()
    values.loc[values["row"] == "MT", "value"] = np.nan
    values = pd.concat([values[values["row"] == "MT"].assign(value=1.0).head(1), values])
    axes = _drawn(boxes(values))
    assert [t.get_text() for t in axes[1].texts] == ["no value"]
    with pytest.raises(InputError, match="lack value, unit"):
        boxes(values[["row", "metric"]])
    with pytest.raises(InputError, match="did you mean 'MT'"):
        boxes(values, tests=pd.DataFrame({"row": ["MTT"], "metric": "colour", "p": 0.1}))
    with pytest.raises(InputError, match="no value"):
        boxes(values.assign(value=np.nan))
