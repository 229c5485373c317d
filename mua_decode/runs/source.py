"""What the commands that retrain a run share: the run they vary, and what they write."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from omegaconf import DictConfig
from rich.box import SIMPLE_HEAD
from rich.table import Table

from mua_decode import __version__, figures
from mua_decode.data import DecodingData
from mua_decode.files import write_text
from mua_decode.metrics import VideoMetric
from mua_decode.runs.build import build_data, build_recording, build_task, load_weights
from mua_decode.runs.config import instantiate
from mua_decode.runs.folder import RunFolder
from mua_decode.runs.progress import console, working
from mua_decode.runs.score import score
from mua_decode.runs.variants import (
    Variant,
    changed_config,
    first_difference,
    hushed,
    run_variant,
)
from mua_decode.scoring.guesses import GUESSES, defined_for_shown, table_with_guesses
from mua_decode.types import HypothesisTable, InputError, Recording, ResultTable, whole

SHOWN = ("identification", "ssim", "mse", "cue_shape", "colour_error", "direction_error")
_DEVICES = {"auto": None, "cpu": "cpu", "cuda": "gpu"}


@dataclass(frozen=True, eq=False)
class Source:
    """The finished run that is varied.

    Parameters
    ----------
    cfg
        Its config with the overrides of the command.
    recording
        Read or simulated once for all variants.
    folder
        Where the command writes.
    checkpoint
        The run's best weights; ``None`` where the overrides change how it is trained, so that the
        unvaried decoder has to be trained as well.
    """

    cfg: DictConfig
    recording: Recording
    folder: Path
    checkpoint: Path | None


def open_source(cfg: DictConfig, command: str) -> Source:
    """Open the run that a command's config names, and read its recording.

    Raises
    ------
    InputError
        If there is no finished run, or an override does not fit.
    """
    run = RunFolder.existing(cfg.run_dir)
    checkpoint = run.checkpoint("best")
    if not run.metrics.is_file():
        raise InputError(f"run_dir: {run.path} holds an unfinished run; finish it first")
    overrides = [str(o) for o in cfg.overrides]
    source = changed_config(run.load_config(), overrides)
    source.trusted = list(cfg.trusted)
    source.metric, source.floor = cfg.get("metric") or {}, cfg.get("floor") or {}
    if cfg.device not in _DEVICES:
        raise InputError(f"device={cfg.device}: choose from {', '.join(_DEVICES)}")
    if _DEVICES[cfg.device] is not None:
        source.trainer.accelerator = _DEVICES[cfg.device]
    place = ("recording", "trusted", "logger")
    same = all(o.lstrip("+").split("=")[0].split(".")[0] in place for o in overrides)
    folder = RunFolder.create(str(cfg.out_dir or run.path / command), command)
    recording = build_recording(source)
    return Source(source, recording, folder.path, checkpoint if same else None)


def unvaried(
    source: DictConfig, folder: Path, *, recording: Recording, checkpoint: Path | None
) -> ResultTable:
    """Scores of the decoder as it is: of its checkpoint, or trained in ``folder/decoder``."""
    variant = Variant("decoder", ())
    if checkpoint is None:
        with working("the decoder itself"):
            return run_variant(source, variant, folder, recording=recording, draw=False)
    run = RunFolder.create(str(folder / variant.name), variant.name)
    if run.config.is_file() and run.results.is_file() and not first_difference(run, source):
        return run.load_results()
    data = build_data(source, recording)
    task = build_task(source, data)
    load_weights(task, checkpoint)
    task.to(device_of(source))
    part = next(p for p in ("test", "val") if len(data.dataset(p)))
    score(source, task, data, run, part, draw=False)
    run.save_config(source)
    return run.load_results()


def device_of(source: DictConfig) -> torch.device:
    """Where the trainer of a config would put its network."""
    gpu = source.trainer.get("accelerator") in ("auto", "gpu", "cuda")
    return torch.device("cuda" if gpu and torch.cuda.is_available() else "cpu")


def scored_part(data: DecodingData) -> str:
    """The part of the split that scores come from: test, or val where there is no test trial."""
    return "test" if len(data.dataset("test")) else "val"


def guessed(table: ResultTable, cfg: DictConfig, data: DecodingData) -> ResultTable:
    """Count the trials in which a decoded direction is undefined as guesses, for all runs alike."""
    metrics: list[VideoMetric] = [instantiate(m) for m in cfg.metric.values()]
    candidates = data.mean_videos(None)
    number = np.bincount(
        data.dataset(scored_part(data)).pseudo.condition, minlength=data.stimuli.n_conditions
    )
    return table_with_guesses(
        table,
        trials={n: int(k) for n, k in zip(data.stimuli.names, number, strict=True) if k},
        shown={
            m.name: defined_for_shown(m, candidates, data.stimuli)
            for m in metrics
            if m.name in GUESSES
        },
        names=data.stimuli.names,
    )


def with_guesses_of(
    tables: Mapping[str, ResultTable],
    variants: Sequence[Variant],
    source: DictConfig,
    recording: Recording,
) -> dict[str, ResultTable]:
    """Count undefined trials as guesses in the tables of variants that have trials of their own."""
    found: dict[str, ResultTable] = {}
    for variant in (v for v in variants if v.name in tables):
        cfg = changed_config(source, variant.overrides)
        with hushed():
            data = build_data(cfg, recording)
        found[variant.name] = guessed(tables[variant.name], cfg, data)
    return found


def only_decoder(table: ResultTable, **labels: str) -> ResultTable:
    """The decoder's rows of a table with columns relabelled."""
    frame = table.frame[table.frame["run"] == "decoder"]
    return relabel(ResultTable(frame), **labels)


def relabel(table: ResultTable, **labels: str) -> ResultTable:
    """Return a table with columns set to a label."""
    return ResultTable(table.frame.assign(**labels))


def headlines(table: ResultTable, *, trial: str = "single_trial") -> pd.DataFrame:
    """Rows over all conditions of the whole video, or of the only segment a metric scores."""
    return whole(table.frame[(table.frame["condition"] == "all") & (table.frame["trial"] == trial)])


def key(*parts: object) -> str:
    """Key of ``metrics.json``; segment ``all`` is left out."""
    return "/".join(str(p) for p in parts if p != "all")


def number(value: object) -> float | None:
    """A number for JSON; undefined is ``None``."""
    found = float(value)  # type: ignore[arg-type]
    return None if math.isnan(found) else round(found, 9)


def write_outputs(
    folder: Path,
    source: DictConfig,
    table: ResultTable,
    *,
    metrics: Mapping[str, Any],
    failures: Mapping[str, str],
    drawn: Mapping[str, Figure],
    tests: HypothesisTable | None = None,
    tables: Mapping[str, pd.DataFrame] | None = None,
) -> None:
    """Write figures/, tests.csv, further tables, results.csv and at last metrics.json.

    Parameters
    ----------
    metrics
        Flat scores; seed, version and what failed are added.
    drawn, tables
        Figures and tables by name of their file, without its ending.
    """
    run = RunFolder(folder)
    for name, figure in drawn.items():
        figures.save(figure, run.figure(f"{name}.png"))
    if tests is not None:
        write_text(folder / "tests.csv", tests.frame.to_csv(index=False, float_format="%.6g"))
    for name, frame in (tables or {}).items():
        write_text(folder / f"{name}.csv", frame.to_csv(index=False, float_format="%.6g"))
    flat = {
        "leaking": source.data.split.unit == "pseudo_trial",
        "seed": int(source.seed),
        "version": __version__,
        "failed": dict(failures),
        **metrics,
    }
    json.dumps(flat, allow_nan=False)
    run.save_metrics(flat, table.frame)


def print_scores(
    rows: pd.DataFrame,
    folder: Path,
    *,
    title: str,
    names: Sequence[str],
    metrics: Sequence[str] = SHOWN,
) -> None:
    """Print a short table.

    Parameters
    ----------
    rows
        One line per row and metric: columns ``names``, ``metric``, ``value`` and, where there is
        a spread, ``sd``.
    names
        The columns that name a row.
    metrics
        Columns to print, where there are any.
    """
    columns = [m for m in metrics if m in set(rows["metric"])]
    printed = Table(title=title, box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for _ in names:
        printed.add_column("", no_wrap=True)
    for metric in columns:
        text = metric.replace("identification", "identified").replace("_", "\n")
        printed.add_column(text, justify="right", no_wrap=True)
    for labels, part in rows.groupby(list(names), sort=False):
        found = {r["metric"]: r for r in part.to_dict("records")}
        cells = [_cell(found.get(metric)) for metric in columns]
        printed.add_row(*(_short(str(label)) for label in labels), *cells)
    console.print(printed)
    console.print(f"numbers  {folder / 'metrics.json'}", highlight=False, soft_wrap=True)
    console.print(f"figures  {folder / 'figures'}", highlight=False, soft_wrap=True)


def _short(label: str) -> str:
    kind, _, name = label.partition("/")
    text = label if not name else kind if kind == "ceiling" else name
    return text.replace("decoder trained", "trained").replace("_", " ")


def _cell(row: Mapping[Any, Any] | None) -> str:
    if row is None or math.isnan(row["value"]):
        return "-"
    spread = row.get("sd")
    known = spread is not None and not math.isnan(spread)
    return f"{row['value']:.3g}" + (f" ± {spread:.2g}" if known else "")
