"""One worker of a sweep: it takes trials from the study until all are done."""

from __future__ import annotations

import math
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
import pytorch_lightning as pl
from omegaconf import DictConfig, OmegaConf
from optuna.trial import Trial, TrialState

from mua_decode.runs.build import (
    build_data,
    build_recording,
    build_task,
    load_checkpoint,
    try_once,
)
from mua_decode.runs.folder import RunFolder
from mua_decode.runs.instantiate import instantiate
from mua_decode.runs.train import fit
from mua_decode.runs.variants import changed_config, first_difference, hushed
from mua_decode.sweep.space import Space, Value, overrides
from mua_decode.sweep.study import SharedStudy, Slot, unexcited
from mua_decode.types import InputError, Recording

# Options of the sweep that a trial's run does not have.
OF_THE_SWEEP = ("sweep", "launcher", "out_dir", "storage", "workers")


class TrialLostError(Exception):
    """The trial was given to another worker, because this one seemed dead."""


class Judge(pl.Callback):
    """Report the validation loss of every epoch to the study, and stop a trial it gives up.

    Parameters
    ----------
    trial
        To report to.
    alive
        Whether the trial is still this worker's.
    log
        ``epochs.csv`` of the run, whose rows a resumed trial reports again.

    Attributes
    ----------
    stopped
        Why the trial was stopped early, or ``None``.
    """

    def __init__(self, trial: Trial, alive: Callable[[], bool], log: Path) -> None:
        self._trial, self._alive, self._log = trial, alive, log
        self.stopped: str | None = None

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Report the epochs before an interruption."""
        if trainer.current_epoch > 0:
            rows = pd.read_csv(self._log)
            for epoch, loss in zip(rows["epoch"], rows["val/loss"], strict=True):
                if epoch < trainer.current_epoch:
                    self._trial.report(float(loss), int(epoch))

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Report, and stop if the trial is no good."""
        if not self._alive():
            raise TrialLostError
        loss = float(trainer.callback_metrics["val/loss"])
        if not math.isfinite(loss):
            self.stopped = "the loss is not finite"
        else:
            self._trial.report(loss, trainer.current_epoch)
            if trainer.current_epoch + 1 < (trainer.max_epochs or 0) and self._trial.should_prune():
                self.stopped = "worse than the others"
        # Ended, not broken off, so that the epoch's checkpoint is written.
        trainer.should_stop = trainer.should_stop or self.stopped is not None


def open_study(cfg: DictConfig, folder: Path) -> SharedStudy:
    """Open the study of a sweep, or make it.

    Raises
    ------
    InputError
        If the sweep's database, pruner or numbers are wrong.
    """
    sweep = cfg.sweep
    for name, least in (("n_trials", 1), ("retries", 0)):
        if not isinstance(sweep[name], int) or sweep[name] < least:
            raise InputError(f"sweep.{name}: expected a number >= {least}, found {sweep[name]}")
    shared = SharedStudy(
        str(cfg.storage or f"sqlite:///{folder.resolve() / 'study.db'}"),
        str(cfg.name),
        heartbeat_s=sweep.heartbeat_s,
        grace_s=sweep.grace_s,
        retries=sweep.retries,
    )
    pruner = instantiate(sweep.pruner) if sweep.pruner else optuna.pruners.NopPruner()
    shared.study.pruner = pruner
    return shared


def source_config(cfg: DictConfig) -> DictConfig:
    """Return the config of a run that a sweep varies."""
    plain: Any = OmegaConf.to_container(cfg, resolve=True)
    kept = {k: v for k, v in plain.items() if k not in OF_THE_SWEEP}
    return OmegaConf.create(kept | {"run_dir": None, "ckpt_path": None})


def trial_folder(folder: Path, number: int) -> Path:
    """Folder of a trial's run."""
    return folder / "trials" / f"{number:04d}"


def work(
    cfg: DictConfig,
    folder: Path,
    *,
    recording: Recording | None = None,
    after: Callable[[SharedStudy], None] | None = None,
) -> None:
    """Run trials until all of the sweep are done, those of dead workers included.

    Parameters
    ----------
    cfg
        Resolved config of ``mua-decode sweep``.
    folder
        Of the sweep; trials lie in ``trials/NNNN``.
    recording
        Already read; ``None``: it is read as ``cfg`` says.
    after
        Called after every trial.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    n_trials = int(cfg.sweep.n_trials)
    shared = open_study(cfg, folder)
    shared.lay_out(n_trials)
    source = source_config(cfg)
    space = Space.read(cfg.sweep.space, source)
    grid = space.combinations() if cfg.sweep.grid else None
    while True:
        shared.revive(n_trials)
        slot = shared.claim(n_trials)
        if slot is None:
            if all(s.done for s in shared.slots(n_trials)):
                return
            # Others are at work; should one of them die, its trial is ours.
            time.sleep(min(2.0, shared.heartbeat_s))
            continue
        with shared.heartbeat(slot):
            try:
                if recording is None:
                    recording = build_recording(cfg)
                sampler = _sampler(cfg, slot, grid)
                _run_trial(shared, slot, space, sampler, source, folder, recording)
            except TrialLostError:
                pass
            except (KeyboardInterrupt, SystemExit):
                shared.release(slot)
                raise KeyboardInterrupt from None
            except Exception as error:
                reason = " ".join(str(error).split())[:300] or type(error).__name__
                shared.fail(slot, reason)
        if after is not None:
            after(shared)


def _sampler(
    cfg: DictConfig, slot: Slot, grid: list[dict[str, Value]] | None
) -> optuna.samplers.BaseSampler:
    """Sampler of one trial: what it draws depends on seed, trial and what is known, not on who."""
    seed = int(np.random.SeedSequence([int(cfg.seed), 31, slot.number]).generate_state(1)[0])
    if grid is not None:
        base = optuna.samplers.RandomSampler(seed=seed)
        with unexcited():
            return optuna.samplers.PartialFixedSampler(dict(grid[slot.number]), base)
    with unexcited():
        sampler: optuna.samplers.BaseSampler = instantiate(cfg.sweep.sampler, seed=seed)
    return sampler


def _run_trial(
    shared: SharedStudy,
    slot: Slot,
    space: Space,
    sampler: optuna.samplers.BaseSampler,
    source: DictConfig,
    folder: Path,
    recording: Recording,
) -> None:
    trial = shared.trial(slot, sampler)
    values = space.suggest(trial)
    run = RunFolder.create(str(trial_folder(folder, slot.number)), "trial")
    trial.set_user_attr("folder", str(run.path))
    trial.set_user_attr("worker", f"{socket.gethostname()}:{os.getpid()}")
    cfg = changed_config(source, overrides(values))
    cfg.name, cfg.run_dir = f"{source.name}_{slot.number:04d}", str(run.path)
    if cfg.logger and "group" in cfg.logger:
        cfg.logger.name, cfg.logger.group = cfg.name, cfg.logger.group or source.name
    judge = Judge(trial, lambda: shared.runs(slot), run.log)
    with hushed():
        data = build_data(cfg, recording)
        if not len(data.dataset("val")):
            raise InputError("data.split: val is empty; a sweep is judged by validation loss")
        task = build_task(cfg, data)
        try_once(task, data)
        fit(cfg, task, data, run, ckpt_path=_begun(run, cfg), watch=judge)
    losses = pd.read_csv(run.log)["val/loss"]
    state = TrialState.COMPLETE if judge.stopped is None else TrialState.PRUNED
    value = float(losses.min())
    if not shared.runs(slot):
        raise TrialLostError
    trial.set_user_attr("epochs", len(losses))
    shared.finish(slot, state, value if math.isfinite(value) else None)


def _begun(run: RunFolder, cfg: DictConfig) -> Path | None:
    """Checkpoint of an interrupted trial to go on from."""
    last = run.checkpoints / "last.ckpt"
    if not run.config.is_file() or not last.is_file():
        return None
    difference = first_difference(run, cfg)
    if difference is not None:
        raise InputError(f"{run.path} holds another run: {difference}; choose another out_dir")
    try:
        load_checkpoint(last)
    except InputError:
        return None  # cut off while it was written
    return last


def work_in(folder: str) -> None:
    """Run trials of the sweep in a folder, as its ``sweep.yaml`` says; for worker processes."""

    def stop(number: int, frame: Any) -> None:  # noqa: ARG001
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    cfg = OmegaConf.load(Path(folder) / "sweep.yaml")
    assert isinstance(cfg, DictConfig)
    work(cfg, Path(folder))


if __name__ == "__main__":
    try:
        work_in(sys.argv[1])
    except KeyboardInterrupt:
        raise SystemExit(130) from None
