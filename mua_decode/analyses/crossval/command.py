"""Every part of the trials tested once, each by a network that has not seen it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from omegaconf import DictConfig

from mua_decode import figures
from mua_decode.analyses.crossval.statistics import fold_summary, over_folds
from mua_decode.runs.progress import console
from mua_decode.runs.source import (
    SHOWN,
    key,
    number,
    open_source,
    print_scores,
    with_guesses_of,
    write_outputs,
)
from mua_decode.runs.variants import Variant, changed_config, run_variants
from mua_decode.types import InputError, Recording, ResultTable, whole


def run(cfg: DictConfig) -> ResultTable:
    """Divide the trials of a run into folds and train one network for each.

    Folds are of recorded trials, or of pseudo-trials where the run used the published order.
    Directions that are undefined count as guesses. FOLDER/crossval holds results.csv (every fold,
    mean and s.d. over folds, decoder beside its floors), summary.csv, metrics.json, figures/ and
    one folder per fold. After Ctrl-C the same command goes on where it stopped.
    """
    source = open_source(cfg, "crossval")
    return crossval(source.cfg, source.folder, recording=source.recording, n_folds=int(cfg.n_folds))


def crossval(
    source: DictConfig,
    folder: Path,
    *,
    recording: Recording,
    n_folds: int = 5,
    overrides: Sequence[str] = (),
) -> ResultTable:
    """Train and test one network per fold; see :func:`run` for the files.

    Parameters
    ----------
    source
        Resolved config of a run.
    folder
        Where to write.
    overrides
        Changes of ``source`` for every fold.

    Returns
    -------
    ResultTable
        As :func:`mua_decode.analyses.crossval.statistics.over_folds` describes it.

    Raises
    ------
    InputError
        If the run's split has no folds, or no fold could be trained.
    """
    source = changed_config(source, overrides)
    plan = source.data.split
    if n_folds < 2:
        raise InputError(f"n_folds: expected at least 2, found {n_folds}")
    if plan.unit == "condition":
        raise InputError(
            "crossval: the run holds out whole conditions (data.split.unit=condition); "
            "use generalise"
        )
    if plan.val == 0 and "ridge" in source.floor:
        console.print("note: without val trials ridge has no penalty to choose; left out")
        source.floor.pop("ridge")
    variants = [
        Variant(f"fold_{f}", (f"data.split.n_folds={n_folds}", f"data.split.fold={f}"))
        for f in range(n_folds)
    ]
    found = run_variants(source, variants, folder, recording=recording, what="fold")
    tables = with_guesses_of(found.tables, variants, source, recording)
    table = over_folds(tables, n_folds=n_folds)
    summary = fold_summary(table)
    metrics: dict[str, object] = {
        "split_unit": str(plan.unit),
        "n_folds": n_folds,
        "n_folds_trained": len(found.tables),
    }
    for row in summary.to_dict("records"):
        name = key(row["run"], row["trial"], row["metric"], row["segment"])
        metrics[f"{name}/mean"], metrics[f"{name}/sd"] = number(row["mean"]), number(row["sd"])
    unit = str(plan.unit).replace("_", " ")
    leaking = ", LEAKING" if plan.unit == "pseudo_trial" else ""
    title = f"{len(found.tables)} of {n_folds} folds of {unit}s{leaking}"
    drawn = figures.comparison(
        _drawn(summary), title=f"{title}, mean over folds", bars="± s.d. over folds"
    )
    write_outputs(
        folder,
        source,
        table,
        metrics=metrics,
        failures=found.failures,
        drawn={"folds": drawn},
        tables={"summary": summary},
    )
    single = summary[(summary["trial"] == "single_trial")]
    single = whole(single).rename(columns={"mean": "value"})
    print_scores(
        single,
        folder,
        title=f"{title}, single trials, mean ± s.d.",
        names=["run"],
        metrics=[m for m in SHOWN if m != "direction_error"],
    )
    return table


def _drawn(summary: pd.DataFrame) -> pd.DataFrame:
    frame = whole(summary).rename(columns={"mean": "value", "trial": "row", "run": "series"})
    return frame.assign(low=frame["value"] - frame["sd"], high=frame["value"] + frame["sd"])
