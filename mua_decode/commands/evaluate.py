"""Score a trained run again."""

from __future__ import annotations

from typing import Any

from omegaconf import DictConfig

from mua_decode.runs.folder import RunFolder
from mua_decode.runs.open import open_trained
from mua_decode.runs.score import print_summary, score


def run(cfg: DictConfig) -> dict[str, Any]:
    """Rebuild recording, split and network of a run and score a checkpoint.

    Writes metrics.json, results.csv and figures/ to FOLDER/evaluation_PART_CHECKPOINT. Nothing
    is trained; the split and the pseudo-trials are those of the run.
    """
    source = open_trained(cfg)
    # Scored with the metrics and floors asked for now, not those the run was trained with.
    source.cfg.metric, source.cfg.floor = cfg.get("metric", {}), cfg.get("floor", {})
    out = RunFolder.create(
        cfg.out_dir or str(source.folder.path / f"evaluation_{cfg.part}_{cfg.checkpoint}"),
        "evaluation",
    )
    flat = score(source.cfg, source.task, source.data, out, cfg.part)
    print_summary(flat, out.path, cfg.part)
    return flat
