"""Train a network and score it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from omegaconf import DictConfig
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.loggers import Logger

from mua_decode.data import Population
from mua_decode.runs.build import build_task, load_checkpoint, load_weights, start, try_once
from mua_decode.runs.checkpoints import (
    bring_best,
    newest_sound,
    weights_of,
)
from mua_decode.runs.ddp import (
    check_processes,
    is_first_process,
    leave_but_first,
    one_batch,
    requeued,
)
from mua_decode.runs.ending import terminated
from mua_decode.runs.epochs import TrainingProgress
from mua_decode.runs.fingerprint import Fingerprint
from mua_decode.runs.folder import RunFolder, begun_in
from mua_decode.runs.options import check_metrics
from mua_decode.runs.parts import check_parts, try_metrics
from mua_decode.runs.progress import console, hushed
from mua_decode.runs.quiet import quietly
from mua_decode.runs.run import Run
from mua_decode.runs.score import score
from mua_decode.runs.tracker import abandon, named_trackers, open_trackers, publish
from mua_decode.runs.trainer import make_trainer
from mua_decode.runs.watch import Watch
from mua_decode.scoring.guesses import GUESSES, defined_for_shown, table_with_guesses
from mua_decode.tasks import DecodeVideo, EncodeVideo
from mua_decode.types import InputError, ResultTable

_PRECISIONS = ("highest", "high", "medium")
# A training goes on although these have changed: how long and where it runs, how it is scored.
_MAY_CHANGE = (
    "trainer", "early_stopping", "matmul_precision", "weights", "metric", "floor", "score", "bands",
    "out_dir", "overrides",
)  # fmt: skip
T = TypeVar("T", bound=DecodeVideo)


@dataclass(frozen=True, eq=False)
class Scored:
    """A run that was trained and scored.

    Parameters
    ----------
    table
        The scores of its ``results.csv``.
    run
        The run with its data and network.
    """

    table: ResultTable
    run: Run

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """The flat numbers of its ``metrics.json``."""
        found: dict[str, Any] = json.loads(self.run.folder.metrics.read_text(encoding="utf-8"))
        return found

    @cached_property
    def counted(self) -> ResultTable:
        """The scores, trials in which a decoded direction is undefined counted as guesses."""
        with hushed():
            data, part = self.run.data, self.run.scored_part
        trials = np.bincount(
            data.dataset(part).pseudo.condition, minlength=data.stimuli.n_conditions
        )
        candidates = data.mean_videos(None)
        return table_with_guesses(
            self.table,
            trials={n: int(k) for n, k in zip(data.stimuli.names, trials, strict=True) if k},
            shown={
                m.name: defined_for_shown(m, candidates, data.stimuli)
                for m in self.run.metrics
                if m.name in GUESSES
            },
            names=data.stimuli.names,
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class Training:
    """How a training is carried out; nothing here changes its result.

    Parameters
    ----------
    resume
        Checkpoint to go on from.
    watch
        Callback that shows the progress; ``None``: a bar over the epochs.
    draw
        Whether to draw the figures of the scores.
    processes
        Whether ``trainer=ddp`` may start this command again for its other processes; they leave
        after the training.
    run_dir
        What to give as run_dir to go on after an interruption; default: the run's folder.
    """

    resume: Path | None = None
    watch: Callback | None = None
    draw: bool = True
    processes: bool = False
    run_dir: Path | None = None

    def going_on(self, resume: Path | None) -> Training:
        """The same from a checkpoint."""
        return replace(self, resume=resume)


def train_and_score(run: Run, training: Training) -> Scored:
    """Train a run and score it; see ``mua-decode train`` for the files."""
    check_metrics(run.cfg)
    check_parts(run.cfg, logged=bool(named_trackers(run.cfg)))
    data = run.data
    try_metrics(run.metrics, data)
    for note in data.notes:
        said = note if note.startswith("warning: ") else f"note: {note}"
        console.print(said, highlight=False, soft_wrap=True, style="dim")
    console.print(
        f"{data.n_sites} sites, {data.n_bins} bins of {data.pool.bin_s:g} s, "
        f"{data.stimuli.n_conditions} conditions; {data.audit.line}",
        highlight=False,
        soft_wrap=True,
    )
    part = run.scored_part
    task = prepare(run, DecodeVideo, training.resume)
    trackers = open_trackers(run.cfg, run.folder) if is_first_process() else []
    try:
        fit(run, task, training, trackers=trackers)
        flat = score(run, part, draw=training.draw)
    except BaseException:
        for tracker in trackers:
            abandon(tracker)
        raise
    for tracker in trackers:
        publish(tracker, run.folder, flat)
    return Scored(run.folder.load_results(), run)


def prepare(run: Run, kind: type[T], resume: Path | None = None) -> T:
    """Build the task of a run, of a kind, and try it on two trials before it is trained.

    Raises InputError if an option is wrong, or what it is to go on from is another run: other
    options, another recording, another network's weights.
    """
    if resume is not None:
        _same_run(run, begun_in(resume))
    task = build_task(run.cfg, run.data, kind)
    if resume is not None:
        load_weights(task, resume)
    else:
        start(task.model, run.data)
    try_once(task, run.data)
    return task


def _same_run(run: Run, begun: RunFolder | None) -> None:
    """Refuse to go on from the checkpoint of another run; say so where it cannot be told."""
    if begun is None:
        console.print(
            "note: this checkpoint lies in no run's folder, so that its options, its recording and "
            "its split cannot be compared with these",
            soft_wrap=True,
        )
        return
    but: tuple[str, ...] = _MAY_CHANGE
    if begun.recording_checksum is None:  # an earlier version kept none: where it lay says little
        but = (*but, "recording")
    here = Fingerprint.of(run.cfg, run.recording.checksum, but=but)
    difference = here.difference(begun.fingerprint(but=but))
    if difference is not None:
        raise InputError(
            f"{begun.path} holds a run of another config: {difference}; go on with the options it "
            "was begun with"
        )


@quietly()
def fit(
    run: Run, task: DecodeVideo, training: Training, *, trackers: Sequence[Logger] | None = None
) -> None:
    """Train a task; leaves config and checkpoints in the run's folder, the network it is
    scored with in the run.

    Parameters
    ----------
    trackers
        Told the losses; ``None``: those the config names, for the training alone.
    """
    cfg, data, folder = run.cfg, run.data, run.folder
    torch.set_float32_matmul_precision(cfg.matmul_precision)
    ours: list[Logger] = []
    if trackers is None:
        trackers = ours = open_trackers(cfg, folder) if is_first_process() else []
    watches: list[Callback] = [training.watch or TrainingProgress()]
    if training.draw and not isinstance(task, EncodeVideo):
        watches += Watch.asked(cfg.get("watch"), data, folder, trackers)
    trainer = make_trainer(cfg, folder, data, watches, trackers)
    check_processes(trainer, allowed=training.processes)
    if is_first_process():
        if training.resume is not None:
            bring_best(training.resume, folder.checkpoints)
        folder.save_config(cfg)
        folder.save_recording(run.recording, data.notes)
        if not isinstance(task, EncodeVideo):
            folder.save_population(Population.of(data))
    try:
        with one_batch(task, trainer):
            trainer.fit(task, datamodule=data, ckpt_path=training.resume, weights_only=True)
        if trainer.interrupted:
            raise KeyboardInterrupt
    except BaseException as error:
        for tracker in ours:
            abandon(tracker)
        # Another process that was told to end as well can break a step that both take part in.
        if isinstance(error, KeyboardInterrupt | SystemExit) or terminated():
            _say_how_to_go_on(folder, training.run_dir or folder.path)
            raise KeyboardInterrupt from None
        raise
    for tracker in ours:
        publish(tracker, folder, {})
    leave_but_first(trainer)
    data.trainer = None  # data may serve other runs: trainer and optimiser are not to stay
    task.float()  # 64-true and the like hold for the training; scores are those of evaluate
    run.checkpoint = folder.checkpoint(weights_of(cfg))
    load_weights(task, run.checkpoint)
    run.network = task.model.to(run.device).eval()


def _say_how_to_go_on(folder: RunFolder, run_dir: Path) -> None:
    if (folder.checkpoints / "last.ckpt").is_file():
        line = f"stopped; go on with run_dir={run_dir} ckpt_path=auto and the same options"
        console.print(line, highlight=False, soft_wrap=True)
    else:
        console.print("stopped before the first epoch ended; nothing to go on from")


def check_training(cfg: DictConfig) -> None:
    """Check options of the training that Lightning would take for something else.

    Raises InputError naming the option.
    """
    if cfg.matmul_precision not in _PRECISIONS:
        raise InputError(
            f"matmul_precision={cfg.matmul_precision}: choose from {', '.join(_PRECISIONS)}"
        )
    weights_of(cfg)
    epochs = cfg.trainer.get("max_epochs")
    if not isinstance(epochs, int) or epochs < 1:
        raise InputError(f"trainer.max_epochs: expected >= 1, found {epochs}")
    patience = cfg.early_stopping
    if patience is not None and (not isinstance(patience, int) or patience < 1):
        raise InputError(f"early_stopping: expected null or a number >= 1, found {patience}")


def resume_from(cfg: DictConfig, folder: RunFolder, *, option: str = "run_dir") -> Path | None:
    """Return the checkpoint to go on from, or ``None`` to begin in the folder ``option`` names.

    A job that its scheduler has started again goes on by itself, as with ``ckpt_path=auto``.

    Raises InputError if the folder holds a run already, the checkpoint cannot be used, or an option
    of the training is wrong.
    """
    check_training(cfg)
    wanted = cfg.ckpt_path or ("auto" if requeued() else None)
    if wanted is None:
        if folder.trained or folder.metrics.is_file():
            raise InputError(
                f"{option}: {folder.path} already holds a run; go on with it (ckpt_path=auto) or "
                f"choose another {option}"
            )
        return None
    if wanted in ("auto", "last"):
        newest = newest_sound(folder.checkpoints)
        if newest is None and wanted == "last":
            found = "no sound checkpoint" if folder.trained else "no checkpoint"
            raise InputError(f"ckpt_path=last: {folder.checkpoints} holds {found}")
        if newest is None and folder.trained:
            console.print("note: no checkpoint here reads back; the training begins anew")
        return newest
    path = Path(str(wanted)).expanduser()
    load_checkpoint(path)
    return path
