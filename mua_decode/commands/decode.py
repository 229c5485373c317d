"""Decode the trials of a new recording with a trained run."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from omegaconf import DictConfig

from mua_decode import __version__
from mua_decode.data import NewTrials
from mua_decode.figures import write_film
from mua_decode.files import write_text
from mua_decode.runs.build import build_recording
from mua_decode.runs.progress import console, track
from mua_decode.runs.stored import StoredNetwork, open_network
from mua_decode.scoring.stream import decode_stream
from mua_decode.types import InputError

_FORMATS = ("npy", "mp4", "gif")
_DTYPES = ("float32", "uint8")


def run(cfg: DictConfig) -> dict[str, Any]:
    """Decode every trial of a recording with the network of a finished run.

    Sites are matched by id and counted and standardised as in the run, which needs its folder
    alone. The folder OUT, written whole or not at all, holds the videos (videos.npy, or one film
    per trial), index.csv (which trial each is, and how many of the run's sites it had) and
    decode.json (sites matched, missing and additional). A site that is missing stands at its
    training mean.
    """
    _check(cfg)
    out = _free_folder(cfg.out)
    stored = open_network(
        cfg.run_dir,
        checkpoint=str(cfg.checkpoint),
        device=str(cfg.device),
        overrides=list(cfg.overrides),
        trusted=list(cfg.trusted),
    )
    trials = NewTrials(
        stored.population,
        build_recording(cfg),
        trials=str(cfg.trials),
        least_share=float(cfg.least_share),
    )
    console.print(trials.match.line, highlight=False, soft_wrap=True)
    partial = out.with_name(f".{out.name}.{os.getpid()}.partial")
    try:
        partial.mkdir(parents=True)
        videos = decode_trials(stored, trials, batch_size=int(cfg.batch_size))
        shown = track(videos, f"decoding {len(trials)} trials", -(-len(trials) // cfg.batch_size))
        files = _write(cfg, stored, shown, trials.table, partial)
        summary = _summary(cfg, stored, trials)
        write_text(partial / "index.csv", trials.table.assign(**files).to_csv(index=False))
        write_text(partial / "decode.json", json.dumps(summary, indent=2, allow_nan=False) + "\n")
        partial.replace(out)
    except OSError as error:
        raise InputError(f"out: {out} cannot be written: {error.strerror or error}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    console.print(f"{len(trials)} trials -> {out}", highlight=False, soft_wrap=True)
    return summary


def decode_trials(
    stored: StoredNetwork, trials: NewTrials, *, batch_size: int = 32
) -> Iterator[np.ndarray]:
    """Decode trials as they come, float32 (b, C, T, H, W) in [0, 1], b at most ``batch_size``."""
    spikes = (torch.from_numpy(block) for block in trials.blocks(batch_size))
    for video in decode_stream(stored.network, spikes, batch_size=batch_size, device=stored.device):
        yield video.float().clamp(0, 1).numpy()


def _check(cfg: DictConfig) -> None:
    if cfg.get("recording") is None:
        raise InputError(
            "recording is not set; name what is to be decoded: recording=nwb recording.path=FILE"
        )
    for name, known in (("format", _FORMATS), ("dtype", _DTYPES)):
        if cfg[name] not in known:
            raise InputError(f"{name}={cfg[name]}: choose from {', '.join(known)}")
    if cfg.batch_size < 1:
        raise InputError(f"batch_size: expected >= 1, found {cfg.batch_size}")


def _free_folder(out: str | None) -> Path:
    if not out:
        raise InputError("out is not set; give a folder for the videos: out=FOLDER")
    path = Path(out).expanduser().absolute()
    if path.is_file():
        raise InputError(f"out: {path} is a file; give a folder")
    if path.is_dir() and any(path.iterdir()):
        raise InputError(f"out: {path} is not empty; give another folder")
    return path


def _write(
    cfg: DictConfig,
    stored: StoredNetwork,
    videos: Iterator[np.ndarray],
    table: pd.DataFrame,
    folder: Path,
) -> dict[str, Any]:
    """Write the videos; return columns of the index: the file of each, and its row in it."""
    if cfg.format == "npy":
        _write_array(folder / "videos.npy", videos, stored, len(table), str(cfg.dtype))
        return {"file": "videos.npy", "row": np.arange(len(table))}
    names: list[str] = []
    for batch in videos:
        for video in batch:
            names.append(f"trial{len(names):05d}.{cfg.format}")
            write_film(folder / names[-1], video, frame_s=stored.population.bin_s)
    return {"file": names}


def _write_array(
    path: Path, videos: Iterator[np.ndarray], stored: StoredNetwork, n_trials: int, dtype: str
) -> None:
    channels, height, width = stored.population.frame_shape
    shape = (n_trials, channels, stored.population.n_bins, height, width)
    array = np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)
    first = 0
    for batch in videos:
        values = (batch * 255).round() if dtype == "uint8" else batch
        array[first : first + len(batch)] = values
        first += len(batch)
    array.flush()


def _summary(cfg: DictConfig, stored: StoredNetwork, trials: NewTrials) -> dict[str, Any]:
    run, match = stored.population, trials.match
    return {
        "run_dir": str(stored.folder.path),
        "checkpoint": stored.checkpoint.name,
        "version": __version__,
        "format": str(cfg.format),
        "dtype": str(cfg.dtype) if cfg.format == "npy" else None,
        "axes": "(trials, C, T, H, W)" if cfg.format == "npy" else None,
        "trials": str(cfg.trials),
        "n_trials": len(trials),
        "bin_s": run.bin_s,
        "window_s": run.window_s,
        "sites/run": run.n_sites,
        "sites/found": int(match.found.sum()),
        "sites/missing": list(match.missing),
        "sites/additional": list(match.additional),
        "sites/in_another_region": list(match.moved),
    }
