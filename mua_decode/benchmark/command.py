"""``mua-decode benchmark``."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pandas as pd
from omegaconf import DictConfig

from mua_decode.benchmark.benchmark import benchmark
from mua_decode.benchmark.figure import speed
from mua_decode.benchmark.plan import BenchmarkPlan
from mua_decode.benchmark.summary import show
from mua_decode.files import write_text
from mua_decode.runs.drawn import write_figure
from mua_decode.runs.folder import RunFolder
from mua_decode.runs.plan import read_plan


def run(cfg: DictConfig) -> dict[str, Any]:
    """Measure training step, inference, latency and memory, plain beside ours.

    All programs run in turn, round by round; medians with the distance between the quartiles are
    given, and each is set beside the arithmetic floor: its operations, counted from the shapes,
    over the rate of a large matrix product. Writes benchmark.json, benchmark.csv and
    figures/benchmark.png.
    """
    plan = read_plan(BenchmarkPlan, cfg)
    folder = RunFolder.create(cfg.run_dir, str(cfg.name))
    found = benchmark(plan)
    folder.save_config(cfg)
    table = pd.DataFrame(found.rows)
    write_text(folder.path / "benchmark.csv", table.to_csv(index=False))
    rounded = {k: float(f"{v:.5g}") if isinstance(v, float) else v for k, v in found.flat.items()}
    write_text(folder.path / "benchmark.json", json.dumps(rounded, indent=1) + "\n")
    write_figure("benchmark", partial(speed, table), folder)
    show(found.flat, folder.path / "benchmark.json")
    return found.flat
