"""What makes a resumed run equal to an unbroken one: its log and its random numbers."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import EarlyStopping

from mua_decode.files import write_text
from mua_decode.runs.ending import end_on_sigterm, sigterm_ends
from mua_decode.runs.progress import console


class EpochLog(pl.Callback):
    """Write ``epochs.csv``: epoch, step, losses, learning rate and seconds of every epoch.

    The rows travel in the checkpoint, so a resumed run writes the file of an unbroken one.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows: list[dict[str, float]] = []
        self._start = 0.0

    def state_dict(self) -> dict[str, Any]:
        """Rows so far."""
        return {"rows": list(self._rows)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up the rows of a checkpoint."""
        self._rows = list(state_dict["rows"])

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Start the clock."""
        self._start = time.perf_counter()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Add a row and write the file."""
        metrics = trainer.callback_metrics
        row: dict[str, float] = {"epoch": trainer.current_epoch, "step": trainer.global_step}
        row |= {k: float(metrics[k]) for k in ("train/loss", "val/loss") if k in metrics}
        row["lr"] = float(trainer.optimizers[0].param_groups[0]["lr"])
        row["seconds"] = round(time.perf_counter() - self._start, 3)
        self._rows.append(row)
        if trainer.is_global_zero:
            write_text(self._path, pd.DataFrame(self._rows).to_csv(index=False))


class SeedEachEpoch(pl.Callback):
    """Make random numbers in training (dropout) a function of seed and epoch alone."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Seed torch's generators for this epoch and process."""
        entropy = [self._seed, 17, trainer.current_epoch, trainer.global_rank]
        torch.manual_seed(int(np.random.SeedSequence(entropy).generate_state(1)[0]))


class StayStopped(pl.Callback):
    """Let a training that stopped early stay so when it is resumed, and say that it did.

    Lightning would train one more epoch before it asks whether to stop.
    """

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Stop before the first epoch where the checkpoint says that it was the last."""
        trainer.should_stop = trainer.should_stop or self._stopped(trainer)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Say after how many epochs, once."""
        if trainer.is_global_zero and self._stopped(trainer):
            console.print(
                f"stopped early after {trainer.current_epoch} of {trainer.max_epochs} epochs",
                highlight=False,
            )

    def _stopped(self, trainer: pl.Trainer) -> bool:
        stops = [c for c in trainer.callbacks if isinstance(c, EarlyStopping)]  # type: ignore[attr-defined]
        return any(c.stopped_epoch > 0 or c.wait_count >= c.patience for c in stops)


class KeepSigterm(pl.Callback):
    """Keep SIGTERM ours while Lightning trains, where it is.

    Lightning's own handler goes on to the end of the batch, and waits for all processes.
    """

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Put ours back: Lightning has set its own just before."""
        if sigterm_ends():
            end_on_sigterm()
