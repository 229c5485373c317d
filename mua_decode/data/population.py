"""What a trained decoder has to know of its input, kept with the run as one JSON file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mua_decode.data.datamodule import DecodingData
from mua_decode.data.standardise import Standardiser
from mua_decode.types import InputError, Segment, SiteTable

_VERSION = 1


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
        if min(self.n_bins, *self.frame_shape) < 1 or min(self.bin_s, self.window_s) <= 0:
            raise InputError("population: sizes and times must be positive")

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
            mean, std = (np.asarray(values[name], np.float32) for name in ("mean", "std"))
            channels, height, width = (int(v) for v in values["frame_shape"])
            return cls(
                sites=SiteTable(**values["sites"]),
                standardise=Standardiser(mean, std, root=bool(values["root"])),
                n_bins=int(values["n_bins"]),
                bin_s=float(values["bin_s"]),
                window_s=float(values["window_s"]),
                measure=str(values["measure"]),
                conditions=tuple(str(name) for name in values["conditions"]),
                frame_shape=(channels, height, width),
                segments=tuple(
                    Segment(str(name), int(start), int(stop), float(weight))
                    for name, start, stop, weight in values["segments"]
                ),
            )
        except InputError:
            raise
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"population: incomplete or damaged ({error})") from error


def read_population(path: Path) -> Population:
    """Read ``population.json`` of a run; an :class:`InputError` says why it cannot be read."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: is not readable JSON") from error
    if not isinstance(values, dict):
        raise InputError(f"{path}: is not the population of a run")
    try:
        return Population.from_json(values)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
