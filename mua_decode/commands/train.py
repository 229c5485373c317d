"""Train a decoder and score it."""

from __future__ import annotations

from typing import Any

from omegaconf import DictConfig

from mua_decode.runs.build import build_recording
from mua_decode.runs.ddp import share_run_dir, shared_run_dir
from mua_decode.runs.folder import RunFolder
from mua_decode.runs.score import print_summary
from mua_decode.runs.train import resume_from, train_and_score


def run(cfg: DictConfig) -> dict[str, Any]:
    """Train on the train part, choose by the val part, score on the test part.

    The run's folder holds config.yaml, checkpoints/best.ckpt and last.ckpt, epochs.csv,
    metrics.json, results.csv and figures/. After Ctrl-C or a crash, go on with
    run_dir=FOLDER ckpt_path=last and the same options. trainer=ddp trains in several processes;
    the first of them writes and scores.
    """
    folder = RunFolder.create(shared_run_dir(cfg), str(cfg.name))
    ckpt_path = resume_from(cfg, folder)
    share_run_dir(folder)
    flat, table = train_and_score(
        cfg, build_recording(cfg), folder, ckpt_path=ckpt_path, processes=True
    )
    print_summary(flat, folder.path, str(table.frame["split"].iloc[0]).split(" ")[0])
    return flat
