"""Progress on the terminal: one bar for the whole run, a line per epoch where there is none."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import pytorch_lightning as pl
from rich.console import Console, ConsoleOptions, RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.segment import Segment
from rich.status import Status
from rich.text import Text

from mua_decode.runs.meanwhile import meanwhile
from mua_decode.types import printable

T = TypeVar("T")


class Screen(Console):
    """A terminal on which names from files are names and nothing else.

    Markup and emoji codes are off, so that brackets are brackets; control characters are written
    out, so that no name moves the cursor, sets a title or clears the screen.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """Give a text to be laid out, its control characters written out."""
        return super().render_str(printable(text), **options)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterator[Segment]:
        """Give what is written, its control characters written out."""
        for segment in super().render(renderable, options):
            if segment.control:  # rich's own: styles and cursor of a bar
                yield segment
            else:
                yield Segment(printable(segment.text), segment.style)


LINE_EVERY_S = 30.0  # between lines that say how far it is, where output is a file
console = Screen(stderr=True, width=None if sys.stderr.isatty() else 100)


def _took(what: str, seconds: float, digits: int = 1) -> Text:
    return Text.assemble(f"{what} ", (f"{seconds:.{digits}f} s", "dim"))


def _bar(*extra: Any) -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        *extra,
        console=console,
        refresh_per_second=4,
    )


@contextmanager
def working(what: str) -> Iterator[None]:
    """Show that something of unknown length is going on, and how long it took."""
    start = time.perf_counter()
    if console.is_terminal:
        with console.status(Text(what)):
            yield
    else:
        with _now_and_then(what):
            yield
    console.print(_took(what, time.perf_counter() - start), highlight=False)


@contextmanager
def _now_and_then(what: str) -> Iterator[None]:
    """Say every now and then that it goes on, where output is a file and nothing turns."""
    start, hush = time.perf_counter(), console.quiet

    def say() -> None:
        if not hush:
            seconds = _duration(time.perf_counter() - start)
            console.print(f"{what}: still at it, {seconds}", highlight=False, soft_wrap=True)

    with meanwhile(say, every_s=LINE_EVERY_S):
        yield


def track(
    items: Iterable[T], what: str, total: int, *, name: Callable[[T], str] | None = None
) -> Iterator[T]:
    """Iterate with a progress bar and time left; where output is a file, a line now and then.

    Parameters
    ----------
    name
        What to call the item that is being worked on.
    """
    start = time.perf_counter()
    if console.is_terminal:
        with _bar() as bar:
            task = bar.add_task(what, total=total)
            for item in items:
                if name is not None:
                    bar.update(task, description=f"{what}: {printable(name(item))}")
                yield item
                bar.advance(task)
    else:
        said = start
        for number, item in enumerate(items):
            if (now := time.perf_counter()) - said >= LINE_EVERY_S:
                said, left = now, (total - number) * (now - start) / max(1, number)
                at = "" if name is None else f" ({name(item)})"
                line = f"{what}: {number} of {total}{at}, {_duration(left)} left"
                console.print(line, highlight=False, soft_wrap=True)
            yield item
    console.print(_took(what, time.perf_counter() - start), highlight=False)


class TrainingProgress(pl.Callback):
    """A bar over all batches of all epochs with losses, pseudo-trials per second and time left."""

    def __init__(self) -> None:
        self._bar: Progress | None = None
        self._task: Any = None
        self._epoch_start = 0.0
        self._seen = 0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Open the bar."""
        total = int(trainer.num_training_batches * (trainer.max_epochs or 1))
        done = int(trainer.num_training_batches * trainer.current_epoch)
        if console.is_terminal and trainer.is_global_zero:
            self._bar = _bar(TextColumn("{task.fields[state]}", markup=False))
            self._bar.start()
            self._task = self._bar.add_task("training", total=total, completed=done, state="")

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Start the epoch's clock."""
        self._epoch_start, self._seen = time.perf_counter(), 0

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,  # noqa: ARG002
        outputs: Any,  # noqa: ARG002
        batch: Any,
        batch_idx: int,  # noqa: ARG002
    ) -> None:
        """Advance."""
        self._seen += len(batch[0])
        if self._bar is not None:
            self._bar.update(self._task, advance=1, state=self._state(trainer))

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
            line = _took(f"{self._total} {self._what}s", seconds, digits=0)
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
        return f"{line}, {_duration(left * (time.perf_counter() - self._start))} left"

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Advance."""
        total = trainer.max_epochs or 1
        self._share = (trainer.current_epoch + 1) / total
        self._epoch = f", epoch {trainer.current_epoch + 1} of {total}"
        self._show()

    def _show(self) -> None:
        if self._console.is_terminal:
            self._status.update(Text(self.line))


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"about {max(1, round(seconds))} s"
    return f"about {seconds / 60:.0f} min" if seconds < 5400 else f"about {seconds / 3600:.1f} h"


@contextmanager
def hushed() -> Iterator[None]:
    """Keep the console silent."""
    before = console.quiet
    console.quiet = True
    try:
        yield
    finally:
        console.quiet = before
