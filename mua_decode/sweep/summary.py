"""What a sweep found: its table, its figures, the best config and the line that trains it."""

from __future__ import annotations

import math
import shlex
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import optuna
import pandas as pd
from omegaconf import DictConfig, OmegaConf
from optuna.exceptions import ExperimentalWarning
from optuna.importance import FanovaImportanceEvaluator, get_param_importances
from optuna.trial import TrialState

from mua_decode import figures
from mua_decode.files import write_text
from mua_decode.runs.config import compose, groups, load_option
from mua_decode.runs.progress import console
from mua_decode.runs.variants import changed_config, flat_config
from mua_decode.sweep.figure import sweep_history, sweep_importance, sweep_parallel
from mua_decode.sweep.space import overrides
from mua_decode.sweep.study import REASON, SharedStudy, Slot
from mua_decode.sweep.worker import trial_folder
from mua_decode.types import InputError

STATES = {
    TrialState.COMPLETE: "finished",
    TrialState.PRUNED: "stopped",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "running",
    TrialState.WAITING: "waiting",
}
_PLACE = ("name", "run_dir", "ckpt_path")
# Fewer finished trials than this say nothing about what matters.
_LEAST_FOR_IMPORTANCE = 4


def summarise(
    shared: SharedStudy, source: DictConfig, slots: Sequence[Slot], folder: Path
) -> pd.DataFrame:
    """Write ``trials.csv``, ``best.yaml`` and the figures of a sweep, and say which was best.

    Raises
    ------
    InputError
        If no trial finished, with the first reason.
    """
    table = trial_table(slots, folder)
    write_text(folder / "trials.csv", table.to_csv(index=False))
    finished = [s for s in slots if s.trial.state == TrialState.COMPLETE]
    if not finished:
        reasons = [s.trial.user_attrs[REASON] for s in slots if s.failed]
        raise InputError(f"no trial finished; {(reasons or ['all were stopped early'])[0]}")
    best = min(finished, key=lambda s: (s.trial.value or 0.0, s.number))
    cfg = changed_config(source, overrides(best.trial.params))
    for name in ("run_dir", "ckpt_path"):
        cfg[name] = None
    cfg.name = f"{source.name}_best"
    line = shlex.join(["mua-decode", "train", *train_line(cfg)])
    text = (
        f"# Best of {len(finished)} finished trials, by validation loss. To train it:\n# {line}\n"
    )
    write_text(folder / "best.yaml", text + OmegaConf.to_yaml(cfg))
    _draw(shared, table, folder)
    count = ", ".join(f"{n} {state}" for state, n in table["state"].value_counts().items())
    run = trial_folder(folder, best.number)
    for text in (
        f"{len(slots)} trials: {count}",
        f"best     trial {best.number}, val loss {best.trial.value:.4g}: "
        + " ".join(overrides(best.trial.params)),
        f"score it mua-decode evaluate run_dir={run}",
        f"train it {line}",
        f"look at  {folder / 'figures' / 'parallel.png'}",
        f"numbers  {folder / 'trials.csv'}",
    ):
        console.print(text, highlight=False, soft_wrap=True, markup=False)
    return table


def trial_table(slots: Sequence[Slot], folder: Path) -> pd.DataFrame:
    """One row per trial: state, best validation loss, epochs, seconds, attempts, its options."""
    rows: list[dict[str, Any]] = []
    for slot in slots:
        trial = slot.trial
        seconds = trial.duration.total_seconds() if trial.duration else math.nan
        rows.append(
            {
                "trial": slot.number,
                "state": STATES[trial.state],
                "val_loss": math.nan if trial.value is None else trial.value,
                "epochs": trial.user_attrs.get("epochs", 0),
                "seconds": round(seconds, 1),
                "attempts": slot.attempts,
                **trial.params,
                "worker": trial.user_attrs.get("worker", ""),
                "folder": str(trial.user_attrs.get("folder", trial_folder(folder, slot.number))),
                "reason": trial.user_attrs.get(REASON, ""),
            }
        )
    return pd.DataFrame(rows)


def train_line(cfg: DictConfig) -> list[str]:
    """Options of ``mua-decode train`` that give the config of a run, where it lies excepted."""
    chosen: list[str] = []
    default = compose("train", [])
    for group, options in groups().items():
        if group not in cfg or group not in default:
            continue
        if group in ("metric", "floor"):
            if list(cfg[group] or {}) != list(default[group] or {}):
                chosen.append(f"{group}=[{','.join(str(k) for k in cfg[group] or {})}]")
            continue
        wanted = _plain(cfg[group])
        differing = {o: _differing(wanted, _option(group, o)) for o in options}
        differing |= {"": _differing(wanted, _plain(default[group]))}
        nearest = min(differing, key=lambda o: (differing[o], o))
        if nearest:
            chosen.append(f"{group}={nearest}")
    base, there = flat_config(compose("train", chosen)), flat_config(cfg)
    for name in [n for n in base if n not in there and n.split(".")[0] not in _PLACE]:
        if not any(other.startswith(f"{name}.") for other in there):
            chosen.append(f"~{name}")
    for name, value in there.items():
        if name.split(".")[0] in _PLACE or base.get(name, _plain) == value:
            continue
        chosen.append(f"{'' if name in base else '++'}{name}={_written(value)}")
    return chosen


def _plain(cfg: Any) -> dict[str, Any]:
    return flat_config(cfg) if cfg else {}


def _option(group: str, option: str) -> dict[str, Any]:
    """Options of a config group by name, those that refer to others as they are written."""
    return flat_config(OmegaConf.to_container(load_option(group, option)))


def _differing(wanted: dict[str, Any], found: dict[str, Any]) -> int:
    marker = object()
    return sum(wanted.get(n, marker) != found.get(n, marker) for n in {*wanted, *found})


def _written(value: Any) -> str:
    """Value as Hydra's command line reads it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{" + ",".join(f"{k}:{_written(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(_written(v) for v in value) + "]"
    if isinstance(value, str) and not value.replace("_", "").replace(".", "").isalnum():
        escaped = value.replace("\\", "\\\\").replace("'", "\\'")
        return f"'{escaped}'"
    return str(value)


def _draw(shared: SharedStudy, table: pd.DataFrame, folder: Path) -> None:
    (folder / "figures").mkdir(exist_ok=True)
    names = list(table.columns[6:-3])
    figures.save(sweep_parallel(table, names), folder / "figures" / "parallel.png")
    figures.save(sweep_history(table), folder / "figures" / "history.png")
    losses = table.loc[table["state"] == "finished", "val_loss"]
    if len(losses) < _LEAST_FOR_IMPORTANCE or losses.nunique() < 2:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        try:
            shares = get_param_importances(
                shared.study, evaluator=FanovaImportanceEvaluator(seed=0)
            )
        except (ValueError, RuntimeError, optuna.exceptions.OptunaError) as error:
            console.print(f"note: no importance of the options: {error}", soft_wrap=True)
            return
    drawn = pd.DataFrame({"option": list(shares), "importance": list(shares.values())})
    write_text(folder / "importance.csv", drawn.to_csv(index=False))
    figures.save(
        sweep_importance(drawn, n_trials=len(losses)),
        folder / "figures" / "importance.png",
    )
