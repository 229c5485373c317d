"""``mua-decode likelihood``."""

from __future__ import annotations

from typing import Any

from omegaconf import DictConfig

from mua_decode.analyses.likelihood.findings import findings
from mua_decode.analyses.likelihood.likelihood import likelihood
from mua_decode.analyses.likelihood.plan import LikelihoodPlan
from mua_decode.features import FeatureSpace
from mua_decode.runs.build import build_recording
from mua_decode.runs.folder import RunFolder
from mua_decode.runs.instantiate import instantiate
from mua_decode.runs.plan import read_plan
from mua_decode.types import InputError


def run(cfg: DictConfig) -> dict[str, Any]:
    """Decode what was never shown through a model of each site's response.

    Conditions leave every fit in turn. A held-out trial is identified among the held-out videos by
    its likelihood under the responses predicted for each, beside ridge and lookup, and its most
    probable video is made under a prior of natural frames. The run's folder holds config.yaml,
    metrics.json, results.csv, curve.csv (accuracy against candidates), trials.csv (a row a trial),
    sites.csv, videos.csv, tests.csv and figures/.
    """
    plan, space = read_options(cfg)
    folder = RunFolder.create(cfg.run_dir, str(cfg.name))
    found = findings(likelihood(build_recording(cfg), plan, space))
    folder.save_config(cfg)
    return found.publish(folder.path)


def read_options(cfg: DictConfig) -> tuple[LikelihoodPlan, FeatureSpace]:
    """Read what is asked, and the feature space it is asked with; no data are read.

    Raises InputError if an option cannot be used, or the spaces are not one.
    """
    plan = read_plan(LikelihoodPlan, cfg)
    spaces = [
        s for c in cfg.features.values() for s in instantiate(c, trusted=cfg.trusted).spaces()
    ]
    if len(spaces) != 1:
        raise InputError(f"features: expected one space, found {len(spaces)}")
    return plan, spaces[0]
