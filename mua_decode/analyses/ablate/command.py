"""``mua-decode ablate``."""

from __future__ import annotations

from typing import Any

from omegaconf import DictConfig

from mua_decode.analyses.ablate.ablate import ablate
from mua_decode.analyses.ablate.plan import AblationPlan
from mua_decode.runs.plan import read_plan
from mua_decode.runs.run import open_run


def run(cfg: DictConfig) -> dict[str, Any]:
    """Mask regions, groups, subsets, segments and equal numbers of sites of a finished run.

    All masks are scored on the same test trials. Writes results.csv, losses.csv, means.csv,
    tests.csv, changes.csv, predictions.csv and prediction_tests.csv (the published test),
    contrasts.csv, mixed.csv, shapley.csv, metrics.json, figures/ (losses, Shapley values, losses by
    segment, masked frames) and report.html to RUN_DIR/ablation. Every mask is kept as it is done:
    after Ctrl-C the same command goes on.
    """
    source = open_run(cfg).score_as(cfg)
    folder = source.out(cfg.out_dir, "ablation")
    return ablate(source, read_plan(AblationPlan, cfg), folder).publish(folder, source)
