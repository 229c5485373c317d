"""Intervals of a run's decoder, kept for what it decodes later."""

from __future__ import annotations

import math
import zipfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mua_decode.files import sha256, whole
from mua_decode.limits import check_packed
from mua_decode.models.uncertain import Uncertain
from mua_decode.runs.folder import RunFolder
from mua_decode.runs.run import Run
from mua_decode.scoring.coverage import PixelIntervals
from mua_decode.types import InputError

_MOST_LEVELS = 100


def keep_intervals(intervals: PixelIntervals, run: Run, folder: RunFolder) -> None:
    """Write ``intervals.npz``: residual variance, levels and reach, and the weights' SHA-256.

    Not where the data are others than those the run was trained on: with another split, validation
    trials may be trials that it was trained on, which are decoded too well.
    """
    assert run.checkpoint is not None
    if run.folder.load_config().data != run.cfg.data:
        return
    levels = sorted(intervals.reach)
    with whole(folder.intervals) as partial, partial.open("wb") as file:
        np.savez_compressed(
            file,
            residual=intervals.residual.float().numpy(),
            levels=np.array(levels),
            reach=np.array([intervals.reach[level] for level in levels]),
            n=np.array(intervals.n),
            weights=np.frombuffer(bytes.fromhex(sha256([run.checkpoint])), np.uint8),
        )


def kept_intervals(run: Run, level: float) -> PixelIntervals:
    """Intervals of a run's checkpoint, from its folder or that of its evaluation.

    Raises InputError if there are none of these weights, none of nominal coverage ``level``, or the
    file is damaged or of other videos.
    """
    assert run.checkpoint is not None
    own = run.folder.path
    scored = RunFolder(own / f"evaluation_test_{run.checkpoint.stem}")
    weights = sha256([run.checkpoint])
    for folder in (run.folder, scored):
        if folder.intervals.is_file():
            found, of = _read(folder.intervals, run)
            if of == weights:
                if level not in found.reach:
                    known = ", ".join(f"{k:g}" for k in sorted(found.reach))
                    raise InputError(f"intervals={level:g}: choose from {known}")
                return found
    raise InputError(
        f"intervals: {own} holds none of {run.checkpoint.name}; make them where its recording is "
        f"at hand: mua-decode evaluate run_dir={own} checkpoint={run.checkpoint.stem}"
    )


def _read(path: Path, run: Run) -> tuple[PixelIntervals, str]:
    about = run.population
    channels, *size = about.frame_shape
    shape = (channels, about.n_bins, *size)
    try:
        with zipfile.ZipFile(path) as archive:
            parts = archive.infolist()
        for part in parts:
            check_packed(part.file_size, part.compress_size, path)
        if sum(p.file_size for p in parts) > 4 * math.prod(shape) + 32 * _MOST_LEVELS + (1 << 16):
            raise InputError(f"{path}: holds more than intervals; refused")
        with np.load(path, allow_pickle=False) as file:
            residual, levels, reach = (file[k] for k in ("residual", "levels", "reach"))
            n, weights = int(file["n"]), file["weights"].tobytes().hex()
        multiples = {float(a): float(b) for a, b in zip(levels, reach, strict=True)}
    except InputError:
        raise
    except Exception as error:  # zipfile, zlib and numpy have errors of their own
        raise InputError(f"{path}: holds no intervals") from error
    sound = residual.dtype == np.float32 and np.isfinite(residual).all() and (residual >= 0).all()
    if not sound or residual.shape != shape or not all(0 <= v < math.inf for v in reach):
        raise InputError(f"{path}: holds no intervals of videos {shape}")
    return PixelIntervals(torch.from_numpy(residual), multiples, n), weights


def with_variance(run: Run, spikes: Tensor) -> tuple[Tensor, Tensor]:
    """Decode with the variance that the run's decoder states, 0 where it states none."""
    spikes = spikes.to(run.device)
    video = run.decode(spikes)
    network = run.network
    stated = network.variance(spikes) if isinstance(network, Uncertain) else torch.zeros_like(video)
    return video.float(), stated.float()
