"""``mua-decode generalise``."""

from __future__ import annotations

from typing import Any

from omegaconf import DictConfig

from mua_decode.analyses.generalise.generalise import generalise
from mua_decode.analyses.generalise.plan import GeneralisePlan
from mua_decode.runs.plan import read_plan
from mua_decode.runs.run import open_to_retrain


def run(cfg: DictConfig) -> dict[str, Any]:
    """Hold out conditions of a run, and train it again with less data.

    Held out are colour × direction combinations, pairs of cue and stimulus, or movies: lookup
    cannot return their videos, so what is better than lookup was put together from parts. Curves
    run over sites, training trials and sessions, on the test trials of the run. FOLDER/generalise
    holds results.csv, curves.csv (x is a number there), metrics.json, figures/ and one folder per
    network. Directions that are undefined count as guesses. After Ctrl-C the same command goes on
    where it stopped.
    """
    source = open_to_retrain(cfg)
    plan = read_plan(GeneralisePlan, cfg)
    folder = source.out(cfg.out_dir, "generalise")
    return generalise(source, plan, folder).publish(folder, source)
