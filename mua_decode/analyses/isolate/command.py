"""``mua-decode isolate``."""

from __future__ import annotations

from typing import Any

from omegaconf import DictConfig

from mua_decode.analyses.isolate.isolate import isolate
from mua_decode.analyses.isolate.plan import IsolatePlan
from mua_decode.runs.plan import read_plan
from mua_decode.runs.run import open_to_retrain


def run(cfg: DictConfig) -> dict[str, Any]:
    """Train one network per region of a run, and per group of regions, on its sites alone.

    Settings, split and test trials are those of the run. Tests per network: whether it uses its
    input at all, against Gaussian noise inputs (the published t, and a rank), and whether what it
    decodes fits the condition shown better than the others, against permuted conditions.
    Directions that are undefined count as guesses. FOLDER/isolate holds results.csv (column mask:
    which sites were left), alone.csv (colours, directions), measures.csv (the same by condition),
    tests.csv, metrics.json, figures/ and one folder per network; with equal_sites the
    folder is FOLDER/isolate_N_sites. After Ctrl-C the same command goes on where it stopped.
    """
    source, plan = open_to_retrain(cfg), read_plan(IsolatePlan, cfg)
    equal = plan.equal_sites
    folder = source.out(cfg.out_dir, "isolate" if equal is None else f"isolate_{equal}_sites")
    return isolate(source, plan, folder).publish(folder, source)
