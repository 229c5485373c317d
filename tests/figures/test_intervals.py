from io import BytesIO

import numpy as np
import pandas as pd
import pytest

from mua_decode.figures import intervals
from mua_decode.types import InputError

COLUMNS = ["row", "metric", "value", "low", "high", "unit"]


def _scores() -> pd.DataFrame:
    rows = [
        ("MT", "ssim", 0.2, 0.1, 0.4, "1"),
        ("V4", "ssim", 0.3, np.nan, np.nan, "1"),
        ("MT", "direction_error", -10.0, -12.0, -9.0, "degrees"),
        ("V4", "direction_error", -5.0, -8.0, -1.0, "degrees"),
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def test_bars_intervals_and_lines_are_where_the_table_says():
    lines = pd.DataFrame(
        {"metric": ["ssim", "ssim"], "label": ["all minus none", "chance"], "value": [0.5, 0.05]}
    )
    figure = intervals(_scores(), lines=lines, title="t", note="64 conditions")
    figure.savefig(BytesIO(), format="png")
    ssim, direction = figure.axes
    assert [bar.get_height() for bar in ssim.patches] == [0.2, 0.3]
    assert [bar.get_height() for bar in direction.patches] == [-10, -5]
    assert direction.get_ylabel() == "direction error (degrees)"
    reach = [part.get_segments() for part in ssim.collections]
    np.testing.assert_allclose(reach[0], [[[0, 0.1], [0, 0.4]]])  # V4 has no interval
    drawn = {line.get_label(): line.get_ydata()[0] for line in ssim.lines}
    assert drawn["all minus none"] == 0.5
    assert drawn["chance"] == 0.05
    legend = figure.legends[0]
    names = {t.get_text() for t in legend.get_texts()}
    assert names == {"all minus none", "chance", "95 % interval"}
    assert legend.get_title().get_text() == "64 conditions"


def test_legend_title_and_panels_do_not_overlap():
    figure = intervals(_scores(), title="A title", note="A note of some length")
    figure.savefig(BytesIO(), format="png")
    boxes = [ax.get_tightbbox() for ax in figure.axes]
    boxes += [figure.legends[0].get_window_extent(), figure._suptitle.get_window_extent()]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


def test_wrong_tables_are_named():
    with pytest.raises(InputError, match="scores lack unit"):
        intervals(_scores()[COLUMNS[:-1]])
    with pytest.raises(InputError, match="lines lack label"):
        intervals(_scores(), lines=pd.DataFrame({"metric": ["ssim"], "value": [1.0]}))
    with pytest.raises(InputError, match="'ssim' comes twice"):
        intervals(pd.concat([_scores(), _scores()]))
    with pytest.raises(InputError, match="no value"):
        intervals(_scores().assign(value=np.nan))
    many = pd.DataFrame({"metric": "ssim", "label": list("abcd"), "value": 0.1})
    with pytest.raises(InputError, match="at most 3 lines"):
        intervals(_scores(), lines=many)
