"""What is seen of a sweep while it goes on: every trial that ends, and workers that do."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial

from optuna.trial import FrozenTrial, TrialState

from mua_decode.runs.progress import console
from mua_decode.sweep.launch import Launcher, LocalLauncher
from mua_decode.sweep.plan import Sweep
from mua_decode.sweep.study import REASON, SharedStudy
from mua_decode.sweep.worker import work
from mua_decode.types import InputError


def carry_out(
    sweep: Sweep, shared: SharedStudy, launcher: Launcher, told: Mapping[str, str]
) -> None:
    """Run the trials that are missing, here or by workers, and say what became of each.

    ``told`` are variables of the environment of workers; see :mod:`mua_decode.sweep.private`.

    ``InputError`` if all workers ended before the sweep did.
    """
    shared.lay_out()
    seen: set[int] = set()
    _report(shared, seen, quiet=True)
    if shared.complete:
        return
    try:
        if sweep.plan.workers == 1 and isinstance(launcher, LocalLauncher):
            work(sweep, after=partial(_report, seen=seen))
        else:
            launcher.start(sweep.folder, sweep.plan.workers, told)
            _watch(sweep, shared, launcher, seen)
    except KeyboardInterrupt:
        again = f"the same command with out_dir={sweep.folder}"
        console.print(f"stopped; {again} goes on", soft_wrap=True)
        raise


def _report(shared: SharedStudy, seen: set[int], *, quiet: bool = False) -> None:
    """Print a line for every trial that ended and was not ``seen``, or their number alone."""
    slots, n_trials = shared.slots(), shared.plan.n_trials
    finished = [s for s in slots if s.trial.state == TrialState.COMPLETE]
    best = min(finished, key=lambda s: s.trial.value or 0.0, default=None)
    so_far = f"; best {best.trial.value:.4g} (trial {best.number})" if best else ""
    for slot in slots:
        if slot.done and slot.number not in seen:
            seen.add(slot.number)
            if not quiet:
                line = f"[{len(seen)}/{n_trials}] trial {slot.number}: {_end(slot.trial)}{so_far}"
                console.print(line, highlight=False, soft_wrap=True, markup=False)
    if quiet and seen:
        console.print(f"{len(seen)} of {n_trials} trials are done already")


def _end(trial: FrozenTrial) -> str:
    """How a trial ended, and with which values."""
    if trial.state == TrialState.FAIL:
        what = f"failed: {trial.user_attrs[REASON]}"
    elif trial.state == TrialState.PRUNED:
        what = f"stopped after {trial.user_attrs.get('epochs', '?')} epochs"
    else:
        what = f"val loss {trial.value:.4g}"
    values = [(name.split(".")[-1], value) for name, value in trial.params.items()]
    written = [f"{k}={v:.4g}" if isinstance(v, float) else f"{k}={v}" for k, v in values]
    return f"{what}, {' '.join(written)}"


def _watch(sweep: Sweep, shared: SharedStudy, launcher: Launcher, seen: set[int]) -> None:
    try:
        while launcher.alive():  # they end by themselves when all trials are done
            _report(shared, seen)
            time.sleep(0.5)
    except BaseException:
        launcher.stop()
        raise
    _report(shared, seen)
    if not shared.complete:
        raise InputError(
            f"all workers ended before the sweep did; see {sweep.folder}, then give the same "
            f"command with out_dir={sweep.folder} to go on"
        )
