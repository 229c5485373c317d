"""Recordings through Neo and SpikeInterface: units or channels, with trials from a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mua_decode.recordings.aligned import Part
from mua_decode.recordings.library.ask import Found, ask_library
from mua_decode.recordings.library.places import UnitPlaces
from mua_decode.recordings.nwb.spikes import spikes_in_trials
from mua_decode.recordings.sites import site_table
from mua_decode.recordings.timeline import Timeline
from mua_decode.types import InputError, Recording


@dataclass(frozen=True, kw_only=True)
class RawPlan:
    """How multi-unit activity is taken from raw voltage.

    Parameters
    ----------
    measure
        ``crossings``: times at which the voltage is an extremum beyond the threshold.
        ``envelope``: the mean of the rectified voltage in bins of ``bin_s``, the envelope of
        multi-unit activity (MUAe; Supèr & Roelfsema 2005, doi 10.1016/S0079-6123(04)47020-4, who
        smooth with a low-pass filter where we average within a bin).
    band_hz
        Pass band of the filter.
    reference
        ``median`` or ``average`` over the channels of a group is taken away; ``None``: nothing.
    threshold_sd, sign
        Threshold in standard deviations of the noise, which are 1.4826 median absolute deviations,
        and the side: ``-``, ``+`` or ``both``. Gaussian noise from 300 to 6000 Hz alone crosses one
        side of it 0.14 times a second at 4.5, 1.2 at 4 and 7.8 at 3.5 (Rice 1945).
    refractory_ms
        Of extrema closer than this on a channel the largest counts alone.
    bin_s
        Bins of the envelope, seconds.
    chunk_s, jobs, progress
        Seconds that are read at once, threads, and whether a bar is shown.
    """

    measure: str = "crossings"
    band_hz: Sequence[float] = (300.0, 6000.0)
    reference: str | None = "median"
    threshold_sd: float = 4.5
    sign: str = "-"
    refractory_ms: float = 0.5
    bin_s: float = 0.01
    chunk_s: float = 1.0
    jobs: int = 1
    progress: bool = True

    def __post_init__(self) -> None:
        for name, known in (
            ("measure", ("crossings", "envelope")),
            ("reference", ("median", "average", None)),
            ("sign", ("-", "+", "both")),
        ):
            if getattr(self, name) not in known:
                shown = ", ".join("null" if k is None else k for k in known)
                raise InputError(f"recording.plan.{name}: choose from {shown}")
        for name in ("threshold_sd", "refractory_ms", "bin_s", "chunk_s", "jobs"):
            if not 0 < getattr(self, name) < np.inf:
                raise InputError(
                    f"recording.plan.{name}: expected a number > 0, found {getattr(self, name)}"
                )
        if len(self.band_hz) != 2:
            raise InputError(f"recording.plan.band_hz: expected [low, high], found {self.band_hz}")


def read_spikeinterface(
    path: str | Sequence[str] | None,
    *,
    format: str,
    options: Mapping[str, Any] | None = None,
    subject: str = "unknown",
    places: UnitPlaces | None = None,
    **timeline: Any,
) -> Recording:
    """Read sorted units through SpikeInterface.

    Parameters
    ----------
    path
        Folder or file of a sorting, or a list; each is a session.
    format
        What ``spikeinterface.extractors.read_FORMAT`` is called, or ``FORMAT_sorting``: kilosort,
        phy, nwb, mda ...; ``numpy_folder``, ``npz_folder`` and ``npz`` are what SpikeInterface
        saves.
    options
        Further arguments of that function.
    subject
        Animal.
    places
        Where the units lie.
    timeline
        Trials, conditions and videos, as :class:`mua_decode.recordings.timeline.Timeline`.
    """
    ask = {"format": format, "options": dict(options or {})}
    return _read("sorting", path, ask, subject, places, Timeline.of(timeline))


def read_neo(
    path: str | Sequence[str] | None,
    *,
    format: str | None = None,
    options: Mapping[str, Any] | None = None,
    subject: str = "unknown",
    places: UnitPlaces | None = None,
    **timeline: Any,
) -> Recording:
    """Read spike trains and events through Neo.

    ``format`` is the name of the class in ``neo.io`` (``Blackrock``, ``Plexon``, ``Spike2`` ...),
    ``None``: by the file's ending. ``trials`` may be ``events``, ``epochs`` or ``segments`` of the
    file. All else as :func:`read_spikeinterface`.
    """
    ask = {"format": format, "options": dict(options or {})}
    return _read("neo", path, ask, subject, places, Timeline.of(timeline))


def read_raw(
    path: str | Sequence[str] | None,
    *,
    format: str,
    options: Mapping[str, Any] | None = None,
    subject: str = "unknown",
    places: UnitPlaces | None = None,
    plan: RawPlan | None = None,
    **timeline: Any,
) -> Recording:
    """Read multi-unit activity from raw voltage through SpikeInterface; every channel is a site.

    ``format`` is what ``spikeinterface.extractors.read_FORMAT`` is called (``spikeglx``,
    ``openephys``, ``blackrock``, ``binary`` ...), or ``binary_folder`` and ``zarr``, what
    SpikeInterface saves. All else as :func:`read_spikeinterface`.
    """
    given = {**asdict(plan or RawPlan())}
    given["band_hz"] = [float(f) for f in given["band_hz"]]
    ask = {"format": format, "options": dict(options or {}), "plan": given}
    return _read("raw", path, ask, subject, places, Timeline.of(timeline))


def _read(
    kind: str,
    path: str | Sequence[str] | None,
    ask: Mapping[str, Any],
    subject: str,
    places: UnitPlaces | None,
    timeline: Timeline,
) -> Recording:
    sources = paths_of(path)
    tables = list(zip(sources, timeline.sources(len(sources)), strict=True))

    def parts_of(**further: Any) -> list[Part]:
        found = [(s, ask_library(s, kind, **ask, **further), table) for s, table in tables]
        return [_part(*each, subject, places or UnitPlaces(), timeline) for each in found]

    if kind == "raw":  # hours of voltage are not read for trials or videos that are not there
        timeline.shown(parts_of(look=True))
    parts = parts_of()
    stimuli, rows, notes = timeline.shown(parts)
    return Recording(
        name=parts[0].name if len(parts) == 1 else kind,
        sessions=tuple(p.session(k) for p, k in zip(parts, rows, strict=True)),
        stimuli=stimuli,
        provenance={
            "reader": kind,
            "file": {p.name: str(p.source) for p in parts},
            "how": {k: str(v) for k, v in {**ask, **ask.get("plan", {})}.items() if k != "plan"},
        },
        notes=(*notes, *(note for p in parts for note in p.notes)),
    )


def paths_of(path: str | Sequence[str] | None) -> list[Path]:
    """Return the sources that ``recording.path`` names, each a session."""
    if not path:
        raise InputError("recording.path is not set; give a file, a folder or a list of them")
    return [Path(p).expanduser() for p in ([path] if isinstance(path, str | Path) else path)]


def _part(
    source: Path,
    found: Found,
    table: str | None,
    subject: str,
    places: UnitPlaces,
    timeline: Timeline,
) -> Part:
    name, where = source.stem, str(source)
    every, plan = timeline.trials_of(table, found.tables, where)
    trials, notes = plan.usable(every, f"{where}: trials")
    duration_s = plan.length(trials, where)
    ids = [f"{name}-{u}" for u in found.units["id"]]
    if not ids:
        raise InputError(f"{where}: holds no unit")
    sites = site_table(name, ids, region=places.regions(found.units, where), subject=subject)
    notes += found.about["notes"]
    if found.envelope is None:
        start_s = plan.starts(trials)
        spikes = spikes_in_trials(
            found.times, found.ends, list(map(str, found.units["id"])),
            start_s=start_s, duration_s=duration_s, where=where,
        )  # fmt: skip
        given: dict[str, Any] = {"sites": sites, "spike_times": spikes}
    else:
        trials, counts, said = _cut(found, trials, plan.starts(trials), duration_s, where)
        notes += said
        given = {"sites": sites, "counts": counts, "bin_s": found.about["bin_s"]}
    return Part(
        source=source,
        name=name,
        trials=trials,
        start_s=plan.starts(trials),
        duration_s=duration_s,
        notes=tuple(f"session {name}: {n}" for n in notes),
        given=given,
    )


def _cut(
    found: Found, trials: pd.DataFrame, start_s: np.ndarray, duration_s: float, where: str
) -> tuple[pd.DataFrame, np.ndarray, list[str]]:
    """Envelope of the trials (trials, bins, N); those that the recording lacks are left out."""
    assert found.envelope is not None
    bin_s = float(found.about["bin_s"])
    first = np.rint((start_s - float(found.about["start_s"])) / bin_s).astype(int)
    n_bins = int(duration_s / bin_s + 1e-6)
    inside = (first >= 0) & (first + n_bins <= len(found.envelope))
    if n_bins < 1 or not inside.any():
        raise InputError(f"{where}: no trial lies within the recording")
    counts = np.stack([found.envelope[f : f + n_bins] for f in first[inside]])
    notes = [f"activity is the mean rectified voltage in bins of {bin_s:g} s, no spikes"]
    if not inside.all():
        notes.append(f"{int((~inside).sum())} of {len(inside)} trials lie outside the recording")
    return trials[inside].reset_index(drop=True), counts, notes
