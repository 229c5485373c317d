"""Configs -> objects, in the order the experiment runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig

from mua_decode.data import DecodingData
from mua_decode.nn.fast.kernels import load_lanes
from mua_decode.runs.config import instantiate
from mua_decode.runs.progress import working
from mua_decode.tasks import DecodeVideo, EncodeVideo
from mua_decode.types import InputError, Recording


def build_recording(cfg: DictConfig) -> Recording:
    """Read or simulate the recording the config names."""
    with working("reading the recording"):
        found = instantiate(cfg.recording, trusted=cfg.get("trusted", ()))
    if not isinstance(found, Recording):
        raise InputError(f"recording: {cfg.recording.get('_target_')} returns no Recording")
    return found


def build_data(cfg: DictConfig, recording: Recording) -> DecodingData:
    """Windows, split, population and standardisation."""
    with working("assembling the population"):
        data: DecodingData = instantiate(cfg.data, recording=recording)
    return data


def build_task(cfg: DictConfig, data: DecodingData) -> DecodeVideo:
    """Model, loss and optimiser; sizes are read from the data, weights from ``cfg.seed``.

    Raises
    ------
    InputError
        If an option is wrong, or the task decodes no video.
    """
    trusted = cfg.get("trusted", ())
    if cfg.model.get("kernels") in ("auto", "compiled") and not torch.cuda.is_available():
        with working("preparing the kernel (compiled once per machine)"):
            load_lanes()
    torch.manual_seed(int(cfg.seed))
    model = instantiate(
        cfg.model,
        trusted=trusted,
        n_sites=data.n_sites,
        n_bins=data.n_bins,
        frame_shape=data.frame_shape,
    )
    weights = torch.from_numpy(data.stimuli.frame_weights)
    loss = instantiate(cfg.loss, trusted=trusted, frame_weights=weights)
    task = instantiate(cfg.task, trusted=trusted, model=model, loss=loss)
    if not isinstance(task, DecodeVideo) or isinstance(task, EncodeVideo):
        raise InputError(
            f"task: {type(task).__name__} decodes no video; the encoding model is trained with "
            "mua-decode encode"
        )
    return task


@torch.no_grad()
def try_once(task: DecodeVideo, data: DecodingData) -> None:
    """Decode two trials and build the optimiser, so that wrong options show before a run starts.

    Raises
    ------
    InputError
        If network, loss or optimiser refuse their options.
    """
    batch = next(data.batches("train"))
    try:
        task.eval()
        task.loss(task(batch.spikes[:2]), batch.video[:2])
        task.optimizer(task.parameters())
    except (ValueError, TypeError) as error:
        raise InputError(f"model, loss or task: {error}") from error
    finally:
        task.train()


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Load a checkpoint's tensors and plain values; nothing in it can run code.

    Raises
    ------
    InputError
        If it is missing, truncated, or holds anything else.
    """
    if not path.is_file():
        raise InputError(f"no such checkpoint: {path}")
    try:
        loaded: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        unsafe = "weights_only" in str(error) and "Unsupported" in str(error)
        reason = "holds objects that could run code" if unsafe else "is damaged or no checkpoint"
        raise InputError(f"{path}: refused, it {reason}") from error
    if not isinstance(loaded, dict) or not {"state_dict", "pytorch-lightning_version"} <= set(
        loaded
    ):
        raise InputError(f"{path}: is not a checkpoint of a run")
    return loaded


def load_weights(task: DecodeVideo, path: Path) -> None:
    """Put the weights of a checkpoint into a task.

    Raises
    ------
    InputError
        If they belong to another network.
    """
    try:
        task.load_state_dict(load_checkpoint(path)["state_dict"])
    except RuntimeError as error:
        first = str(error).strip().splitlines()[1:2]
        raise InputError(f"{path}: does not fit this network: {' '.join(first).strip()}") from error
