"""Score a trained run again."""

from __future__ import annotations

from typing import Any

import torch
from omegaconf import DictConfig

from mua_decode.commands.build import build_data, build_recording, build_task, load_weights
from mua_decode.commands.run_folder import RunFolder
from mua_decode.commands.score import print_summary, score
from mua_decode.types import PARTS, InputError, nearest_name


def run(cfg: DictConfig) -> dict[str, Any]:
    """Rebuild recording, split and network of a run and score a checkpoint.

    Writes metrics.json, results.csv and figures/ to FOLDER/evaluation_PART_CHECKPOINT. Nothing
    is trained; the split and the pseudo-trials are those of the run.
    """
    if str(cfg.part) not in PARTS:
        raise InputError(
            f"part={cfg.part}: choose from {', '.join(PARTS)}{nearest_name(str(cfg.part), PARTS)}"
        )
    source = RunFolder.existing(cfg.run_dir)
    trained = source.load_config()
    try:
        trained.merge_with_dotlist(list(cfg.overrides))
    except Exception as error:
        raise InputError(f"overrides: {' '.join(str(error).split())}") from error
    trained.trusted = list(cfg.trusted)
    trained.metric, trained.floor = cfg.get("metric", {}), cfg.get("floor", {})
    checkpoint = source.checkpoint(cfg.checkpoint)
    data = build_data(trained, build_recording(trained))
    task = build_task(trained, data)
    load_weights(task, checkpoint)
    out = RunFolder.create(
        cfg.out_dir or str(source.path / f"evaluation_{cfg.part}_{cfg.checkpoint}"), "evaluation"
    )
    device = "cuda" if cfg.device == "auto" and torch.cuda.is_available() else cfg.device
    task.to("cpu" if device == "auto" else device)
    flat = score(trained, task, data, out, cfg.part)
    print_summary(flat, out.path, cfg.part)
    return flat
