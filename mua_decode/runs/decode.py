"""The trials of a new recording, decoded with a run and written as they come."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mua_decode import __version__
from mua_decode.data import NewTrials, Population
from mua_decode.figures import write_film
from mua_decode.files import reserve, whole, write_text
from mua_decode.runs.progress import console, track
from mua_decode.runs.run import Run
from mua_decode.scoring.stream import decode_stream
from mua_decode.types import InputError, Recording

_CHOICES = {"format": ("npy", "mp4", "gif"), "dtype": ("float32", "uint8")}


@dataclass(frozen=True, kw_only=True)
class DecodePlan:
    """How the trials of a recording are decoded and written; see ``conf/decode.yaml``."""

    format: str
    dtype: str
    trials: str
    least_share: float
    batch_size: int

    def __post_init__(self) -> None:
        for name, known in _CHOICES.items():
            if getattr(self, name) not in known:
                raise InputError(f"{name}={getattr(self, name)}: choose from {', '.join(known)}")
        if self.batch_size < 1:
            raise InputError(f"batch_size: expected >= 1, found {self.batch_size}")


def decode_recording(run: Run, recording: Recording, plan: DecodePlan, out: Path) -> dict[str, Any]:
    """Decode every trial into the folder ``out``, which is written whole or not at all.

    Returns what stands in its ``decode.json``; ``InputError`` if the recording does not fit the
    run, or ``out`` cannot be written.
    """
    trials = NewTrials(run.population, recording, trials=plan.trials, least_share=plan.least_share)
    console.print(trials.match.line, highlight=False, soft_wrap=True)
    number = len(trials)
    try:
        with whole(out) as partial:
            partial.mkdir()
            decoded = decode_trials(run, trials, batch_size=plan.batch_size)
            n_batches = -(-number // plan.batch_size)
            videos = track(decoded, f"decoding {number} trials", n_batches)
            if plan.format == "npy":
                _write_array(partial / "videos.npy", videos, run.population, number, plan.dtype)
                files: dict[str, Any] = {"file": "videos.npy", "row": np.arange(number)}
            else:
                files = {"file": _write_films(partial, videos, run.population, plan.format)}
            summary = _summary(run, trials, plan)
            write_text(partial / "index.csv", trials.table.assign(**files).to_csv(index=False))
            text = json.dumps(summary, indent=2, allow_nan=False)
            write_text(partial / "decode.json", text + "\n")
    except OSError as error:
        raise InputError(f"out: {out} cannot be written: {error.strerror or error}") from error
    console.print(f"{number} trials -> {out}", highlight=False, soft_wrap=True)
    return summary


def decode_trials(run: Run, trials: NewTrials, *, batch_size: int = 32) -> Iterator[np.ndarray]:
    """Decode trials as they come, float32 (b, C, T, H, W) in [0, 1], b at most ``batch_size``."""
    spikes = (torch.from_numpy(block) for block in trials.blocks(batch_size))
    for video in decode_stream(run.network, spikes, batch_size=batch_size, device=run.device):
        yield video.float().clamp(0, 1).numpy()


def _write_films(
    folder: Path, videos: Iterator[np.ndarray], about: Population, suffix: str
) -> list[str]:
    """Write one film per trial; return their names."""
    names: list[str] = []
    for video in chain.from_iterable(videos):
        names.append(f"trial{len(names):05d}.{suffix}")
        write_film(folder / names[-1], video, frame_s=about.bin_s)
    return names


def _write_array(
    path: Path, videos: Iterator[np.ndarray], about: Population, n_trials: int, dtype: str
) -> None:
    channels, *size = about.frame_shape
    shape = (n_trials, channels, about.n_bins, *size)
    about_array = {"descr": np.dtype(dtype).str, "fortran_order": False, "shape": shape}
    # Not memory-mapped: where the disk is full, a page that cannot be written ends the process.
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, about_array)
        reserve(file.fileno(), file.tell() + math.prod(shape) * np.dtype(dtype).itemsize)
        for _, video in zip(range(n_trials), chain.from_iterable(videos), strict=True):
            kept = (video * 255).round() if dtype == "uint8" else video
            file.write(np.ascontiguousarray(kept, dtype).reshape(shape[1:]).data)


def _summary(run: Run, trials: NewTrials, plan: DecodePlan) -> dict[str, Any]:
    assert run.checkpoint is not None
    about, match, array = run.population, trials.match, plan.format == "npy"
    return {
        "run_dir": str(run.folder.path),
        "checkpoint": run.checkpoint.name,
        "version": __version__,
        "format": plan.format,
        "dtype": plan.dtype if array else None,
        "axes": "(trials, C, T, H, W)" if array else None,
        "trials": plan.trials,
        "n_trials": len(trials),
        "bin_s": about.bin_s,
        "window_s": about.window_s,
        "sites/run": about.n_sites,
        "sites/found": int(match.found.sum()),
        "sites/missing": list(match.missing),
        "sites/additional": list(match.additional),
        "sites/in_another_region": list(match.moved),
    }
