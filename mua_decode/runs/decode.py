"""The trials of a new recording, decoded with a run and written as they come."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mua_decode import __version__
from mua_decode.data import NewTrials, Population
from mua_decode.figures import write_film
from mua_decode.files import reserve, whole, write_text
from mua_decode.runs.intervals import kept_intervals, with_variance
from mua_decode.runs.progress import console, track
from mua_decode.runs.run import Run
from mua_decode.scoring.coverage import PixelIntervals
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
    intervals: float | None

    def __post_init__(self) -> None:
        for name, known in _CHOICES.items():
            if getattr(self, name) not in known:
                raise InputError(f"{name}={getattr(self, name)}: choose from {', '.join(known)}")
        if self.batch_size < 1:
            raise InputError(f"batch_size: expected >= 1, found {self.batch_size}")
        if self.intervals is not None and self.format != "npy":
            raise InputError("intervals: are written with format=npy alone")


def decode_recording(run: Run, recording: Recording, plan: DecodePlan, out: Path) -> dict[str, Any]:
    """Decode every trial into the folder ``out``, which is written whole or not at all.

    Returns what stands in its ``decode.json``; ``InputError`` if the recording does not fit the
    run, or ``out`` cannot be written.
    """
    level = plan.intervals
    intervals = None if level is None else kept_intervals(run, level)
    trials = NewTrials(run.population, recording, trials=plan.trials, least_share=plan.least_share)
    console.print(trials.match.line, highlight=False, soft_wrap=True)
    number = len(trials)
    try:
        with whole(out) as partial:
            partial.mkdir()
            decoded = _decoded(run, trials, plan, intervals)
            n_batches = -(-number // plan.batch_size)
            videos = track(decoded, f"decoding {number} trials", n_batches)
            if plan.format == "npy":
                _write_arrays(partial, videos, run.population, number, plan)
                files: dict[str, Any] = {"file": "videos.npy", "row": np.arange(number)}
            else:
                files = {"file": _write_films(partial, videos, run.population, plan.format)}
            summary = _summary(run, trials, plan, intervals)
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


def _decoded(
    run: Run, trials: NewTrials, plan: DecodePlan, intervals: PixelIntervals | None
) -> Iterator[np.ndarray]:
    """Decode trials as they come, float32 (b, A, C, T, H, W): video, or also its ends."""
    level = plan.intervals
    if intervals is None or level is None:
        for video in decode_trials(run, trials, batch_size=plan.batch_size):
            yield video[:, None]
        return

    def with_ends(spikes: Tensor) -> Tensor:
        video, stated = (v.cpu() for v in with_variance(run, spikes))
        return torch.stack([video.clamp(0, 1), *intervals.ends(video, stated, level)], 1)

    spikes = (torch.from_numpy(block) for block in trials.blocks(plan.batch_size))
    for both in decode_stream(with_ends, spikes, batch_size=plan.batch_size, device=run.device):
        yield both.numpy()


def _write_films(
    folder: Path, videos: Iterator[np.ndarray], about: Population, suffix: str
) -> list[str]:
    """Write one film per trial; return their names."""
    names: list[str] = []
    for (video,) in chain.from_iterable(videos):
        names.append(f"trial{len(names):05d}.{suffix}")
        write_film(folder / names[-1], video, frame_s=about.bin_s)
    return names


def _write_arrays(
    folder: Path, videos: Iterator[np.ndarray], about: Population, n_trials: int, plan: DecodePlan
) -> None:
    """Write videos, and the ends of their intervals where these are asked for, as they come."""
    channels, *size = about.frame_shape
    shape = (n_trials, channels, about.n_bins, *size)
    about_array = {"descr": np.dtype(plan.dtype).str, "fortran_order": False, "shape": shape}
    n_bytes = math.prod(shape) * np.dtype(plan.dtype).itemsize
    # Not memory-mapped: where the disk is full, a page that cannot be written ends the process.
    with ExitStack() as open_files:
        files = []
        for name in ("videos", "low", "high")[: 1 if plan.intervals is None else 3]:
            files.append(open_files.enter_context((folder / f"{name}.npy").open("wb")))
            np.lib.format.write_array_header_1_0(files[-1], about_array)
            reserve(files[-1].fileno(), files[-1].tell() + n_bytes)
        for _, arrays in zip(range(n_trials), chain.from_iterable(videos), strict=True):
            kept = (arrays * 255).round() if plan.dtype == "uint8" else arrays
            for file, array in zip(files, kept, strict=True):
                file.write(np.ascontiguousarray(array, plan.dtype).reshape(shape[1:]).data)


def _summary(
    run: Run, trials: NewTrials, plan: DecodePlan, intervals: PixelIntervals | None
) -> dict[str, Any]:
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
        "intervals": plan.intervals,
        "intervals/calibrated_on": None if intervals is None else intervals.n,
        "bin_s": about.bin_s,
        "window_s": about.window_s,
        "sites/run": about.n_sites,
        "sites/found": int(match.found.sum()),
        "sites/missing": list(match.missing),
        "sites/additional": list(match.additional),
        "sites/in_another_region": list(match.moved),
    }
