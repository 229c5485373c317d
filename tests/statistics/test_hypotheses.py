import numpy as np
import pytest

from mua_decode.types import HYPOTHESIS_COLUMNS, HypothesisTable, InputError

ROW = {"question": "q", "group": "MT", "metric": "m", "test": "t", "p": 0.02, "n": 4, "n_unit": "u"}


def test_left_out_values_and_the_columns() -> None:
    table = HypothesisTable.from_rows([ROW, ROW | {"p": np.nan, "n": np.nan, "test": ""}])
    assert tuple(table.frame.columns) == HYPOTHESIS_COLUMNS
    assert table.frame["correction"].tolist() == ["none", "none"]
    assert table.frame["p_corrected"].iloc[0] == 0.02
    assert np.isnan(table.frame["effect"]).all()
    assert table.frame["note"].tolist() == ["", ""]
    both = HypothesisTable.concat([table, HypothesisTable.concat([]), table])
    assert len(both) == 4
    assert both.frame.index.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"p": 1.2}, "p must be in"),
        ({"p": -0.1}, "p must be in"),
        ({"p": np.inf}, "p must be in"),
        ({"test": " "}, "no test"),
        ({"n": np.nan}, "no n"),
        ({"n": 0}, "no n"),
        ({"correction": ""}, "no correction"),
        ({"n_unit": ""}, "no n_unit"),
        ({"p_value": 0.1}, "p_value"),
    ],
)
def test_a_p_value_without_its_story_is_refused(change: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        HypothesisTable.from_rows([ROW | change])


def test_other_columns_are_refused() -> None:
    frame = HypothesisTable.from_rows([ROW]).frame
    with pytest.raises(InputError, match="missing"):
        HypothesisTable(frame.drop(columns="note"))
    with pytest.raises(InputError, match="extra"):
        HypothesisTable(frame.assign(extra=1))
