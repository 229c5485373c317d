"""A finished run, put together again: its config, data and network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from omegaconf import DictConfig

from mua_decode.data import DecodingData
from mua_decode.runs.build import build_data, build_recording, build_task, load_weights
from mua_decode.runs.folder import RunFolder
from mua_decode.tasks import DecodeVideo
from mua_decode.types import PARTS, InputError, Recording, nearest_name


@dataclass(frozen=True, eq=False)
class Trained:
    """What a run consists of; the task is in evaluation mode on its device."""

    folder: RunFolder
    cfg: DictConfig
    data: DecodingData
    task: DecodeVideo
    checkpoint: Path


def source_config(cfg: DictConfig) -> tuple[RunFolder, DictConfig]:
    """Folder and config of the run named by ``cfg.run_dir``, with ``cfg.overrides`` applied.

    Raises
    ------
    InputError
        If there is no run, or an override does not fit.
    """
    folder = RunFolder.existing(cfg.run_dir)
    trained = folder.load_config()
    try:
        trained.merge_with_dotlist(list(cfg.overrides))
    except Exception as error:
        raise InputError(f"overrides: {' '.join(str(error).split())}") from error
    trained.trusted = list(cfg.trusted)
    return folder, trained


def open_trained(
    cfg: DictConfig, *, recording: Recording | None = None, data: DecodingData | None = None
) -> Trained:
    """Rebuild recording, split, population and network of a finished run.

    Parameters
    ----------
    cfg
        Config of a command with run_dir, part, checkpoint, overrides, device and trusted.
    recording, data
        Where they are at hand already; else they are read and built.

    Raises
    ------
    InputError
        If a name is wrong or the weights do not fit.
    """
    if str(cfg.part) not in PARTS:
        raise InputError(
            f"part={cfg.part}: choose from {', '.join(PARTS)}{nearest_name(str(cfg.part), PARTS)}"
        )
    folder, trained = source_config(cfg)
    checkpoint = folder.checkpoint(str(cfg.checkpoint))
    if data is None:
        data = build_data(trained, build_recording(trained) if recording is None else recording)
    task = build_task(trained, data)
    load_weights(task, checkpoint)
    device = "cuda" if cfg.device == "auto" and torch.cuda.is_available() else cfg.device
    task.to("cpu" if device == "auto" else device).eval()
    return Trained(folder, trained, data, task, checkpoint)
