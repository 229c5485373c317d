"""Search hyper-parameters by validation loss."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path

import optuna
import pandas as pd
from omegaconf import DictConfig, OmegaConf
from optuna.trial import TrialState

from mua_decode.files import write_text
from mua_decode.runs.build import build_recording
from mua_decode.runs.folder import RunFolder
from mua_decode.runs.instantiate import instantiate
from mua_decode.runs.progress import console
from mua_decode.runs.variants import flat_config
from mua_decode.sweep.launch import Launcher
from mua_decode.sweep.space import Space
from mua_decode.sweep.study import REASON, SharedStudy, Slot, unexcited
from mua_decode.sweep.summary import summarise
from mua_decode.sweep.worker import open_study, source_config, work
from mua_decode.types import InputError


def run(cfg: DictConfig) -> pd.DataFrame:
    """Train many runs with different options and find the best by its validation loss.

    What is searched is a config (conf/sweep/): options of a run with their ranges, the sampler,
    the pruner that stops bad trials early, and how many trials there are in all. Trials never see
    the test part. The same command on another machine, with the same storage, shares the trials;
    after Ctrl-C or a crash it goes on, and a trial whose worker died is run again.

    OUT_DIR holds study.db (Optuna's), trials/NNNN (a run's folder each, as mua-decode train makes
    them, without scores), trials.csv, best.yaml and figures/.
    """
    stamp = datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    folder = RunFolder.create(str(cfg.out_dir or f"runs/{cfg.name}_{stamp}"), "sweep").path
    check(cfg)
    launcher: Launcher = instantiate(cfg.launcher)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    shared = open_study(cfg, folder)
    _same_sweep(shared, cfg)
    # Absolute, so that jobs started elsewhere find them.
    saved = cfg.copy()
    saved.out_dir = str(folder.resolve())
    write_text(folder / "sweep.yaml", OmegaConf.to_yaml(saved))
    n_trials = int(cfg.sweep.n_trials)
    shared.lay_out(n_trials)
    watch = _Watch(n_trials)
    watch(shared, quiet=True)
    try:
        here = str(cfg.launcher.get("_target_", "")).endswith(".LocalLauncher")
        if cfg.workers == 1 and here:
            recording = None if watch.complete else build_recording(cfg)
            work(saved, folder, recording=recording, after=watch)
        elif not watch.complete:
            _with_workers(launcher, folder, int(cfg.workers), shared, watch)
    except KeyboardInterrupt:
        console.print(f"stopped; the same command with out_dir={folder} goes on", soft_wrap=True)
        raise
    return summarise(shared, source_config(cfg), shared.slots(n_trials), folder)


def check(cfg: DictConfig) -> None:
    """Check a sweep before anything is started.

    Raises
    ------
    InputError
        If an option of the sweep is wrong.
    """
    space = Space.read(cfg.sweep.space, source_config(cfg))
    if not isinstance(cfg.workers, int) or cfg.workers < 1:
        raise InputError(f"workers: expected a number >= 1, found {cfg.workers}")
    if cfg.trainer.get("devices", 1) not in (1, "1", "auto") or cfg.trainer.get("strategy"):
        raise InputError("sweep: a trial trains in one process; ask for more workers instead")
    if cfg.trainer.get("max_epochs") is None or cfg.trainer.max_epochs < 1:
        raise InputError(f"trainer.max_epochs: expected >= 1, found {cfg.trainer.max_epochs}")
    if cfg.sweep.grid:
        number = len(space.combinations())
        if cfg.sweep.n_trials > number:
            raise InputError(
                f"sweep.n_trials: the grid has {number} combinations, found {cfg.sweep.n_trials}"
            )
    else:
        with unexcited():
            instantiate(cfg.sweep.sampler, seed=0)


def _same_sweep(shared: SharedStudy, cfg: DictConfig) -> None:
    """Refuse to mix trials of different sweeps in one study; n_trials may grow."""
    source = source_config(cfg)
    searched = OmegaConf.to_container(cfg.sweep.space, resolve=True)
    here = flat_config(source) | {"sweep.space": searched, "sweep.grid": bool(cfg.sweep.grid)}
    here = {k: v for k, v in here.items() if not k.startswith("logger.")}
    there = shared.study.user_attrs.get("config")
    if there is None:
        shared.study.set_user_attr("config", here)
        return
    for name in dict.fromkeys([*here, *there]):
        if here.get(name) != there.get(name):
            raise InputError(
                f"the study holds another sweep: {name} is {there.get(name, 'not set')} there and "
                f"{here.get(name, 'not set')} here; choose another out_dir or name"
            )


class _Watch:
    """Says what became of every trial, once."""

    def __init__(self, n_trials: int) -> None:
        self._n_trials = n_trials
        self._seen: set[int] = set()
        self.complete = False

    def __call__(self, shared: SharedStudy, *, quiet: bool = False) -> None:
        slots = shared.slots(self._n_trials)
        finished = [s for s in slots if s.trial.state == TrialState.COMPLETE]
        best = min(finished, key=lambda s: s.trial.value or 0.0, default=None)
        for slot in slots:
            if slot.done and slot.number not in self._seen:
                self._seen.add(slot.number)
                if not quiet:
                    self._say(slot, best)
        if quiet and self._seen:
            console.print(f"{len(self._seen)} of {self._n_trials} trials are done already")
        self.complete = len(self._seen) >= self._n_trials

    def _say(self, slot: Slot, best: Slot | None) -> None:
        trial = slot.trial
        values = " ".join(
            f"{k.split('.')[-1]}={v:.4g}" if isinstance(v, float) else f"{k.split('.')[-1]}={v}"
            for k, v in trial.params.items()
        )
        if trial.state == TrialState.FAIL:
            what = f"failed: {trial.user_attrs[REASON]}"
        elif trial.state == TrialState.PRUNED:
            what = f"stopped after {trial.user_attrs.get('epochs', '?')} epochs"
        else:
            what = f"val loss {trial.value:.4g}"
        so_far = f"; best {best.trial.value:.4g} (trial {best.number})" if best else ""
        line = f"[{len(self._seen)}/{self._n_trials}] trial {slot.number}: {what}, {values}{so_far}"
        console.print(line, highlight=False, soft_wrap=True, markup=False)


def _with_workers(
    launcher: Launcher, folder: Path, n_workers: int, shared: SharedStudy, watch: _Watch
) -> None:
    launcher.start(folder, n_workers)
    try:
        while not watch.complete:
            alive = launcher.alive()
            watch(shared)
            if not alive and not watch.complete:
                raise InputError(
                    f"all workers ended before the sweep did; see {folder}, then give the same "
                    f"command with out_dir={folder} to go on"
                )
            time.sleep(0.5)
        launcher.wait()
    except BaseException:
        launcher.stop()
        raise
