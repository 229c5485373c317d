from __future__ import annotations

import pandas as pd
import pytest

from mua_decode.analyses.generalise.figure import learning_curve
from mua_decode.figures import comparison
from mua_decode.types import InputError

ROWS = pd.DataFrame(
    [
        {"row": row, "series": series, "metric": metric, "value": value, "unit": unit}
        | {"low": value - 0.1, "high": value + 0.1, "axis": "sites", "x": x}
        for row, x in (("V4", 4), ("MT", 8))
        for series, value in (("decoder", 0.8), ("floor/ridge", 0.5), ("my_own", 0.4))
        for metric, unit in (("ssim", "1"), ("mse", "intensity²"))
    ]
)


def test_one_panel_per_metric_and_one_mark_per_value() -> None:
    figure = comparison(ROWS, title="t", bars="± s.d.")
    assert [ax.get_xlabel() for ax in figure.axes] == [
        "SSIM",
        "MSE, lower is better\n(intensity²)",
    ]
    marks = [line for line in figure.axes[0].lines if line.get_linestyle() == "None"]
    assert sorted(float(line.get_xdata()[0]) for line in marks) == [0.4, 0.4, 0.5, 0.5, 0.8, 0.8]
    assert len({round(float(line.get_ydata()[0]), 6) for line in marks}) == 6  # none overlaps
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["decoder", "floor/ridge", "my own", "± s.d."]


def test_curves_run_over_the_amounts_of_data() -> None:
    figure = learning_curve(ROWS, title="t")
    assert [ax.get_xlabel() for ax in figure.axes] == ["", "sites"]
    assert figure.axes[0].get_ylabel() == "SSIM"
    lines = figure.axes[0].containers
    assert [line.get_label() for line in lines] == ["decoder", "floor/ridge", "my own"]
    assert list(lines[0].lines[0].get_xdata()) == [4, 8]


@pytest.mark.parametrize("draw", [comparison, learning_curve])
def test_nothing_to_draw(draw) -> None:
    with pytest.raises(InputError, match="missing columns"):
        draw(ROWS.drop(columns="unit"))
    with pytest.raises(InputError, match="nothing to draw"):
        draw(ROWS.assign(value=float("nan")))
