"""Train a decoder and score it."""

from __future__ import annotations

from typing import Any

from omegaconf import DictConfig

from mua_decode.runs.ddp import is_first_process, shared, shared_run_dir
from mua_decode.runs.folder import RunFolder, begun_in, keep_split
from mua_decode.runs.page import write_run_page
from mua_decode.runs.parts import own_metrics
from mua_decode.runs.run import Run
from mua_decode.runs.score import print_summary
from mua_decode.runs.train import Training, resume_from, train_and_score
from mua_decode.runs.typed import keep_typed


def run(cfg: DictConfig) -> dict[str, Any]:
    """Train on the train part, choose by the val part, score on the test part.

    The run's folder holds config.yaml, checkpoints/best.ckpt and last.ckpt, epochs.csv,
    metrics.json, results.csv, figures/ and report.html. After Ctrl-C, SIGTERM or a crash, go on
    with run_dir=FOLDER ckpt_path=auto and the same options (auto begins where there is nothing to
    go on from). trainer=ddp trains in several processes; the first of them writes and scores.
    """
    folder = RunFolder.create(shared_run_dir(cfg), str(cfg.name), shared=not is_first_process())
    resume = resume_from(cfg, folder)
    if resume is not None and (begun := begun_in(resume)) is not None:
        keep_split(cfg, begun.config)
    with shared(folder):
        scored = train_and_score(Run(folder, cfg), Training(resume=resume, processes=True))
    keep_typed(folder.path)
    write_run_page(folder.path)
    own = [m.name for m in own_metrics(scored.run.metrics)]
    print_summary(scored.metrics, folder.path, scored.run.scored_part, own=own)
    return scored.metrics
