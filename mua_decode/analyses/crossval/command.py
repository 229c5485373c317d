"""``mua-decode crossval``."""

from __future__ import annotations

from typing import Any

from omegaconf import DictConfig

from mua_decode.analyses.crossval.crossval import crossval
from mua_decode.analyses.crossval.plan import CrossvalPlan
from mua_decode.runs.plan import read_plan
from mua_decode.runs.run import open_to_retrain


def run(cfg: DictConfig) -> dict[str, Any]:
    """Divide the trials of a run into folds and train one network for each.

    Folds are of recorded trials, of conditions where the run holds them apart
    (data.split.unit=condition), or of pseudo-trials where it used the published order.
    Directions that are undefined count as guesses. FOLDER/crossval holds results.csv (every fold,
    mean and s.d. over folds, decoder beside its floors), summary.csv, metrics.json, figures/ and
    one folder per fold. After Ctrl-C the same command goes on where it stopped.
    """
    source = open_to_retrain(cfg)
    plan = read_plan(CrossvalPlan, cfg)
    folder = source.out(cfg.out_dir, "crossval")
    return crossval(source, plan, folder).publish(folder, source)
