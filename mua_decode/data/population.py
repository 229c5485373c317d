"""What a trained decoder has to know of its input, kept with the run as one JSON file."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mua_decode.data.datamodule import DecodingData
from mua_decode.data.standardise import Standardiser
from mua_decode.limits import check_memory, read_json
from mua_decode.types import InputError, Segment, SiteTable

_VERSION = 1
_MEASURES = ("counts", "standardised")
_TIMES_S = (1e-6, 86400.0)  # of a counting window: a microsecond to a day


@dataclass(frozen=True, eq=False)
class Population:
    """The sites, bins and frames of a run, and its standardisation.

    With it, counts of new trials can be decoded without the recording of the run. Raises InputError
    if shapes disagree or a number cannot be.

    Parameters
    ----------
    sites
        Table of the N sites, in the order of the network's input.
    bin_s, window_s
        Step and width of the counting window in seconds.
    measure
        ``"counts"``, or ``"standardised"`` where activity came standardised already.
    conditions
        Names of the K conditions.
    frame_shape
        (C, H, W) of a decoded frame; there is one per bin.
    """

    sites: SiteTable
    standardise: Standardiser
    n_bins: int
    bin_s: float
    window_s: float
    measure: str
    conditions: tuple[str, ...]
    frame_shape: tuple[int, int, int]
    segments: tuple[Segment, ...]

    def __post_init__(self) -> None:
        n = len(self.sites)
        for name in ("mean", "std"):
            found = getattr(self.standardise, name)
            if found.shape != (n,) or not np.isfinite(found).all():
                raise InputError(f"population: {name} must be {n} finite numbers, one per site")
        if not (self.standardise.std > 0).all():
            raise InputError("population: std must be > 0")
        if min(self.n_bins, *self.frame_shape) < 1:
            raise InputError("population: sizes must be positive")
        for name in ("bin_s", "window_s"):
            if not _TIMES_S[0] <= getattr(self, name) <= _TIMES_S[1]:
                raise InputError(f"population: {name} must be {_TIMES_S[0]:g} to {_TIMES_S[1]:g} s")
        if self.measure not in _MEASURES:
            raise InputError(f"population: measure must be one of {', '.join(_MEASURES)}")
        if not all(math.isfinite(s.weight) and s.start < s.stop for s in self.segments):
            raise InputError("population: segments must not be empty, their weights finite")
        n_values = self.n_bins * math.prod(self.frame_shape)
        check_memory(4 * n_values, f"population: one video of {self.n_bins} {self.frame_shape}")

    @classmethod
    def of(cls, data: DecodingData) -> Population:
        """Take the population of a data module."""
        counts = data.pool.counts
        # Counts are never negative; activity standardised beforehand always is somewhere.
        signed = counts.dtype.kind == "f" and bool(counts.min(initial=0) < 0)
        return cls(
            sites=data.sites,
            standardise=Standardiser(
                data.by_place(data.standardise.mean),
                data.by_place(data.standardise.std),
                data.standardise.n_silent,
                data.standardise.root,
            ),
            n_bins=data.n_bins,
            bin_s=float(data.pool.bin_s),
            window_s=float(data.pool.window_s),
            measure="standardised" if signed else "counts",
            conditions=tuple(data.stimuli.names),
            frame_shape=data.frame_shape,
            segments=tuple(data.stimuli.segments),
        )

    @property
    def n_sites(self) -> int:
        """Sites, N."""
        return len(self.sites)

    def activity(self, counts: np.ndarray) -> np.ndarray:
        """Standardise counts as the network saw them in training.

        Raises InputError if the shape is another, or a value is infinite or a negative count.

        Parameters
        ----------
        counts
            (B, T, N) in the order of ``sites``. NaN: the site was not recorded in that bin.

        Returns
        -------
        float32 (B, T, N); 0, the training mean, where a site was not recorded.
        """
        expected = (self.n_bins, self.n_sites)
        if counts.ndim != 3 or counts.shape[1:] != expected:
            turned = counts.ndim == 3 and counts.shape[:0:-1] == expected
            raise InputError(
                f"counts: expected (trials, bins, sites) = (any, {expected[0]}, {expected[1]}), "
                f"found {counts.shape}" + ("; swap the last two axes" if turned else "")
            )
        if counts.dtype.kind not in "uif":
            raise InputError(f"counts: expected numbers, found {counts.dtype}")
        missing = np.isnan(counts) if counts.dtype.kind == "f" else None
        values = counts if missing is None else np.where(missing, np.float32(0), counts)
        if not np.isfinite(values).all():
            raise InputError("counts: infinite values")
        if self.measure == "counts" and values.min(initial=0) < 0:
            raise InputError(
                f"counts: expected spike counts >= 0, found {values.min():g}; give them as "
                "counted, they are standardised here"
            )
        standardised = self.standardise(values)
        return standardised if missing is None else np.where(missing, np.float32(0), standardised)

    def to_json(self) -> dict[str, Any]:
        """Return the population as plain values, which :meth:`from_json` reads back exactly."""
        return {
            "version": _VERSION,
            **{name: getattr(self, name) for name in ("n_bins", "bin_s", "window_s", "measure")},
            "root": self.standardise.root,
            "frame_shape": list(self.frame_shape),
            "conditions": list(self.conditions),
            "segments": [[s.name, s.start, s.stop, s.weight] for s in self.segments],
            "sites": {name: column.tolist() for name, column in self.sites.to_frame().items()},
            "mean": [float(v) for v in self.standardise.mean],
            "std": [float(v) for v in self.standardise.std],
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Population:
        """Read what :meth:`to_json` returned.

        Raises InputError if something is missing or of another kind.
        """
        try:
            if values["version"] != _VERSION:
                raise InputError(f"population: version {values['version']} is not known here")
            with np.errstate(over="ignore"):  # it is refused below
                mean, std = (np.asarray(values[name], np.float32) for name in ("mean", "std"))
            channels, height, width = (_whole(v, "frame_shape") for v in values["frame_shape"])
            if not (isinstance(values["root"], bool) and isinstance(values["conditions"], list)):
                raise InputError("population: root must be true or false, conditions a list")
            return cls(
                sites=SiteTable(**values["sites"]),
                standardise=Standardiser(mean, std, root=values["root"]),
                n_bins=_whole(values["n_bins"], "n_bins"),
                bin_s=float(values["bin_s"]),
                window_s=float(values["window_s"]),
                measure=str(values["measure"]),
                conditions=tuple(str(name) for name in values["conditions"]),
                frame_shape=(channels, height, width),
                segments=tuple(
                    Segment(
                        str(name),
                        _whole(start, "segments"),
                        _whole(stop, "segments"),
                        float(weight),
                    )
                    for name, start, stop, weight in values["segments"]
                ),
            )
        except InputError:
            raise
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise InputError(f"population: incomplete or damaged ({error})") from error


def _whole(value: Any, name: str) -> int:
    """Return a whole number as it is; inf, nan, 1.5 and true are none, nor is what no index is."""
    if type(value) is not int or not 0 <= value <= np.iinfo(np.int32).max:
        raise InputError(f"population: {name} must be whole numbers >= 0, found {value!s:.40}")
    return value


def read_population(path: Path) -> Population:
    """Read ``population.json`` of a run; an :class:`InputError` says why it cannot be read."""
    try:
        values = read_json(path)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: is not readable JSON") from error
    if not isinstance(values, dict):
        raise InputError(f"{path}: is not the population of a run")
    try:
        return Population.from_json(values)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
