"""``mua-decode compare``."""

from __future__ import annotations

from typing import Any

from omegaconf import DictConfig

from mua_decode.analyses.compare.compare import compare
from mua_decode.analyses.compare.plan import ComparePlan
from mua_decode.runs.plan import read_plan
from mua_decode.runs.run import open_to_retrain


def run(cfg: DictConfig) -> dict[str, Any]:
    """Train other models under the settings of a run, and compare them with its decoder.

    All are trained on the same split and pseudo-trials and scored on the same test trials. The
    decoder is tested against each of them, and against the floors, paired over conditions that
    share no recorded trials. Directions that are undefined count as guesses. FOLDER/compare holds
    results.csv (decoder, baselines, floors, ceiling), tests.csv, metrics.json, figures/ and one
    folder per model. After Ctrl-C the same command goes on where it stopped.
    """
    source = open_to_retrain(cfg)
    folder = source.out(cfg.out_dir, "compare")
    given = {"models": (cfg.models,)} if isinstance(cfg.models, str) else {}
    return compare(source, read_plan(ComparePlan, cfg, **given), folder).publish(folder, source)
