from __future__ import annotations

import math

import pytest

from mua_decode.analyses.crossval.statistics import fold_summary, over_folds
from mua_decode.types import ResultTable


def table(mse: float, lookup: float) -> ResultTable:
    rows = []
    for run, value in (("decoder", mse), ("floor/lookup", lookup)):
        for condition in ("all", "c0"):
            rows.append(
                {
                    "run": run,
                    "split": "test",
                    "condition": condition,
                    "trial": "single_trial",
                    "mask": "none",
                    "segment": "all",
                    "metric": "mse",
                    "value": value,
                    "unit": "intensity²",
                    "n": 4,
                }
            )
    return ResultTable.from_rows(rows)


def test_mean_and_spread_over_folds() -> None:
    folds = {"fold_0": table(0.1, 0.4), "fold_2": table(0.3, 0.4)}
    found = over_folds(folds, n_folds=3)
    assert set(found.frame["split"]) == {
        "test, fold_0",
        "test, fold_2",
        "test, mean over 2 of 3 folds",
    }
    summary = fold_summary(found).set_index("run")
    assert summary.loc["decoder", "mean"] == pytest.approx(0.2)
    assert summary.loc["decoder", "sd"] == pytest.approx(math.sqrt(0.02))  # n - 1
    assert summary.loc["floor/lookup", "sd"] == pytest.approx(0)
    assert summary["folds"].tolist() == [2, 2]


def test_one_fold_has_no_spread() -> None:
    summary = fold_summary(over_folds({"fold_0": table(0.1, 0.4)}, n_folds=2))
    assert summary["sd"].isna().all()
