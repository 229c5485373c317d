"""Spikes in, video out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.optim import Optimizer


class DecodingBatch(Protocol):
    """What a training step reads from a batch."""

    spikes: Tensor
    video: Tensor
    condition: Tensor


@runtime_checkable
class LeavesOwnOut(Protocol):
    """A decoder that starts from its training trials, and can do without one of them."""

    def without_own(self, spikes: Tensor, condition: Tensor) -> Tensor:
        """Decode training trials, of known conditions (B,), as if it had not seen them."""


class DecodeVideo(pl.LightningModule):
    """Train a decoder to give back the video paired with each pseudo-trial.

    Parameters
    ----------
    model
        Maps spikes (B, T, N) to video (B, C, T, H, W) in [0, 1].
    loss
        Maps (predicted, true) videos to a scalar.
    optimizer
        Called with the parameters.
    scheduler
        Called with the optimiser and, where it is stepped after every batch,
        ``total_steps``; ``None`` keeps the rate constant.
    scheduler_interval
        ``"epoch"`` or ``"step"``.
    """

    def __init__(
        self,
        model: nn.Module,
        loss: nn.Module,
        *,
        optimizer: Callable[..., Optimizer],
        scheduler: Callable[..., Any] | None = None,
        scheduler_interval: str = "epoch",
    ) -> None:
        super().__init__()
        if scheduler_interval not in ("epoch", "step"):
            raise ValueError(f"scheduler_interval must be epoch or step, not {scheduler_interval}")
        self.model = model
        self.loss = loss
        self.optimizer, self._scheduler = optimizer, scheduler
        self._interval = scheduler_interval

    def forward(self, given: Tensor) -> Tensor:
        """Apply the model: standardised counts (B, T, N) to video (B, C, T, H, W) in [0, 1]."""
        predicted: Tensor = self.model(given)
        return predicted

    def training_step(self, batch: DecodingBatch, batch_idx: int) -> Tensor:  # noqa: ARG002
        """Loss of one batch."""
        own = self.model.without_own if isinstance(self.model, LeavesOwnOut) else None
        loss = self._loss_of(batch, own)
        size = len(batch.spikes)
        self.log("train/loss", loss, on_step=False, on_epoch=True, batch_size=size, sync_dist=True)
        return loss

    def validation_step(self, batch: DecodingBatch, batch_idx: int) -> None:  # noqa: ARG002
        """Log the loss of one validation batch."""
        loss = self._loss_of(batch)
        self.log("val/loss", loss, batch_size=len(batch.spikes), sync_dist=True)

    def _loss_of(
        self, batch: DecodingBatch, decode: Callable[[Tensor, Tensor], Tensor] | None = None
    ) -> Tensor:
        given, wanted = self._pair(batch)
        predicted = self(given) if decode is None else decode(given, batch.condition)
        # SSIM subtracts nearly equal numbers; it needs full precision under autocast.
        with torch.autocast(predicted.device.type, enabled=False):
            loss: Tensor = self.loss(predicted.float(), wanted)
        return loss

    def _pair(self, batch: DecodingBatch) -> tuple[Tensor, Tensor]:
        return batch.spikes, batch.video

    def configure_optimizers(self) -> Any:
        """Build the optimiser and its schedule."""
        optimizer = self.optimizer(self.parameters())
        if self._scheduler is None:
            return optimizer
        if self._interval == "step":
            total = int(self.trainer.estimated_stepping_batches)
            schedule = self._scheduler(optimizer, total_steps=total)
        else:
            schedule = self._scheduler(optimizer)
        stepped = {"scheduler": schedule, "interval": self._interval}
        return {"optimizer": optimizer, "lr_scheduler": stepped}
