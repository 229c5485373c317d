"""What a sweep found: its table, its figures, the best config and the line that trains it."""

from __future__ import annotations

import math
import shlex
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import optuna
import pandas as pd
from optuna.importance import FanovaImportanceEvaluator, get_param_importances
from optuna.trial import TrialState

from mua_decode.files import write_text
from mua_decode.runs.drawn import Drawing, write_figures
from mua_decode.runs.folder import RunFolder
from mua_decode.runs.progress import console
from mua_decode.runs.run import Run
from mua_decode.runs.train_line import train_line
from mua_decode.sweep.figure import sweep_history, sweep_importance, sweep_parallel
from mua_decode.sweep.plan import Sweep, unexcited
from mua_decode.sweep.space import overrides
from mua_decode.sweep.study import REASON, SharedStudy
from mua_decode.types import InputError

STATES = {
    TrialState.COMPLETE: "finished",
    TrialState.PRUNED: "stopped",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "running",
    TrialState.WAITING: "waiting",
}
# Fewer finished trials than this say nothing about what matters.
_LEAST_FOR_IMPORTANCE = 4


@dataclass(frozen=True, eq=False)
class Summary:
    """A row per trial, the best of them as a run, and what is to be said of it."""

    table: pd.DataFrame
    best: Run
    comment: str


def summarise(sweep: Sweep, shared: SharedStudy) -> Summary:
    """Write ``trials.csv`` and the figures of a sweep, and say which trial was best.

    ``InputError`` if no trial finished, with the first reason, or the best was given what the sweep
    does not search.
    """
    folder, slots = sweep.folder, shared.slots()
    table = trial_table(sweep, shared)
    write_text(folder / "trials.csv", table.to_csv(index=False))
    finished = [s for s in slots if s.trial.state == TrialState.COMPLETE]
    if not finished:
        reasons = [s.trial.user_attrs[REASON] for s in slots if s.failed]
        raise InputError(f"no trial finished; {(reasons or ['all were stopped early'])[0]}")
    best = min(finished, key=lambda s: (s.trial.value or 0.0, s.number))
    sweep.plan.space.check(best.trial.params)
    run = sweep.varied(best.trial.params, "best")
    line = shlex.join(["mua-decode", "train", *train_line(run.cfg)])
    drawn = _draw(shared, table, folder)
    count = ", ".join(f"{n} {state}" for state, n in table["state"].value_counts().items())
    for text in (
        f"{len(slots)} trials: {count}",
        f"best     trial {best.number}, val loss {best.trial.value:.4g}: "
        + " ".join(overrides(best.trial.params)),
        f"score it mua-decode evaluate run_dir={sweep.trial_folder(best.number)}",
        f"train it {line}",
        *(f"look at  {folder / 'figures' / f'{name}.png'}" for name in drawn[:1]),
        f"numbers  {folder / 'trials.csv'}",
    ):
        console.print(text, highlight=False, soft_wrap=True, markup=False)
    what = f"# Best of {len(finished)} finished trials, by validation loss. To train it:"
    return Summary(table, run, f"{what}\n# {line}\n")


def trial_table(sweep: Sweep, shared: SharedStudy) -> pd.DataFrame:
    """One row per trial: state, best validation loss, epochs, seconds, attempts, its options."""
    rows: list[dict[str, Any]] = []
    for slot in shared.slots():
        trial, known = slot.trial, slot.trial.user_attrs
        seconds = trial.duration.total_seconds() if trial.duration else math.nan
        rows.append(
            {
                "trial": slot.number,
                "state": STATES[trial.state],
                "val_loss": math.nan if trial.value is None else trial.value,
                "epochs": known.get("epochs", 0),
                "seconds": round(seconds, 1),
                "attempts": slot.attempts,
                **trial.params,
                "worker": known.get("worker", ""),
                "folder": str(known.get("folder", sweep.trial_folder(slot.number))),
                "reason": known.get(REASON, ""),
            }
        )
    return pd.DataFrame(rows)


def _draw(shared: SharedStudy, table: pd.DataFrame, folder: Path) -> list[str]:
    """Names of the figures that were drawn."""
    names = list(table.columns[6:-3])
    drawn: dict[str, Drawing] = {
        "parallel": partial(sweep_parallel, table, names),
        "history": partial(sweep_history, table),
    }
    if (shares := _importance(shared, table)) is not None:
        write_text(folder / "importance.csv", shares.to_csv(index=False))
        n_trials = int((table["state"] == "finished").sum())
        drawn["importance"] = partial(sweep_importance, shares, n_trials=n_trials)
    return write_figures(drawn, RunFolder(folder))


def _importance(shared: SharedStudy, table: pd.DataFrame) -> pd.DataFrame | None:
    """Share of every option in the variance of the loss; None where too few trials tell it."""
    losses = table.loc[table["state"] == "finished", "val_loss"]
    if len(losses) < _LEAST_FOR_IMPORTANCE or losses.nunique() < 2:
        return None
    try:
        with unexcited():
            evaluator = FanovaImportanceEvaluator(seed=0)
            shares = get_param_importances(shared.study, evaluator=evaluator)
    except (ValueError, RuntimeError, optuna.exceptions.OptunaError) as error:
        console.print(f"note: no importance of the options: {error}", soft_wrap=True)
        return None
    return pd.DataFrame({"option": list(shares), "importance": list(shares.values())})
