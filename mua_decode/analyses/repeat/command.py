"""``mua-decode repeat``."""

from __future__ import annotations

from typing import Any

from omegaconf import DictConfig

from mua_decode.analyses.repeat.plan import RepeatPlan
from mua_decode.analyses.repeat.repeat import repeat
from mua_decode.runs.plan import read_plan
from mua_decode.runs.run import open_to_retrain


def run(cfg: DictConfig) -> dict[str, Any]:
    """Train a run again from other seeds: other splits, pseudo-trials and weights.

    One network says nothing of the next. Where data.sites_per_region takes only some sites, other
    seeds take others. Directions that are undefined count as guesses. FOLDER/repeat holds
    results.csv (every seed), intervals.csv (mean, s.d. and 95 % intervals over seeds and
    conditions, of the decoder, its floors, and the decoder minus each floor), mixed.csv
    (the same differences in mixed-effects models, the seed a random effect), metrics.json,
    figures/ and one folder per seed. After Ctrl-C the same command goes on where it stopped.
    """
    source = open_to_retrain(cfg)
    folder = source.out(cfg.out_dir, "repeat")
    return repeat(source, read_plan(RepeatPlan, cfg), folder).publish(folder, source)
