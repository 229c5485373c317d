"""``mua-decode leaderboard``."""

from __future__ import annotations

from typing import Any

from omegaconf import DictConfig, OmegaConf

from mua_decode.leaderboard.leaderboard import leaderboard
from mua_decode.leaderboard.plan import LeaderboardPlan
from mua_decode.runs.folder import RunFolder
from mua_decode.runs.page import write_run_page
from mua_decode.runs.plan import read_plan
from mua_decode.runs.typed import keep_typed
from mua_decode.types import InputError


def run(cfg: DictConfig) -> dict[str, Any]:
    """Train every method on every recording, and put all scores into one table.

    Single trials of the test part, once with videos that training has too, once with videos that
    never were shown, beside the floors; where a dataset asks for it, held-out videos are identified
    through a model of each site as well. FOLDER holds leaderboard.csv (dataset, videos, method,
    metric; intervals over seeds and conditions, training time), differences.csv (methods less
    floors), results.csv (every seed), metrics.json, figures/, report.html and a folder per
    dataset. After Ctrl-C the same command with out=FOLDER goes on where it stopped.
    """
    for place in sorted(k for k in OmegaConf.missing_keys(cfg) if "[" not in k):
        raise InputError(f"{place} is not given; give it: {place}=PATH")
    plan = read_plan(LeaderboardPlan, cfg)
    folder = RunFolder.create(cfg.out, str(cfg.name), option="out")
    found = leaderboard(plan, folder.path)
    flat = found.write(folder.path)
    keep_typed(folder.path)
    write_run_page(folder.path)
    found.show(folder.path)
    return flat
