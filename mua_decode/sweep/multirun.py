"""``mua-decode train --multirun name=1,2,3``: every combination, one run after the other."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from rich.box import SIMPLE_HEAD
from rich.table import Table

from mua_decode.files import write_text
from mua_decode.runs.config import compose
from mua_decode.runs.folder import RunFolder, keep_split
from mua_decode.runs.instantiate import check_targets
from mua_decode.runs.progress import console
from mua_decode.runs.run import Run
from mua_decode.runs.train import Scored, Training, check_training
from mua_decode.runs.variants import Variant, run_variant
from mua_decode.types import EXACT, InputError

_OWN = ("run_dir", "ckpt_path")
_SHOWN = ("identification", "pixel_correlation", "ssim", "mse")


@dataclass(frozen=True)
class Job:
    """One combination: what it takes of the options that have several values, and all of it."""

    chosen: dict[str, str]
    options: tuple[str, ...]


def multirun(options: Sequence[str], *, config_name: str | None = None) -> pd.DataFrame:
    """Train every combination of the options that have several values.

    Values are written as in Hydra: ``seed=0,1,2``, ``model.width=range(8,33,8)``,
    ``model=video_unet,mlp_decoder``. ``run_dir`` is the folder of them all, with one folder per
    combination and ``multirun.csv``. The same command again goes on where it stopped.

    Returns one row per combination: its options, its best loss on the val part, its scores, its
    folder and why it failed, if it did; ``InputError`` if no option has several values, or no run
    finished.
    """
    own = [o for o in options if o.partition("=")[0] in _OWN]
    where = [o.partition("=")[2] for o in own if o.startswith("run_dir=")]
    if len(own) > len(where):
        raise InputError("--multirun goes on by itself; leave ckpt_path out")
    jobs = combinations([o for o in options if o not in own])
    configs = [compose("train", job.options, config_name=config_name) for job in jobs]
    for cfg in configs:  # wrong options show before anything is trained
        check_targets(cfg)
        check_training(cfg)
    parent = RunFolder.create(where[-1] if where else None, "multirun").path
    rows: list[dict[str, Any]] = []
    run: Run | None = None
    for number, (job, cfg) in enumerate(zip(jobs, configs, strict=True)):
        said = " ".join(f"{k}={v}" for k, v in job.chosen.items())
        console.rule(f"run {number + 1} of {len(jobs)}: {said}")
        keep_split(cfg, RunFolder(parent / str(number)).config)
        try:
            # Read again only where it is not that of the job before.
            same = run is not None and cfg.recording == run.cfg.recording
            run = Run(RunFolder(parent), cfg, recording=run.recording if run and same else None)
            scores = _scores(run_variant(run, Variant(str(number)), parent, training=Training()))
        except KeyboardInterrupt:
            console.print("the same --multirun command goes on with all of them")
            raise
        except Exception as error:
            scores = {"failed": " ".join(str(error).split())[:300] or type(error).__name__}
            line = f"failed: {scores['failed']}"
            console.print(line, highlight=False, soft_wrap=True)
        rows.append({**job.chosen, **scores, "folder": str(number)})
        table = pd.DataFrame(rows)
        if any(not row["failed"] for row in rows):
            write_text(parent / "multirun.csv", table.to_csv(index=False, float_format="%.6g"))
    if all(row["failed"] for row in rows):
        raise InputError(f"no run finished; {rows[0]['failed']}")
    _print(table, jobs[0], parent)
    return table


def combinations(options: Sequence[str]) -> list[Job]:
    """Every combination of the values given, the last option fastest.

    ``InputError`` if no option has several values.
    """
    parser = OverridesParser.create()
    values: list[list[tuple[str | None, str]]] = []
    for option in options:
        values.append([(None, option)])
        with suppress(HydraException):  # a path may be typed as it is
            override = parser.parse_override(option)
            if override.is_sweep_override():
                name = override.get_key_element()
                values[-1] = [(name, v) for v in override.sweep_string_iterator()]
    if all(len(v) == 1 for v in values):
        raise InputError(
            "--multirun: no option has several values; write name=1,2,3 or name=range(8,33,8)"
        )
    return [
        Job(
            {name: value for name, value in picked if name is not None},
            tuple(value if name is None else f"{name}={value}" for name, value in picked),
        )
        for picked in itertools.product(*values)
    ]


def _scores(scored: Scored) -> dict[str, Any]:
    """Best loss on the val part and single-trial scores of a finished run."""
    flat, log = scored.metrics, pd.read_csv(scored.run.folder.log, **EXACT)
    part = next((p for p in ("test", "val") if f"{p}/n_pseudo_trials" in flat), "test")
    best = float(log["val/loss"].min()) if "val/loss" in log else float("nan")
    names = [f"{part}/single_trial/{m}" for m in _SHOWN]
    scores = {name: flat[name] for name in names if flat.get(name) is not None}
    return {"val/loss": best, **scores, "failed": ""}


def _print(table: pd.DataFrame, job: Job, parent: Path) -> None:
    columns = [c for c in table.columns if c != "failed" or table["failed"].any()]
    printed = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in columns:
        name = column.replace("/single_trial/", " ").replace("pixel_correlation", "pixel r")
        printed.add_column(name, justify="left" if column in job.chosen else "right")
    for row in table[columns].to_dict("records"):
        cells = [f"{v:.4g}" if isinstance(v, float) else str(v) for v in row.values()]
        printed.add_row(*cells)
    console.print(printed)
    console.print("choose by val/loss; the test part is for the run that was chosen")
    console.print(f"numbers  {parent / 'multirun.csv'}", highlight=False, soft_wrap=True)
