"""A look at a training while it goes on: scores of a few val trials, frames, rates, gradients.

Nothing here changes a number of the training: videos are decoded in evaluation mode, without
gradients, from trials that are drawn already, and every generator is left as it was.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import Logger
from torch import Tensor, nn

from mua_decode.data import Batch, DecodingData
from mua_decode.figures import live_strip
from mua_decode.figures.live import png_bytes
from mua_decode.files import whole, write_text
from mua_decode.metrics import Identification, PixelCorrelation
from mua_decode.runs.folder import RunFolder
from mua_decode.runs.plan import read_plan
from mua_decode.runs.progress import console
from mua_decode.runs.tracker import Look, log_look
from mua_decode.scoring.averages import as_bytes, batches_of
from mua_decode.scoring.evaluate import Evaluation, evaluate_decoder
from mua_decode.types import InputError

_FRAMES_OF = 4  # conditions whose frames are shown


@dataclass(frozen=True, kw_only=True)
class WatchPlan:
    """How often a training is looked at, and by how many val trials; see ``conf/train.yaml``.

    Raises InputError if a number is too small.
    """

    every: int = 0
    trials: int = 64
    gradients: bool = False

    def __post_init__(self) -> None:
        if self.every < 0:
            raise InputError(f"watch.every: expected >= 0, found {self.every}")
        if self.trials < 1:
            raise InputError(f"watch.trials: expected >= 1, found {self.trials}")


class Watch(pl.Callback):
    """Write ``watch.csv`` and ``live.png``, and tell the trackers.

    Parameters
    ----------
    trackers
        W&B, TensorBoard; none: files alone.
    """

    def __init__(
        self, plan: WatchPlan, data: DecodingData, folder: RunFolder, trackers: Sequence[Logger]
    ) -> None:
        self._plan, self._data, self._folder, self._trackers = plan, data, folder, trackers
        self._rows: list[dict[str, float]] = []
        self._norms: dict[str, list[float]] = {}
        self._start, self._seen = 0.0, 0
        self.seconds = 0.0  # spent in looks

    @classmethod
    def asked(
        cls, options: Any, data: DecodingData, folder: RunFolder, trackers: Sequence[Logger]
    ) -> list[pl.Callback]:
        """What the options of ``watch`` in a config ask for; nothing where a config has none.

        Raises InputError if an option is wrong.
        """
        plan = read_plan(WatchPlan, options or {})
        off = options is None or (plan.every == 0 and not plan.gradients and not trackers)
        return [] if off else [cls(plan, data, folder, trackers)]

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Take up the rows before an interruption."""
        path = self._folder.path / "watch.csv"
        if trainer.current_epoch > 0 and path.is_file():
            rows = pd.read_csv(path)
            before = rows[rows["epoch"] < trainer.current_epoch]
            self._rows = [{str(k): v for k, v in r.items()} for r in before.to_dict("records")]

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Start the clock."""
        self._start, self._seen = time.perf_counter(), 0
        self._norms = {}

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,  # noqa: ARG002
        pl_module: pl.LightningModule,  # noqa: ARG002
        outputs: Any,  # noqa: ARG002
        batch: Any,
        batch_idx: int,  # noqa: ARG002
    ) -> None:
        """Count trials."""
        self._seen += len(batch[0])

    def on_before_optimizer_step(
        self,
        trainer: pl.Trainer,  # noqa: ARG002
        pl_module: pl.LightningModule,
        optimizer: Any,  # noqa: ARG002
    ) -> None:
        """Take the norms of the gradients where they are asked for."""
        if self._plan.gradients:
            for name, value in gradient_norms(pl_module.model).items():  # type: ignore[arg-type]
                self._norms.setdefault(name, []).append(value)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Log the rates of the epoch, and look where it is time."""
        if not trainer.is_global_zero:
            return
        begun = time.perf_counter()
        seconds = max(1e-9, begun - self._start)
        rates = {
            "lr": float(trainer.optimizers[0].param_groups[0]["lr"]),
            "trials_per_s": self._seen * trainer.world_size / seconds,
        }
        device = pl_module.device
        if device.type == "cuda":
            rates["gpu_memory_gib"] = torch.cuda.max_memory_allocated(device) / 2**30
        rates |= {f"gradient_norm/{k}": float(np.mean(v)) for k, v in self._norms.items()}
        epoch, last = trainer.current_epoch, trainer.current_epoch + 1 == trainer.max_epochs
        due = self._plan.every > 0 and ((epoch + 1) % self._plan.every == 0 or last)
        look = None
        try:
            if due and len(self._data.dataset("val")):
                look = self._look(trainer, pl_module)
            row = {"epoch": epoch, **rates, **({} if look is None else look.scores)}
            self._rows.append(row)
            path = self._folder.path / "watch.csv"
            write_text(path, pd.DataFrame(self._rows).to_csv(index=False, float_format="%.6g"))
        except OSError as error:  # a disk that is full is no reason to lose the training
            console.print(f"note: watch: {error}", highlight=False, soft_wrap=True)
        for tracker in self._trackers:
            log_look(tracker, rates, look, step=trainer.global_step)
        self.seconds += time.perf_counter() - begun

    def _look(self, trainer: pl.Trainer, module: pl.LightningModule) -> Look:
        data, plugin = self._data, trainer.precision_plugin

        def decode(batch: Batch) -> Tensor:
            with plugin.forward_context():
                spikes = plugin.convert_input(batch.spikes.to(module.device))
                return module(spikes).float().cpu()

        with _unchanged(module):
            seen = look_at(decode, data, n_trials=self._plan.trials)
        table, names = seen.table.frame, [data.stimuli.names[k] for k in seen.conditions]
        found = table[(table["condition"] == "all") & (table["segment"] == "all")]
        single = found[found["trial"] == "single_trial"]
        value = dict(zip(single["metric"], single["value"].astype(float), strict=True))
        scores = {
            "val/identified": value["identification"],
            "val/pixel_r": value["pixel_correlation"],
        }
        rows = np.unique(np.linspace(0, len(names) - 1, _FRAMES_OF).round().astype(int))
        true, decoded = (
            as_bytes(v[rows].transpose(1, 2)) for v in (seen.true_example, seen.predicted_example)
        )
        chance = 1 / data.stimuli.n_conditions
        line = (
            f"epoch {trainer.current_epoch + 1} of {trainer.max_epochs}: "
            f"{scores['val/identified']:.3f} of {len(seen.trial_condition)} val trials identified "
            f"(chance {chance:.3f}), pixel r {scores['val/pixel_r']:.3f}"
        )
        shown = [names[i] for i in rows]
        strip = live_strip(
            true, decoded, names=[f"{n}: true, decoded" for n in shown], lines=[line]
        )
        with whole(self._folder.path / "live.png") as partial:
            partial.write_bytes(png_bytes(strip))
        by_condition = pd.DataFrame(
            {
                "condition": names,
                "identified": [data.stimuli.names[k] if k >= 0 else "none" for k in _first(seen)],
            }
        )
        return Look(scores, strip, (true, decoded), data.stimuli.frame_s, by_condition)


def look_at(decode: Any, data: DecodingData, *, n_trials: int) -> Evaluation:
    """Score the first val trials, as many of every condition as can be, at most ``n_trials``."""
    condition = data.dataset("val").pseudo.condition
    order = np.argsort([np.sum(condition[:i] == k) for i, k in enumerate(condition)], kind="stable")
    first = order[: len(np.unique(condition))]
    kept = order[:n_trials]
    if n_trials < len(first):  # conditions spread evenly over those there are
        kept = first[np.linspace(0, len(first) - 1, n_trials).round().astype(int)]
    identification = Identification(similarity="correlation")
    return evaluate_decoder(
        decode,
        batches_of(data, "val", np.sort(kept)),
        stimuli=data.stimuli,
        candidates=data.mean_videos(None),
        metrics=[identification, PixelCorrelation()],
        identify=identification.predicted_condition,
        run="decoder",
        split="val",
    )


def _first(seen: Evaluation) -> list[int]:
    """What the first trial of every condition was identified as."""
    _, first = np.unique(seen.trial_condition, return_index=True)
    return [int(k) for k in seen.trial_identified[first]]


def gradient_norms(network: nn.Module) -> dict[str, float]:
    """Euclidean norm of the gradients of the whole network, and of each of its parts."""
    squares = {
        name: sum(float(p.grad.detach().float().square().sum()) for p in part.parameters()
                  if p.grad is not None)
        for name, part in network.named_children()
    }  # fmt: skip
    own = [p.grad for p in network.parameters() if p.grad is not None]
    total = sum(float(g.detach().float().square().sum()) for g in own)
    return {"all": total**0.5} | {name: value**0.5 for name, value in squares.items()}


@contextmanager
def _unchanged(module: pl.LightningModule) -> Iterator[None]:
    """Evaluation mode without gradients; modes and generators come back as they were."""
    modes = {part: part.training for part in module.modules()}
    devices = [module.device] if module.device.type == "cuda" else []
    try:
        with torch.random.fork_rng(devices=devices), torch.no_grad():
            module.eval()
            yield
    finally:
        for part, mode in modes.items():
            part.training = mode
