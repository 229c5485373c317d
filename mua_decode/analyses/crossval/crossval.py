"""Every part of the trials tested once, each by a network that has not seen it."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pandas as pd

from mua_decode import figures
from mua_decode.analyses.crossval.plan import CrossvalPlan
from mua_decode.analyses.crossval.statistics import fold_summary, over_folds
from mua_decode.runs.findings import SHOWN, Findings, score_table, stamp
from mua_decode.runs.progress import console, hushed
from mua_decode.runs.run import Run
from mua_decode.runs.variants import Variant, run_variants
from mua_decode.scoring.flat import key, number
from mua_decode.types import whole


def crossval(source: Run, plan: CrossvalPlan, folder: Path) -> Findings:
    """Train and test one network per fold, in folders of ``folder``.

    Raises InputError if there are too few trials or conditions, or no fold could be trained.

    Returns
    -------
    Findings
        Results as :func:`mua_decode.analyses.crossval.statistics.over_folds` describes them.
    """
    source = source.changed(())  # a config of its own: a floor may leave it
    split = source.cfg.data.split
    if split.unit == "published":
        console.print("note: stored parts have no folds; data.split.unit=recorded_trial here")
        source = source.changed(("data.split.unit=recorded_trial",))
        split = source.cfg.data.split
    if split.val == 0 and "ridge" in source.cfg.floor:
        console.print("note: without val trials ridge has no penalty to choose; left out")
        source.cfg.floor.pop("ridge")
    # Folds of conditions test every condition once, those that the run held out among them.
    folds = ("data.split.held_out=[]", f"data.split.n_folds={plan.n_folds}")
    variants = [
        Variant(f"fold_{f}", (*folds[split.unit != "condition" :], f"data.split.fold={f}"))
        for f in range(plan.n_folds)
    ]
    with hushed():
        _ = source.changed(variants[0].overrides).data  # too many folds: none is to be tried
    outcome = run_variants(source, variants, folder, lambda _, s: s.counted, what="fold")
    table = over_folds(outcome.found, n_folds=plan.n_folds)
    summary = fold_summary(table)
    metrics = {
        **stamp(source, outcome.failures),
        "split_unit": str(split.unit),
        "n_folds": plan.n_folds,
        "n_folds_trained": len(outcome.found),
    }
    for row in summary.to_dict("records"):
        name = key(row["run"], row["trial"], row["metric"], row["segment"])
        metrics[f"{name}/mean"], metrics[f"{name}/sd"] = number(row["mean"]), number(row["sd"])
    unit = str(split.unit).replace("_", " ")
    title = f"{len(outcome.found)} of {plan.n_folds} folds of {unit}s{source.leaks.mark}"
    single = whole(summary[summary["trial"] == "single_trial"]).rename(columns={"mean": "value"})
    drawn = partial(
        figures.comparison,
        _drawn(summary),
        title=f"{title}, mean over folds",
        bars="± s.d. over folds",
    )
    said, few = f"{title}, single trials, mean ± s.d.", [m for m in SHOWN if m != "direction_error"]
    return Findings(
        results=table,
        metrics=metrics,
        tables={"summary": summary},
        figures={"folds": drawn},
        screen=[score_table(single, title=said, names=["run"], metrics=few)],
    )


def _drawn(summary: pd.DataFrame) -> pd.DataFrame:
    frame = whole(summary).rename(columns={"mean": "value", "trial": "row", "run": "series"})
    return frame.assign(low=frame["value"] - frame["sd"], high=frame["value"] + frame["sd"])
