"""One line of progress for many trainings."""

from __future__ import annotations

import time

import pytorch_lightning as pl
from rich.console import Console
from rich.status import Status

from mua_decode.runs.progress import console


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
        self._console = Console(stderr=True, width=None if console.is_terminal else 100)
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
        line = f"{self._total} {self._what}s [dim]{seconds:.0f} s[/dim]"
        if error[0] is None:
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
            self._status.update(self.line)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"about {max(1, round(seconds))} s"
    return f"about {seconds / 60:.0f} min" if seconds < 5400 else f"about {seconds / 3600:.1f} h"
