"""Training in several processes: what each of them does beside the training itself.

Lightning starts the command again for every further process of a machine (``LOCAL_RANK`` says
which it is). The first process writes and scores; the others only train.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytorch_lightning as pl
import torch.distributed as dist
from omegaconf import DictConfig
from pytorch_lightning.strategies import DDPStrategy

from mua_decode.nn import restore, synchronise
from mua_decode.runs.ending import child_environment
from mua_decode.runs.folder import RunFolder
from mua_decode.runs.progress import console
from mua_decode.types import InputError

_RUN_DIR = "MUA_DECODE_RUN_DIR"
_RANKS = ("RANK", "SLURM_PROCID", "LOCAL_RANK")


def is_first_process() -> bool:
    """Whether this is the only process, or the first of those that train together."""
    if dist.is_available() and dist.is_initialized():
        return bool(dist.get_rank() == 0)
    if "WORLD_SIZE" not in os.environ and "SLURM_NTASKS" not in os.environ:
        return True
    if os.environ.get("NODE_RANK", "0") != "0":
        return False
    return next((os.environ[name] for name in _RANKS if name in os.environ), "0") == "0"


def requeued() -> bool:
    """Whether this is a job of SLURM that was stopped and started again."""
    return os.environ.get("SLURM_RESTART_COUNT", "0") not in ("", "0")


def shared_run_dir(cfg: DictConfig) -> str | None:
    """Folder of the run: as configured, or where the first process put it."""
    if not is_first_process():
        console.quiet = True
    given: str | None = cfg.run_dir
    return given or os.environ.get(_RUN_DIR)


@contextmanager
def shared(folder: RunFolder) -> Iterator[None]:
    """Tell the processes that Lightning starts meanwhile where the run lies, and whose they are."""
    told = {_RUN_DIR: str(folder.path)} | child_environment()
    if "WORLD_SIZE" in os.environ:
        yield
        return
    before = {name: os.environ[name] for name in told if name in os.environ}
    os.environ.update(told)
    try:
        yield
    finally:
        for name in told:
            os.environ.pop(name, None)
        os.environ.update(before)


def check_processes(trainer: pl.Trainer, *, allowed: bool) -> None:
    """Check that several processes can do what is asked.

    Raises InputError if the command cannot train in several, or the trainer is not set up for it.
    """
    if trainer.world_size == 1:
        return
    if not allowed:
        raise InputError(
            "trainer: only mua-decode train uses several processes; set trainer.devices=1 "
            "trainer.strategy=auto"
        )
    strategy = trainer.strategy
    if not isinstance(strategy, DDPStrategy) or strategy._ddp_kwargs.get("broadcast_buffers", True):
        raise InputError("trainer: several processes need trainer=ddp")


@contextmanager
def one_batch(task: pl.LightningModule, trainer: pl.Trainer) -> Iterator[None]:
    """Let batch statistics be those of all processes together, as long as the context lasts."""
    swapped = synchronise(task) if trainer.world_size > 1 else []
    try:
        yield
    finally:
        restore(swapped)


def leave_but_first(trainer: pl.Trainer) -> None:
    """End the other processes after the training, and go on alone in the first."""
    if trainer.world_size == 1:
        return
    first = trainer.is_global_zero
    trainer.strategy.barrier()
    if dist.is_initialized():
        dist.destroy_process_group()
    if not first:
        # Nothing is left to do or to clean up, and interpreter shutdown prints over the first.
        raise SystemExit(0)
