"""The trainer of a run: what of it the user chooses, and what is always ours."""

from __future__ import annotations

from collections.abc import Sequence

import pytorch_lightning as pl
from omegaconf import DictConfig
from pytorch_lightning.callbacks import Callback, EarlyStopping
from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities.exceptions import MisconfigurationException

from mua_decode.data import DecodingData
from mua_decode.runs.callbacks import EpochLog, KeepSigterm, SeedEachEpoch, StayStopped
from mua_decode.runs.checkpoints import KeptCheckpoint, WholeCheckpointIO
from mua_decode.runs.ddp import is_first_process
from mua_decode.runs.folder import RunFolder
from mua_decode.runs.instantiate import instantiate
from mua_decode.runs.parts import build_callbacks
from mua_decode.types import InputError


def make_trainer(
    cfg: DictConfig,
    folder: RunFolder,
    data: DecodingData,
    watches: Sequence[Callback],
    trackers: Sequence[Logger],
) -> pl.Trainer:
    """Make the trainer that a config names, with our callbacks and those it names beside them.

    Parameters
    ----------
    watches
        Callbacks that show the progress and the frames.
    trackers
        Told the losses.

    Raises InputError if an option is wrong.
    """
    monitor = "val/loss" if len(data.dataset("val")) else "train/loss"
    callbacks: list[Callback] = [
        # EpochLog first: its rows are part of the checkpoints written after it.
        EpochLog(folder.log),
        SeedEachEpoch(int(cfg.seed)),
        _checkpoint(folder, "best", monitor),
        _checkpoint(folder, "last", None),
        KeepSigterm(),
        StayStopped(),
        *watches,
    ]
    if cfg.early_stopping is not None:
        callbacks.append(EarlyStopping(monitor, patience=int(cfg.early_stopping)))
    callbacks += build_callbacks(cfg, logged=bool(trackers), first=is_first_process())
    try:
        trainer: pl.Trainer = instantiate(
            cfg.trainer,
            place="trainer",
            callbacks=callbacks,
            logger=list(trackers) or False,
            default_root_dir=str(folder.path),
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            # The loaders give each process its share of every batch themselves.
            use_distributed_sampler=False,
        )
    except MisconfigurationException as error:
        raise InputError(f"trainer: {error}") from error
    trainer.strategy.checkpoint_io = WholeCheckpointIO()
    return trainer


def _checkpoint(folder: RunFolder, name: str, monitor: str | None) -> KeptCheckpoint:
    # At the end of the epoch, after the schedule has stepped, so that a resumed run is exact.
    return KeptCheckpoint(
        dirpath=folder.checkpoints,
        filename=name,
        monitor=monitor,
        save_top_k=1,
        enable_version_counter=False,
        save_on_train_epoch_end=True,
    )
