"""Progress of trainings: one bar for the whole run, a line per epoch where there is none."""

from __future__ import annotations

import sys
import time
from typing import Any

import pytorch_lightning as pl
from rich.progress import Progress, TextColumn
from rich.status import Status
from rich.text import Text

from mua_decode.runs import progress
from mua_decode.runs.progress import Screen, bar, console, duration, took


class TrainingProgress(pl.Callback):
    """A bar over all batches of all epochs with losses, pseudo-trials per second and time left."""

    def __init__(self) -> None:
        self._bar: Progress | None = None
        self._task: Any = None
        self._epoch_start = 0.0
        self._said = 0.0
        self._seen = 0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Open the bar."""
        total = int(trainer.num_training_batches * (trainer.max_epochs or 1))
        done = int(trainer.num_training_batches * trainer.current_epoch)
        if console.is_terminal and trainer.is_global_zero:
            self._bar = bar(TextColumn("{task.fields[state]}", markup=False))
            self._bar.start()
            self._task = self._bar.add_task("training", total=total, completed=done, state="")

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Start the epoch's clock."""
        self._epoch_start, self._seen = time.perf_counter(), 0
        self._said = self._epoch_start

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,  # noqa: ARG002
        outputs: Any,  # noqa: ARG002
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Advance; where there is no terminal, say now and then how far a long epoch is."""
        self._seen += len(batch[0])
        if self._bar is not None:
            self._bar.update(self._task, advance=1, state=self._state(trainer))
        elif trainer.is_global_zero and time.perf_counter() - self._said >= progress.LINE_EVERY_S:
            done, total = batch_idx + 1, int(trainer.num_training_batches)
            left = (total - done) * (time.perf_counter() - self._epoch_start) / done
            line = f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}: {done} of {total}"
            print(f"{line} batches, {duration(left)} left of it", file=sys.stderr, flush=True)
            self._said = time.perf_counter()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Print a line where there is no terminal."""
        if self._bar is None and trainer.is_global_zero:
            print(f"epoch {self._state(trainer)}", file=sys.stderr, flush=True)

    def _state(self, trainer: pl.Trainer) -> str:
        metrics = trainer.callback_metrics
        parts = [f"{trainer.current_epoch + 1}/{trainer.max_epochs}"]
        parts += [
            f"{k} {float(metrics[k]):.4g}" for k in ("train/loss", "val/loss") if k in metrics
        ]
        seconds = max(1e-9, time.perf_counter() - self._epoch_start)
        return " · ".join([*parts, f"{self._seen / seconds:.0f} trials/s"])

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Close the bar."""
        self.close()

    def on_exception(
        self,
        trainer: pl.Trainer,  # noqa: ARG002
        pl_module: pl.LightningModule,  # noqa: ARG002
        exception: BaseException,  # noqa: ARG002
    ) -> None:
        """Close the bar."""
        self.close()

    def close(self) -> None:
        """Stop drawing."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


class Overall(pl.Callback):
    """One line for many trainings: which, of how many, its epoch, and the time left for all.

    Parameters
    ----------
    what
        What one training is called.
    total
        How many there are.
    """

    def __init__(self, what: str, total: int) -> None:
        self._what, self._total = what, total
        # A console of its own: that of the single run is silent meanwhile.
        self._console = Screen(stderr=True, width=None if console.is_terminal else 100)
        self._status = Status("", console=self._console)
        self._number, self._name, self._epoch = 0, "", ""
        self._share = 0.0  # of the current one that is trained
        self._trained = 0.0  # trainings done since the start, in trainings
        self._start = time.perf_counter()
        self._begun = self._opened = self._start

    def __enter__(self) -> Overall:
        if self._console.is_terminal:
            self._status.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._status.stop()
        seconds = time.perf_counter() - self._opened
        if error[0] is None:
            line = took(f"{self._total} {self._what}s", seconds, digits=0)
            self._console.print(line, highlight=False)

    def begin(self, name: str) -> None:
        """Start the next one."""
        self._number, self._name, self._epoch, self._share = self._number + 1, name, "", 0.0
        self._begun = time.perf_counter()
        self._show()
        if not self._console.is_terminal:
            self._console.print(self.line, highlight=False, soft_wrap=True)

    def end(self) -> None:
        """Note that it is done; one that was there already tells nothing of the time."""
        if self._share > 0:
            self._trained += 1
        else:
            self._start += time.perf_counter() - self._begun
        self._share = 0.0

    @property
    def line(self) -> str:
        """What is shown."""
        line = f"{self._what} {self._number} of {self._total} ({self._name}{self._epoch})"
        done = self._trained + self._share
        if done <= 0:
            return line
        left = (self._total - self._number + 1 - self._share) / done
        return f"{line}, {duration(left * (time.perf_counter() - self._start))} left"

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Advance."""
        total = trainer.max_epochs or 1
        self._share = (trainer.current_epoch + 1) / total
        self._epoch = f", epoch {trainer.current_epoch + 1} of {total}"
        self._show()

    def _show(self) -> None:
        if self._console.is_terminal:
            self._status.update(Text(self.line))
