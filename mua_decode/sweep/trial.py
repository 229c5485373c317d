"""One trial of a sweep: a run trained under the eyes of the study."""

from __future__ import annotations

import math
import os
import socket
from collections.abc import Callable
from pathlib import Path

import numpy as np
import optuna
import pandas as pd
import pytorch_lightning as pl
from optuna.trial import Trial, TrialState

from mua_decode.runs.build import load_checkpoint
from mua_decode.runs.folder import RunFolder
from mua_decode.runs.progress import hushed
from mua_decode.runs.run import Run
from mua_decode.runs.train import Training, fit, prepare
from mua_decode.sweep.plan import SweepPlan
from mua_decode.sweep.study import SharedStudy, Slot, unexcited
from mua_decode.sweep.sweep import Sweep
from mua_decode.tasks import DecodeVideo
from mua_decode.types import InputError, Stream


class TrialLostError(Exception):
    """The trial was given to another worker, because this one seemed dead."""


class Judge(pl.Callback):
    """Report the validation loss of every epoch to the study, and stop a trial it gives up.

    Parameters
    ----------
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


def run_trial(sweep: Sweep, shared: SharedStudy, slot: Slot) -> None:
    """Train a claimed trial, or go on with it, and tell the study what became of it.

    Raises
    ------
    TrialLostError
        If it was given to another worker meanwhile.
    InputError
        If its options cannot be used.
    """
    trial = shared.trial(slot, _sampler(sweep.plan, slot.number))
    values = sweep.plan.space.suggest(trial)
    place = RunFolder.create(str(sweep.trial_folder(slot.number)), "trial")
    trial.set_user_attr("folder", str(place.path))
    trial.set_user_attr("worker", f"{socket.gethostname()}:{os.getpid()}")
    cfg = sweep.varied(values, place.path.name).cfg
    cfg.run_dir = str(place.path)
    if cfg.logger and "group" in cfg.logger:
        cfg.logger.name, cfg.logger.group = cfg.name, cfg.logger.group or sweep.plan.name
    run = Run(place, cfg, recording=sweep.source.recording)
    judge = Judge(trial, lambda: shared.runs(slot), place.log)
    with hushed():
        if not len(run.data.dataset("val")):
            raise InputError("data.split: val is empty; a sweep is judged by validation loss")
        fit(run, prepare(run, DecodeVideo), Training(resume=_begun(run), watch=judge))
    losses = pd.read_csv(place.log)["val/loss"]
    if not shared.runs(slot):
        raise TrialLostError
    trial.set_user_attr("epochs", len(losses))
    state = TrialState.COMPLETE if judge.stopped is None else TrialState.PRUNED
    value = float(losses.min())
    shared.finish(slot, state, value if math.isfinite(value) else None)


def _sampler(plan: SweepPlan, number: int) -> optuna.samplers.BaseSampler:
    """Sampler of one trial: what it draws depends on seed, trial and what is known, not on who."""
    entropy = [plan.seed, int(Stream.SWEEP_TRIALS), number]
    seed = int(np.random.SeedSequence(entropy).generate_state(1)[0])
    with unexcited():
        if not plan.grid:
            return plan.sampler(seed=seed)
        values, base = plan.space.combinations()[number], optuna.samplers.RandomSampler(seed=seed)
        return optuna.samplers.PartialFixedSampler(dict(values), base)


def _begun(run: Run) -> Path | None:
    """Checkpoint of an interrupted trial to go on from."""
    last = run.folder.checkpoints / "last.ckpt"
    if not run.folder.config.is_file() or not last.is_file():
        return None
    difference = run.fingerprint.difference(run.folder.fingerprint())
    if difference is not None:
        raise InputError(
            f"{run.folder.path} holds another run: {difference}; choose another out_dir"
        )
    try:
        load_checkpoint(last)
    except InputError:
        return None  # cut off while it was written
    return last
