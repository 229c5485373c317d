"""What a question shows on the terminal."""

from __future__ import annotations

import pandas as pd
import pytest

from mua_decode.runs.findings import score_table


@pytest.mark.parametrize(
    ("scored", "columns"), [(["mine", "mse"], ["", "mse"]), (["mine"], ["", "mine"])]
)
def test_a_metric_of_ones_own_is_shown_where_no_other_is(
    scored: list[str], columns: list[str]
) -> None:
    rows = pd.DataFrame({"run": "decoder", "metric": scored, "value": 0.5})
    shown = score_table(rows, title="", names=["run"])
    assert [c.header for c in shown.columns] == columns
    assert [list(c.cells) for c in shown.columns] == [["decoder"], ["0.5"]]
