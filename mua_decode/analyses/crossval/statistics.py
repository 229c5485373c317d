"""Scores of several folds as one table: every fold, their mean and their spread."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from mua_decode.types import ResultTable

_KEYS = ["run", "split", "condition", "trial", "mask", "segment", "metric", "unit"]
SPREAD = "s.d. over folds"


def over_folds(folds: Mapping[str, ResultTable], *, n_folds: int) -> ResultTable:
    """Stack the tables of folds, and add mean and standard deviation over folds.

    Parameters
    ----------
    folds
        Scores of every fold that was trained, by its name.

    Returns
    -------
    ResultTable
        The rows of each fold with ``split`` "test, fold_2", and for each of them that is over all
        conditions the mean over folds (``split`` "test, mean over 5 of 5 folds", n = folds) and
        the standard deviation with n - 1 (metric "mse, s.d. over folds"; NaN for one fold).
        Folds share training trials, so the standard deviation is the spread of the scores and
        not a standard error of their mean (Bengio and Grandvalet 2004, JMLR 5:1089).
    """
    single = [
        table.frame.assign(split=table.frame["split"] + f", {name}")
        for name, table in folds.items()
    ]
    whole = pd.concat([t.frame for t in folds.values()], ignore_index=True)
    whole = whole[whole["condition"] == "all"]
    grouped = whole.groupby(_KEYS, sort=False)["value"]
    mean = grouped.agg(value="mean", n="count").reset_index()
    spread = grouped.agg(value="std", n="count").reset_index()
    spread["metric"] = spread["metric"] + f", {SPREAD}"
    summary = pd.concat([mean, spread], ignore_index=True)
    summary["split"] = summary["split"] + f", mean over {len(folds)} of {n_folds} folds"
    frame = pd.concat([*single, summary], ignore_index=True)
    return ResultTable(frame[list(whole.columns)])


def fold_summary(table: ResultTable) -> pd.DataFrame:
    """One line per score of :func:`over_folds`.

    Returns
    -------
    DataFrame with columns run, trial, metric, segment, unit, mean, sd and folds.
    """
    keys = ["run", "trial", "metric", "segment", "unit"]
    frame = table.frame[table.frame["split"].str.contains(", mean over ", regex=False)]
    is_spread = frame["metric"].str.endswith(f", {SPREAD}")
    mean = frame[~is_spread].rename(columns={"value": "mean", "n": "folds"})
    spread = frame[is_spread].rename(columns={"value": "sd"})
    spread = spread.assign(metric=spread["metric"].str.removesuffix(f", {SPREAD}"))
    joined = mean[[*keys, "mean", "folds"]].merge(spread[[*keys, "sd"]], on=keys, how="left")
    return joined[[*keys, "mean", "sd", "folds"]]
