"""A sweep: its options, and the run it varies; all that a worker needs to know."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from optuna.exceptions import ExperimentalWarning
from optuna.pruners import BasePruner, NopPruner
from optuna.samplers import BaseSampler

from mua_decode.runs.config import changed_config
from mua_decode.runs.fingerprint import Fingerprint
from mua_decode.runs.folder import RunFolder
from mua_decode.runs.instantiate import instantiate
from mua_decode.runs.plan import plain, read_plan
from mua_decode.runs.run import Run
from mua_decode.runs.train import check_training
from mua_decode.sweep.space import Space, Value, overrides
from mua_decode.types import InputError

# Options of the sweep that a trial's run does not have.
_OWN = ("sweep", "launcher", "out_dir", "storage", "workers")


@dataclass(frozen=True, kw_only=True)
class SweepPlan:
    """What is searched, by how many trials, and how workers look after them.

    ``InputError`` if a number is wrong, or the sampler refuses its options.

    See ``conf/sweep.yaml`` and ``conf/sweep/default.yaml``; ``sampler`` makes the sampler of one
    trial from its seed.
    """

    name: str
    storage: str | None
    workers: int
    seed: int
    n_trials: int
    grid: bool
    heartbeat_s: int
    grace_s: int
    retries: int
    space: Space
    sampler: Callable[..., BaseSampler]
    pruner: BasePruner

    def __post_init__(self) -> None:
        for name, found, least in (
            ("workers", self.workers, 1),
            ("sweep.n_trials", self.n_trials, 1),
            ("sweep.retries", self.retries, 0),
        ):
            if found < least:
                raise InputError(f"{name}: expected a number >= {least}, found {found}")
        if not 1 <= self.heartbeat_s < self.grace_s:
            raise InputError(
                "sweep: expected 1 <= heartbeat_s < grace_s, found "
                f"{self.heartbeat_s} and {self.grace_s}"
            )
        if not self.grid:
            self.sampler(seed=0)
        elif self.n_trials > (number := len(self.space.combinations())):
            raise InputError(
                f"sweep.n_trials: the grid has {number} combinations, found {self.n_trials}"
            )


@dataclass(frozen=True, eq=False)
class Sweep:
    """A sweep in a folder.

    ``source`` is the run that trials vary, its recording read once for all of them;
    ``fingerprint`` holds the options that trials of one study have in common.
    """

    folder: Path
    plan: SweepPlan
    source: Run
    fingerprint: Fingerprint

    @classmethod
    def open(cls, cfg: Any, folder: Path) -> Sweep:
        """Make it of the config of ``mua-decode sweep``; ``InputError`` if an option is wrong."""
        source = changed_config(cfg, [])
        for name in _OWN:
            source.pop(name, None)
        source.run_dir = source.ckpt_path = None
        options, search = plain(source), plain(cfg.sweep)
        devices = options["trainer"].get("devices", 1)
        if devices not in (1, "1", "auto") or options["trainer"].get("strategy"):
            raise InputError("sweep: a trial trains in one process; ask for more workers instead")
        check_training(source)
        trusted = tuple(cfg.get("trusted") or ())
        with unexcited():
            plan = read_plan(
                SweepPlan,
                {**plain(cfg), **search},
                space=Space.read(search["space"], options),
                sampler=partial(instantiate, cfg.sweep.sampler, place="sweep", trusted=trusted),
                pruner=instantiate(cfg.sweep.pruner, place="sweep", trusted=trusted)
                if search["pruner"]
                else NopPruner(),
            )
        searched = {"space": search["space"], "grid": plan.grid}
        common = Fingerprint.of({**options, "sweep": searched})
        return cls(folder, plan, Run(RunFolder(folder), source), common)

    def trial_folder(self, number: int) -> Path:
        """Folder of a trial's run."""
        return self.folder / "trials" / f"{number:04d}"

    def varied(self, values: Mapping[str, Value], name: str) -> Run:
        """The run with options changed, to be put into a folder; its recording is not read."""
        cfg = changed_config(self.source.cfg, overrides(values))
        cfg.name = f"{self.plan.name}_{name}"
        return Run(self.source.folder, cfg)


@contextmanager
def unexcited() -> Iterator[None]:
    """Leave out that parts of Optuna are marked experimental."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        yield
