"""Activity and video tensors of pseudo-trials that were pooled, divided and stored beforehand.

Files ``PART_input`` (trials, bins, sites) and ``PART_output`` (trials, frames, C, H, W) for the
parts train, val and test, as ``torch.save`` or ``numpy.save`` wrote them; the layout in which
Zhang et al. 2026 (doi 10.1038/s42003-025-09486-7) describe their sample.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mua_decode.limits import check_memory
from mua_decode.recordings.files import existing_folder, load_npy, reading
from mua_decode.recordings.labels import ConditionOrder, Labels, check_labels, read_labels
from mua_decode.recordings.sites import site_table
from mua_decode.recordings.videos import cut_segments, digest, resize
from mua_decode.saved import load_saved
from mua_decode.types import (
    PARTS,
    STORED_PART,
    InputError,
    Recording,
    Session,
    SiteTable,
    StimulusSet,
)

if TYPE_CHECKING:
    import torch

_DTYPES = ("bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64")
_SUFFIXES = (".pt", ".pth", ".npy", "")
_POOLED = (
    "trials are pseudo-trials pooled and divided by whoever stored them (trials column "
    f"{STORED_PART}); one recorded trial can lie behind several, so no split of them is known to "
    "be free of leaks"
)


def read_tensors(
    root: str | None,
    *,
    sites: Sequence[tuple[str, int]],
    bin_s: float,
    video_max: float,
    standardised: bool,
    crop: int | None = None,
    frame_size: int | None = None,
    segments: Sequence[Sequence[Any]] | None = None,
    subject: str = "pooled",
    labels: str | None = None,
    order: ConditionOrder | None = None,
) -> Recording:
    """Read the tensors; every distinct video is stored once. Files that could run code are refused.

    A distinct video is a condition, unless files ``PART_condition`` with whole numbers (trials,)
    or ``labels`` say which trials belong together; then the videos of a condition are its variants.

    Parameters
    ----------
    sites
        [region, number of sites] of each region, in their order along the site axis.
    bin_s
        Seconds from bin to bin, and from frame to frame.
    video_max
        The value of a full grey level in the videos: 1 or 255.
    standardised
        Whether the activity was standardised before it was stored; otherwise it holds counts.
    crop, frame_size
        Keep the central ``crop`` x ``crop`` pixels, then resample to so many; ``None`` keeps all.
    segments
        [name, number of frames, weight in the loss] of each; ``None``: all frames are one.
    labels, order
        What the conditions are, see :func:`mua_decode.recordings.labels.read_labels`; the videos
        must not contradict it. ``None``: conditions have no attributes.
    """
    folder = existing_folder(root, "recording.root")
    if not (np.isfinite(bin_s) and bin_s > 0) or video_max not in (1, 255):
        raise InputError(
            f"recording: bin_s must be > 0 s and video_max 1 or 255, found {bin_s} and {video_max}"
        )
    regions = _regions(sites)
    library = _VideoLibrary(video_max=video_max, crop=crop, frame_size=frame_size)
    with reading(folder):
        activity, table = _read_parts(folder, len(regions), library, standardised)
        found = _labels_of(table, folder, labels=labels, order=order)
        stimuli, table = _stimuli(library.videos, found, table, bin_s, segments)
        if labels is not None:
            check_labels(found, stimuli, table["video"].to_numpy(), _sizes(table))
        session = Session(
            name="pooled",
            sites=_site_table(regions, subject),
            trials=table,
            counts=activity,
            bin_s=float(bin_s),
            measure="standardised" if standardised else "counts",
        )
        origin = {"reader": "tensors", "folder": str(folder.resolve())}
        return Recording("tensors", (session,), stimuli, provenance=origin, notes=(_POOLED,))


def _site_table(regions: list[str], subject: str) -> SiteTable:
    ids = [f"{i + 1:03d}-{region}" for i, region in enumerate(regions)]
    return site_table("pooled", ids, region=regions, subject=subject)


def _labels_of(
    table: pd.DataFrame, folder: Path, *, labels: str | None, order: ConditionOrder | None
) -> Labels:
    """Conditions of all trials, given their table with the numbers that they were stored with."""
    if labels is None:
        numbers, number = np.unique(table["condition"], return_inverse=True)
        names = [f"video{k:04d}" for k in range(len(numbers))]
        return Labels(pd.DataFrame({"name": names}), number)
    if order is None:
        raise InputError("recording.labels needs recording.order (conf/recording/tensors.yaml)")
    stored = any(_file(folder, f"{part}_condition") is not None for part in PARTS)
    given = table["condition"].to_numpy() if stored else None
    return read_labels(labels, folder, order=order, sizes=_sizes(table), given=given)


def _sizes(table: pd.DataFrame) -> dict[str, int]:
    """Trials of each part."""
    return {p: int((table[STORED_PART] == p).sum()) for p in PARTS}


def _read_parts(
    folder: Path, n_sites: int, library: _VideoLibrary, standardised: bool
) -> tuple[np.ndarray, pd.DataFrame]:
    """Activity (trials, bins, sites) of all parts and their table of trials."""
    parts = [p for p in PARTS if _file(folder, f"{p}_input") is not None]
    if not parts:
        raise InputError(f"recording.root: {folder} holds no train_input, val_input or test_input")
    read = [_read_part(folder, part, n_sites, library, standardised) for part in parts]
    activity = [values for values, _ in read]
    if len({a.shape[1] for a in activity}) > 1:
        raise InputError(f"{folder}: parts differ in bins: {[a.shape for a in activity]}")
    sizes = {part: len(a) for part, a in zip(parts, activity, strict=True)}
    video = np.concatenate([numbers for _, numbers in read])
    table = pd.DataFrame({"condition": _conditions(folder, sizes, video)})
    table[STORED_PART] = np.repeat(parts, list(sizes.values()))
    return np.concatenate(activity), table.assign(video=video)


def _read_part(
    folder: Path, part: str, n_sites: int, library: _VideoLibrary, standardised: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Activity (trials, bins, sites) of a part and the number of each trial's video."""
    source, values = _load(folder, f"{part}_input")
    if values.ndim != 3 or values.shape[2] != n_sites:
        raise InputError(
            f"{source}: expected (trials, bins, {n_sites} sites), found {tuple(values.shape)}"
        )
    film, videos = _load(folder, f"{part}_output")
    if videos.ndim != 5 or len(videos) != len(values):
        raise InputError(
            f"{film}: expected ({len(values)} trials, frames, C, H, W), found {tuple(videos.shape)}"
        )
    activity = _activity(values, source, standardised)
    return activity, np.array([library.add(v, str(film)) for v in videos], int)


def _regions(sites: Sequence[tuple[str, int]]) -> list[str]:
    """Region of every site along the axis."""
    try:
        pairs = [(str(region), int(number)) for region, number in sites]
    except (TypeError, ValueError) as error:
        raise InputError(f"recording.sites: expected [[region, number], ...]: {error}") from error
    if not pairs or min(n for _, n in pairs) < 1:
        raise InputError(f"recording.sites: expected numbers >= 1, found {pairs}")
    return [region for region, number in pairs for _ in range(number)]


class _VideoLibrary:
    """Distinct videos in order of first appearance, as uint8 (T, C, H, W)."""

    def __init__(self, *, video_max: float, crop: int | None, frame_size: int | None) -> None:
        self.videos: list[np.ndarray] = []
        self._number: dict[str, int] = {}
        self._options = (float(video_max), crop, frame_size)

    def add(self, video: torch.Tensor | np.ndarray, where: str) -> int:
        """Return the number of a video, kept if it is new."""
        frames = np.ascontiguousarray(np.asarray(video))
        key = digest(frames)
        if key not in self._number:
            self._number[key] = len(self.videos)
            self.videos.append(self._shape(frames, where))
        return self._number[key]

    def _shape(self, frames: np.ndarray, where: str) -> np.ndarray:
        top, crop, size = self._options
        values = frames.astype(np.float32)
        low, high = values.min(), values.max()
        if not (low >= 0 and high <= top):
            raise InputError(
                f"{where}: videos must lie in 0..{top:g} (video_max), found {low:g} to {high:g}"
            )
        height, width = frames.shape[-2:]
        if crop is not None:
            if not 0 < crop <= min(height, width):
                raise InputError(f"recording.crop: {crop} pixels of frames {height}x{width}")
            y, x = (height - crop) // 2, (width - crop) // 2
            values = values[..., y : y + crop, x : x + crop]
        if size is not None:
            small = [resize(frame, size) for frame in values.reshape(-1, *values.shape[-2:])]
            values = np.stack(small).reshape(*values.shape[:-2], size, size)
        return np.rint(values * (255 / top)).astype(np.uint8)


def _file(folder: Path, name: str) -> Path | None:
    files = (folder / f"{name}{suffix}" for suffix in _SUFFIXES)
    return next((file for file in files if file.is_file()), None)


def _load(folder: Path, name: str) -> tuple[Path, torch.Tensor | np.ndarray]:
    """Map a file into memory; what is not looked at is not read."""
    path = _file(folder, name)
    if path is None:
        raise InputError(f"{folder}: has no {name} (.pt, .pth or .npy)")
    if path.suffix == ".npy":
        return path, load_npy(path, lazily=True)
    import torch  # takes seconds; not every recording is of tensors

    found = load_saved(path, "tensor", mapped=True, hint="; expected a saved tensor")
    if not isinstance(found, torch.Tensor):
        raise InputError(f"{path}: expected a saved tensor, found {type(found).__name__}")
    if (
        found.is_quantized
        or found.is_meta
        or str(found.dtype).removeprefix("torch.") not in _DTYPES
    ):
        raise InputError(f"{path}: expected plain numbers, found {found.dtype} on {found.device}")
    check_memory(found.nbytes, path)
    return path, found.detach()


def _activity(values: torch.Tensor | np.ndarray, path: Path, standardised: bool) -> np.ndarray:
    array = np.asarray(values)
    if array.dtype.kind not in "fiu":
        raise InputError(f"{path}: expected numbers, found {array.dtype}")
    if array.size and not standardised and np.nanmin(array) < 0:
        raise InputError(
            f"{path}: expected counts >= 0, found {np.nanmin(array):g}; if the activity was "
            "standardised, set recording.standardised=true"
        )
    return np.asarray(array, np.float32)


def _labels(folder: Path, part: str, n_trials: int) -> np.ndarray:
    path, values = _load(folder, f"{part}_condition")
    labels = np.asarray(values)
    if labels.shape != (n_trials,) or labels.dtype.kind not in "iu" or (labels < 0).any():
        raise InputError(
            f"{path}: expected whole numbers >= 0 ({n_trials},), "
            f"found {labels.dtype} {labels.shape}"
        )
    return labels


def _conditions(folder: Path, sizes: Mapping[str, int], video: np.ndarray) -> np.ndarray:
    """Condition of every trial, given the trials of every part and the number of each's video."""
    parts = [p for p in sizes if _file(folder, f"{p}_condition") is not None]
    if not parts:
        return video
    labels = [_labels(folder, p, sizes[p]) for p in parts]
    if len(parts) < len(sizes):
        raise InputError(f"{folder}: some parts have a PART_condition and some do not")
    return np.concatenate(labels).astype(np.int64)


def _stimuli(
    videos: list[np.ndarray],
    labels: Labels,
    trials: pd.DataFrame,
    frame_s: float,
    segments: Sequence[Sequence[Any]] | None,
) -> tuple[StimulusSet, pd.DataFrame]:
    """The stimulus set, and the trials table with its conditions and the numbers of its videos."""
    shown = np.stack([labels.trials, trials["video"].to_numpy()], axis=1)
    pairs, video = np.unique(shown, axis=0, return_inverse=True)
    if len({v.shape for v in videos}) > 1:
        raise InputError(f"videos differ in shape: {sorted({v.shape for v in videos})[:2]}")
    stimuli = StimulusSet(
        videos=np.stack([videos[n] for n in pairs[:, 1]]),
        condition=pairs[:, 0],
        conditions=labels.conditions,
        segments=cut_segments(segments, len(videos[0]), "recording.segments"),
        frame_s=frame_s,
    )
    return stimuli, trials.assign(condition=labels.trials, video=video.reshape(-1))
