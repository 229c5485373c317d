"""Configs -> objects, in the order the experiment runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from omegaconf import DictConfig
from torch import Tensor, nn

from mua_decode.data import DecodingData
from mua_decode.data.recorded import condition_means, recorded_trials
from mua_decode.models.floor import Batches, Repeats, Starts
from mua_decode.nn.fast.kernels import load_lanes
from mua_decode.runs.allocations import WithinMemory
from mua_decode.runs.instantiate import instantiate
from mua_decode.runs.progress import console, working
from mua_decode.runs.reading import build_recording as build_recording
from mua_decode.saved import load_saved
from mua_decode.tasks import DecodeVideo, EncodeVideo
from mua_decode.types import InputError, Recording

DEVICES = ("auto", "cpu", "cuda")
T = TypeVar("T", bound=DecodeVideo)


def build_data(cfg: DictConfig, recording: Recording) -> DecodingData:
    """Windows, split, population and standardisation."""
    with working("assembling the population"):
        data: DecodingData = instantiate(
            cfg.data, trusted=cfg.get("trusted", ()), recording=recording
        )
    return data


def build_network(
    cfg: DictConfig, *, n_sites: int, n_bins: int, frame_shape: tuple[int, int, int]
) -> nn.Module:
    """Network of a config, weights drawn from ``cfg.seed``; sizes come from the data.

    Raises InputError if its weights take more memory than there is.
    """
    torch.manual_seed(cfg.seed)
    with WithinMemory(f"model: {str(cfg.model.get('_target_')).rpartition('.')[2]}"):
        network: nn.Module = instantiate(
            cfg.model,
            trusted=cfg.get("trusted", ()),
            n_sites=n_sites,
            n_bins=n_bins,
            frame_shape=frame_shape,
        )
    return network


def build_task(cfg: DictConfig, data: DecodingData, kind: type[T]) -> T:
    """Model, loss and optimiser; sizes are read from the data, weights from ``cfg.seed``.

    Parameters
    ----------
    kind
        ``DecodeVideo`` or ``EncodeVideo``: what the task has to be.

    Raises InputError if an option is wrong, or the task is of the other kind.
    """
    trusted = cfg.get("trusted", ())
    if cfg.model.get("kernels") in ("auto", "compiled") and not torch.cuda.is_available():
        with working("preparing the kernel (compiled once per machine)"):
            load_lanes()
    model = build_network(
        cfg, n_sites=data.n_sites, n_bins=data.n_bins, frame_shape=data.frame_shape
    )
    # What is decoded is weighed by frames; activity has none.
    weights: dict[str, Any] = {"frame_weights": torch.from_numpy(data.stimuli.frame_weights)}
    loss = instantiate(cfg.loss, trusted=trusted, **({} if kind is EncodeVideo else weights))
    task = instantiate(cfg.task, trusted=trusted, model=model, loss=loss)
    name = type(task).__name__
    if kind is EncodeVideo and not isinstance(task, EncodeVideo):
        raise InputError(f"task: {name} predicts no activity; mua-decode encode needs task=encode")
    if not isinstance(task, kind) or (kind is DecodeVideo and isinstance(task, EncodeVideo)):
        raise InputError(
            f"task: {name} decodes no video; the encoding model is trained with mua-decode encode"
        )
    return task


def floor_batches(data: DecodingData, part: str) -> Batches:
    """Passes over a part of the split, as floors are fitted on it."""

    def read() -> Iterator[tuple[Tensor, Tensor]]:
        for batch in data.batches(part):
            yield batch.spikes, batch.condition

    return read


@torch.no_grad()
def start(model: nn.Module, data: DecodingData) -> None:
    """Let a network that starts from what a floor knows take it from the training part."""
    if isinstance(model, Starts):
        unseen = np.setdiff1d(data.conditions("test"), data.conditions("train"))
        if len(unseen):
            console.print(
                f"note: this network begins with the videos of training and shows little else, and "
                f"{len(unseen)} conditions of the test part are none of them; beside it try "
                "model=video_unet, or mua-decode likelihood",
                style="dim", highlight=False, soft_wrap=True,
            )  # fmt: skip
        with working("fitting what the network starts from"):
            parts = floor_batches(data, "train"), floor_batches(data, "val")
            model.start(*parts, data.mean_videos("train"), _repeats(data))


def _repeats(data: DecodingData) -> Repeats:
    """Means and numbers of the recorded training trials, along the site axis."""
    about = {"n_conditions": data.stimuli.n_conditions, "n_bins": data.n_bins}
    mean, number = condition_means(
        recorded_trials(data, "train"), **about, n_sites=len(data.pool.sites)
    )
    if data.random_sites:  # a place is another site every time: none of its trials can be left out
        mean, number = data.by_place(mean), np.zeros((len(number), data.n_sites))
    return Repeats(torch.from_numpy(mean).float(), torch.from_numpy(number).float())


@torch.no_grad()
def try_once(task: DecodeVideo, data: DecodingData) -> None:
    """Take one step on two trials but for the gradient, so that wrong options show at once.

    Raises InputError if network, loss or optimiser refuse their options.
    """
    batch = next(data.batches("train"))
    given, wanted = batch.spikes[:2], batch.video[:2]
    if isinstance(task, EncodeVideo):
        given, wanted = wanted, given
    try:
        task.eval()
        task.loss(task(given), wanted)
        task.optimizer(task.parameters())
    except (ValueError, TypeError, AttributeError) as error:
        raise InputError(f"model, loss or task: {' '.join(str(error).split())}") from error
    finally:
        task.train()


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Load a checkpoint's tensors and plain values; nothing in it can run code.

    Raises InputError if it is missing, truncated, or holds anything else.
    """
    if not path.is_file():
        raise InputError(f"no such checkpoint: {path}")
    loaded: dict[str, Any] = load_saved(path, "checkpoint")
    if not isinstance(loaded, dict) or not {"state_dict", "pytorch-lightning_version"} <= set(
        loaded
    ):
        raise InputError(f"{path}: is not a checkpoint of a run")
    return loaded


def load_weights(module: nn.Module, path: Path, *, inside: str = "") -> None:
    """Put the weights of a checkpoint into a task, or those ``inside`` its model into a network.

    Raises InputError if they belong to another network.
    """
    state = load_checkpoint(path)["state_dict"]
    weights = {k.removeprefix(inside): v for k, v in state.items() if k.startswith(inside)}
    try:
        module.load_state_dict(weights)
    except RuntimeError as error:
        first = str(error).strip().splitlines()[1:2]
        raise InputError(f"{path}: does not fit this network: {' '.join(first).strip()}") from error


def choose_device(name: str, *, accelerator: object = "auto") -> torch.device:
    """Where networks decode.

    Parameters
    ----------
    name
        ``auto``, ``cpu`` or ``cuda``.
    accelerator
        That of the trainer; ``auto`` takes a GPU only where the trainer would.

    Raises InputError if there is no such device.
    """
    if name not in DEVICES:
        raise InputError(f"device={name}: choose from {', '.join(DEVICES)}")
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise InputError("device=cuda: this machine has no CUDA device that torch can use")
    gpu = name == "cuda" or (name == "auto" and accelerator in (None, "auto", "gpu", "cuda"))
    return torch.device("cuda" if gpu and available else "cpu")


def train_on(cfg: DictConfig, device: str) -> None:
    """Have a run trained on ``cpu`` or ``cuda``; ``auto`` leaves its config as it is.

    Raises InputError if there is no such device.
    """
    choose_device(device)
    if device != "auto":
        cfg.trainer.accelerator = {"cpu": "cpu", "cuda": "gpu"}[device]
