"""One worker of a sweep: it takes trials from the study and trains them until all are done."""

from __future__ import annotations

import math
import os
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import optuna
import pandas as pd
import pytorch_lightning as pl
from optuna.trial import Trial, TrialState

from mua_decode.recordings.files import reading
from mua_decode.runs.checkpoints import newest_sound
from mua_decode.runs.ending import end_on_sigterm
from mua_decode.runs.folder import RunFolder
from mua_decode.runs.lock import FolderInUseError, locks
from mua_decode.runs.progress import hushed
from mua_decode.runs.quiet import quiet
from mua_decode.runs.run import Run
from mua_decode.runs.stored import load_stored, without_command_line
from mua_decode.runs.tracker import named_trackers
from mua_decode.runs.train import Training, fit, prepare
from mua_decode.sweep.plan import Sweep, SweepPlan, unexcited
from mua_decode.sweep.private import told
from mua_decode.sweep.study import SharedStudy, Slot
from mua_decode.tasks import DecodeVideo
from mua_decode.types import EXACT, InputError, Stream


class TrialLostError(Exception):
    """The trial was given to another worker, because this one seemed dead."""


class Judge(pl.Callback):
    """Report the validation loss of every epoch to the study, and stop a trial it gives up.

    ``alive`` says whether the trial is still this worker's; rows of ``log``, the run's
    ``epochs.csv``, are reported again by a resumed trial.
    """

    def __init__(self, trial: Trial, alive: Callable[[], bool], log: Path) -> None:
        self._trial, self._alive, self._log = trial, alive, log
        self.stopped: str | None = None  # why it was stopped early

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Report the epochs before an interruption."""
        if trainer.current_epoch > 0:
            rows = pd.read_csv(self._log, **EXACT)
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


def work(sweep: Sweep, after: Callable[[SharedStudy], None] | None = None) -> None:
    """Run trials until all of the sweep are done, those of dead workers included.

    ``after`` is called after every trial. ``InputError`` if the recording cannot be read, or is
    another than that of the trials so far; no trial is touched then.
    """
    shared = SharedStudy(sweep.plan, sweep.folder)
    shared.lay_out()
    if shared.complete:
        return
    shared.join(replace(sweep.fingerprint, recording=sweep.source.recording.checksum))
    while True:
        shared.revive()
        slot = shared.claim()
        if slot is None:
            if shared.complete:
                return
            # Others are at work; should one of them die, its trial is ours.
            time.sleep(min(2.0, sweep.plan.heartbeat_s))
            continue
        with shared.heartbeat(slot), locks():
            try:
                _run_trial(sweep, shared, slot)
            except TrialLostError:
                pass
            except FolderInUseError:
                # Its worker only seemed dead; it leaves the trial when its epoch ends.
                shared.release(slot)
                time.sleep(sweep.plan.heartbeat_s)
            except (KeyboardInterrupt, SystemExit):
                shared.release(slot)
                raise KeyboardInterrupt from None
            except Exception as error:
                reason = " ".join(str(error).split())[:300] or type(error).__name__
                shared.fail(slot, reason)
        if after is not None:
            after(shared)


def _run_trial(sweep: Sweep, shared: SharedStudy, slot: Slot) -> None:
    """Train a claimed trial, or go on with it, and tell the study what became of it."""
    trial = shared.trial(slot, _sampler(sweep.plan, slot.number))
    values = sweep.plan.space.suggest(trial)
    place = RunFolder.create(str(sweep.trial_folder(slot.number)), "trial")
    trial.set_user_attr("folder", str(place.path))
    trial.set_user_attr("worker", f"{socket.gethostname()}:{os.getpid()}")
    cfg = sweep.varied(values, place.path.name).cfg
    cfg.run_dir = str(place.path)
    for options in named_trackers(cfg).values():
        if "group" in options:
            options.name, options.group = cfg.name, options.group or sweep.plan.name
    run = Run(place, cfg, recording=sweep.source.recording)
    judge = Judge(trial, lambda: shared.runs(slot), place.log)
    with hushed():
        if not len(run.data.dataset("val")):
            raise InputError("data.split: val is empty; a sweep is judged by validation loss")
        fit(run, prepare(run, DecodeVideo), Training(resume=_begun(run), watch=judge))
    losses = pd.read_csv(place.log, **EXACT)["val/loss"]
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
    if not run.folder.config.is_file() or not run.folder.trained:
        return None
    difference = run.fingerprint.difference(run.folder.fingerprint())
    if difference is not None:
        where = run.folder.path
        raise InputError(f"{where} holds another run: {difference}; choose another out_dir")
    return newest_sound(run.folder.checkpoints)


def work_in(folder: str) -> None:
    """Run trials of the sweep in a folder, as its ``sweep.yaml`` says; for worker processes.

    Storage, trusted packages, logger and trainer are those it was told by who started it.
    """
    quiet()
    end_on_sigterm()
    work(open_shared(Path(folder)))


def open_shared(folder: Path) -> Sweep:
    """Make a sweep of what its folder holds.

    Raises InputError naming ``sweep.yaml`` if that is damaged, or holds an option that is wrong.
    """
    path = folder / "sweep.yaml"
    with reading(path):
        cfg, _ = without_command_line(load_stored(path))
        for name, value in told().items():
            cfg[name] = value
        return Sweep.open(cfg, folder)
