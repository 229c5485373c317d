"""Train a decoder and score it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from omegaconf import DictConfig
from pytorch_lightning.callbacks import Callback, EarlyStopping, ModelCheckpoint
from pytorch_lightning.utilities.exceptions import MisconfigurationException

from mua_decode.commands.build import (
    build_data,
    build_recording,
    build_task,
    load_checkpoint,
    load_weights,
    try_once,
)
from mua_decode.commands.config import instantiate
from mua_decode.commands.epochs import EpochLog, SeedEachEpoch
from mua_decode.commands.progress import TrainingProgress, console
from mua_decode.commands.run_folder import RunFolder
from mua_decode.commands.score import print_summary, score
from mua_decode.data import DecodingData
from mua_decode.tasks import DecodeVideo
from mua_decode.types import InputError, Recording, ResultTable

_PRECISIONS = ("highest", "high", "medium")


def run(cfg: DictConfig) -> dict[str, Any]:
    """Train on the train part, choose by the val part, score on the test part.

    The run's folder holds config.yaml, checkpoints/best.ckpt and last.ckpt, epochs.csv,
    metrics.json, results.csv and figures/. After Ctrl-C or a crash, go on with
    run_dir=FOLDER ckpt_path=last and the same options.
    """
    folder = RunFolder.create(cfg.run_dir, str(cfg.name))
    ckpt_path = resume_from(cfg, folder)
    flat, table = train_and_score(cfg, build_recording(cfg), folder, ckpt_path=ckpt_path)
    print_summary(flat, folder.path, str(table.frame["split"].iloc[0]).split(" ")[0])
    return flat


def train_and_score(
    cfg: DictConfig,
    recording: Recording,
    folder: RunFolder,
    *,
    ckpt_path: Path | None = None,
    watch: Callback | None = None,
    draw: bool = True,
) -> tuple[dict[str, Any], ResultTable]:
    """Train on a recording already read, and score; see :func:`run` for the files.

    Parameters
    ----------
    cfg
        Resolved config of ``mua-decode train``; its ``recording`` is not read again.
    ckpt_path
        Checkpoint to go on from.
    watch
        Callback that shows the progress; ``None``: a bar over the epochs.
    draw
        Whether to draw the figures.

    Returns
    -------
    The flat metrics of ``metrics.json`` and the table of ``results.csv``.
    """
    data = build_data(cfg, recording)
    for note in data.notes:
        console.print(f"note: {note}", highlight=False, soft_wrap=True, style="dim")
    console.print(
        f"{data.n_sites} sites, {data.n_bins} bins of {data.pool.bin_s:g} s, "
        f"{data.stimuli.n_conditions} conditions; {data.audit.line}",
        highlight=False,
        soft_wrap=True,
    )
    part = next((p for p in ("test", "val") if len(data.dataset(p))), None)
    if part is None:
        raise InputError("data.split: both test and val are empty; nothing could be scored")
    task = build_task(cfg, data)
    try_once(task, data)
    if ckpt_path is not None:
        load_weights(build_task(cfg, data), ckpt_path)
    fit(cfg, task, data, folder, ckpt_path=ckpt_path, watch=watch)
    return score(cfg, task, data, folder, part, draw=draw), folder.load_results()


def fit(
    cfg: DictConfig,
    task: DecodeVideo,
    data: DecodingData,
    folder: RunFolder,
    *,
    ckpt_path: Path | None = None,
    watch: Callback | None = None,
    run_dir: Path | None = None,
) -> None:
    """Train a task, leave its best weights in it, and its config and checkpoints in the folder.

    Parameters
    ----------
    cfg
        Written to the folder; trainer, logger, early_stopping, matmul_precision and seed are used.
    ckpt_path, watch
        As in :func:`train_and_score`.
    run_dir
        What to give as run_dir to go on after an interruption; default: the folder.
    """
    torch.set_float32_matmul_precision(cfg.matmul_precision)
    trainer = _trainer(cfg, folder, data, watch or TrainingProgress())
    folder.save_config(cfg)
    try:
        trainer.fit(task, datamodule=data, ckpt_path=ckpt_path, weights_only=True)
    except (KeyboardInterrupt, SystemExit):
        _say_how_to_go_on(folder, run_dir or folder.path)
        raise KeyboardInterrupt from None
    if trainer.interrupted:
        _say_how_to_go_on(folder, run_dir or folder.path)
        raise KeyboardInterrupt
    load_weights(task, folder.checkpoint("best"))


def _say_how_to_go_on(folder: RunFolder, run_dir: Path) -> None:
    if (folder.checkpoints / "last.ckpt").is_file():
        console.print(f"stopped; go on with run_dir={run_dir} ckpt_path=last", soft_wrap=True)
    else:
        console.print("stopped before the first epoch ended; nothing to go on from")


def resume_from(cfg: DictConfig, folder: RunFolder, *, option: str = "run_dir") -> Path | None:
    """Return the checkpoint to go on from, or ``None`` to begin in the folder ``option`` names.

    Raises
    ------
    InputError
        If the folder holds a run already, the checkpoint cannot be used, or an option of the
        training is wrong.
    """
    if cfg.matmul_precision not in _PRECISIONS:
        raise InputError(
            f"matmul_precision={cfg.matmul_precision}: choose from {', '.join(_PRECISIONS)}"
        )
    if cfg.trainer.get("max_epochs") is None or cfg.trainer.max_epochs < 1:
        raise InputError(f"trainer.max_epochs: expected >= 1, found {cfg.trainer.max_epochs}")
    patience = cfg.early_stopping
    if patience is not None and (not isinstance(patience, int) or patience < 1):
        raise InputError(f"early_stopping: expected null or a number >= 1, found {patience}")
    if cfg.ckpt_path is None:
        if (folder.checkpoints / "last.ckpt").is_file() or folder.metrics.is_file():
            raise InputError(
                f"{option}: {folder.path} already holds a run; go on with it (ckpt_path=last) or "
                f"choose another {option}"
            )
        return None
    path = (
        folder.checkpoint("last")
        if cfg.ckpt_path == "last"
        else Path(str(cfg.ckpt_path)).expanduser()
    )
    load_checkpoint(path)
    return path


def _trainer(cfg: DictConfig, folder: RunFolder, data: DecodingData, watch: Callback) -> pl.Trainer:
    monitor = "val/loss" if len(data.dataset("val")) else "train/loss"
    callbacks: list[Callback] = [
        # EpochLog first: its rows are part of the checkpoints written after it.
        EpochLog(folder.log),
        SeedEachEpoch(int(cfg.seed)),
        _checkpoint(folder, "best", monitor),
        _checkpoint(folder, "last", None),
        watch,
    ]
    if cfg.early_stopping is not None:
        callbacks.append(EarlyStopping(monitor, patience=int(cfg.early_stopping)))
    logger = instantiate(cfg.logger, save_dir=str(folder.path)) if cfg.logger else False
    try:
        trainer: pl.Trainer = instantiate(
            cfg.trainer,
            callbacks=callbacks,
            logger=logger,
            default_root_dir=str(folder.path),
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
        )
    except MisconfigurationException as error:
        raise InputError(f"trainer: {error}") from error
    return trainer


def _checkpoint(folder: RunFolder, name: str, monitor: str | None) -> ModelCheckpoint:
    # At the end of the epoch, after the schedule has stepped, so that a resumed run is exact.
    return ModelCheckpoint(
        dirpath=folder.checkpoints,
        filename=name,
        monitor=monitor,
        save_top_k=1,
        enable_version_counter=False,
        save_on_train_epoch_end=True,
    )
