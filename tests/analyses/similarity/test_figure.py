from io import BytesIO

import numpy as np
import pandas as pd
import pytest

from mua_decode.analyses.similarity.figure import similarity
from mua_decode.types import InputError, ResultTable

METRICS = ("within_condition_correlation", "train_test_correlation")


def _table(*, leaking: bool = False) -> ResultTable:
    split = "train (leaking)" if leaking else "train"
    rows = [
        {
            "run": "data", "split": split, "condition": condition, "trial": trial, "mask": mask,
            "segment": "all", "metric": metric, "unit": "1", "n": 4,
            "value": 0.1 * i + {"all": 0.02, "c0": 0.0, "c1": np.nan, "c2": 0.05}[condition],
        }
        for trial in ("recorded_trial", "pseudo_trial")
        for mask in ("none", "only V4", "only MT")
        for i, metric in enumerate(METRICS)
        for condition in ("all", "c0", "c1", "c2")
    ]  # fmt: skip
    return ResultTable.from_rows(rows)


def _pairs() -> pd.DataFrame:
    """A narrow distribution about the mean of every row."""
    labels = _table().frame.query("condition == 'all'")[["trial", "mask", "metric", "value"]]
    rows = [
        {"low": (place := np.floor((r["value"] + 1 + shift) * 200)) / 200 - 1,
         "high": (place + 1) / 200 - 1, "pairs": 4 - abs(shift) * 100} | r
        for r in labels.to_dict("records") for shift in (-0.02, -0.01, 0.0, 0.01, 0.02)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_means_and_violins_stand_where_the_table_says() -> None:
    figure = similarity(_table(), _pairs(), title="small")
    left, right = figure.axes
    assert (left.get_title(), right.get_title()) == ("recorded trials", "pseudo-trials")
    assert [t.get_text() for t in left.get_yticklabels()] == ["all regions", "V4", "MT"]
    dots = [line for line in left.lines if line.get_marker() in ("o", "D")]
    assert sorted(float(d.get_xdata()[0]) for d in dots) == pytest.approx([0.02] * 3 + [0.12] * 3)
    assert len(left.collections) == 3 * 2  # a violin for every region and metric
    for body, dot in zip(left.collections, dots, strict=True):
        x, y = body.get_paths()[0].vertices.T
        assert x.min() < float(dot.get_xdata()[0]) < x.max()
        assert x.max() - x.min() < 0.1
        assert (y.min() + y.max()) / 2 == pytest.approx(float(dot.get_ydata()[0]), abs=1e-6)
    figure.savefig(BytesIO())


def test_the_leaking_order_is_said() -> None:
    assert "leaking" in similarity(_table(leaking=True), _pairs()).get_suptitle()
    assert similarity(_table(), _pairs()).get_suptitle() == ""


def test_other_tables_are_refused() -> None:
    table = _table()
    with pytest.raises(InputError, match="none of the metrics"):
        similarity(ResultTable(table.frame.assign(metric="ssim")), _pairs())
