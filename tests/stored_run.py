"""A run's folder as training leaves it, with weights nobody trained, made in a second."""

from __future__ import annotations

from pathlib import Path

import torch

from mua_decode.data import DecodingData, Population
from mua_decode.runs.build import build_data, build_recording, build_task
from mua_decode.runs.config import compose
from mua_decode.runs.folder import RunFolder
from mua_decode.tasks import DecodeVideo
from mua_decode.types import Recording
from tests.tiny import TINY


def write_run(path: Path, *overrides: str) -> tuple[Recording, DecodingData]:
    """Write config, population and checkpoint; return the run's recording and data."""
    cfg = compose("train", [*TINY, "recording.population.trials_per_condition=4", *overrides])
    recording = build_recording(cfg)
    data = build_data(cfg, recording)
    task = build_task(cfg, data, DecodeVideo)
    generator = torch.Generator().manual_seed(3)
    for name, buffer in task.named_buffers():
        if name.endswith(("running_mean", "running_var")):  # so that normalisation does something
            buffer.copy_(torch.rand(buffer.shape, generator=generator) + 0.5)
    folder = RunFolder.create(str(path), "run")
    folder.checkpoints.mkdir()
    state = {"state_dict": task.state_dict(), "pytorch-lightning_version": "2.5.0"}
    torch.save(state, folder.checkpoints / "best.ckpt")
    folder.save_config(cfg)
    folder.save_population(Population.of(data))
    return recording, data
