"""A sweep: its folder, its plan and the run it varies; all that a worker needs to know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from optuna.pruners import NopPruner

from mua_decode.runs.config import changed_config
from mua_decode.runs.fingerprint import Fingerprint
from mua_decode.runs.folder import RunFolder
from mua_decode.runs.instantiate import instantiate
from mua_decode.runs.plan import plain, read_plan
from mua_decode.runs.run import Run
from mua_decode.runs.train import check_training
from mua_decode.sweep.plan import SweepPlan
from mua_decode.sweep.space import Space, Value, overrides
from mua_decode.sweep.study import unexcited
from mua_decode.types import InputError

# Options of the sweep that a trial's run does not have.
_OWN = ("sweep", "launcher", "out_dir", "storage", "workers")


@dataclass(frozen=True, eq=False)
class Sweep:
    """A sweep in a folder.

    Parameters
    ----------
    source
        The run that trials vary; its recording is read once for all of them.
    fingerprint
        What trials of one study have in common; its recording is known to workers alone.
    """

    folder: Path
    plan: SweepPlan
    source: Run
    fingerprint: Fingerprint

    @classmethod
    def open(cls, cfg: Any, folder: Path) -> Sweep:
        """Make it of the config of ``mua-decode sweep``.

        Raises
        ------
        InputError
            If an option is wrong.
        """
        source = changed_config(cfg, [])
        for name in _OWN:
            source.pop(name, None)
        source.run_dir = source.ckpt_path = None
        options, search = plain(source), plain(cfg.sweep)
        devices = options["trainer"].get("devices", 1)
        if devices not in (1, "1", "auto") or options["trainer"].get("strategy"):
            raise InputError("sweep: a trial trains in one process; ask for more workers instead")
        check_training(source)
        with unexcited():
            plan = read_plan(
                SweepPlan,
                {**plain(cfg), **search},
                space=Space.read(search["space"], options),
                sampler=partial(instantiate, cfg.sweep.sampler),
                pruner=instantiate(cfg.sweep.pruner) if search["pruner"] else NopPruner(),
            )
        searched = {"space": search["space"], "grid": plan.grid}
        common = Fingerprint.of({**options, "sweep": searched})
        return cls(folder, plan, Run(RunFolder(folder), source), common)

    def read_fingerprint(self) -> Fingerprint:
        """The fingerprint with the content of the recording, which is read for it."""
        return replace(self.fingerprint, recording=self.source.recording.checksum)

    def trial_folder(self, number: int) -> Path:
        """Folder of a trial's run."""
        return self.folder / "trials" / f"{number:04d}"

    def varied(self, values: Mapping[str, Value], name: str) -> Run:
        """The run with options changed, to be put into a folder; its recording is not read."""
        cfg = changed_config(self.source.cfg, overrides(values))
        cfg.name = f"{self.plan.name}_{name}"
        return Run(self.source.folder, cfg)
