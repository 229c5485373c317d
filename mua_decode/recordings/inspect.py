"""What a recording holds: tables and lines for people to read, before anything is trained on it."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.table import Table

from mua_decode.recordings.contents import Contents
from mua_decode.recordings.library import neo_contents, raw_contents, spikeinterface_contents
from mua_decode.recordings.nwb import nwb_contents
from mua_decode.types import InputError, Recording, Session, StimulusSet

_MOST_COLUMNS = 6  # regions, or sessions, side by side
# What can be said of a source before its trials and conditions are known, by its reader.
_CONTENTS: Mapping[str, Callable[..., list[Contents]]] = {
    "mua_decode.recordings.read_nwb": nwb_contents,
    "mua_decode.recordings.read_neo": neo_contents,
    "mua_decode.recordings.read_spikeinterface": spikeinterface_contents,
    "mua_decode.recordings.read_raw": raw_contents,
}


def contents_of(options: Mapping[str, Any]) -> list[Contents] | None:
    """Return what a source holds that could not be read as a recording.

    ``None`` where its reader has nothing to say, or it cannot be read at all.

    Parameters
    ----------
    options
        Of its reader, which ``_target_`` names.
    """
    look = _CONTENTS.get(str(options.get("_target_")))
    if look is None:
        return None
    try:
        return look(**{k: v for k, v in options.items() if k != "_target_"})
    except InputError:
        return None


def training_line(recording: Recording, given: Iterable[str]) -> str:
    """The line that trains on a recording, of which ``given`` are the options that read it.

    ``activity`` is one of ``inspect`` alone, and left out.
    """
    typed = [option for option in given if not option.startswith("activity=")]
    named = {option.partition("=")[0] for option in typed}
    further = [o for o in _training_options(recording) if o.partition("=")[0] not in named]
    return shlex.join(["mua-decode", "train", *typed, *further])


def _training_options(recording: Recording) -> list[str]:
    """Options without which a recording cannot be trained on: one long film, things shown once."""
    known = range(recording.stimuli.n_conditions)
    fewest = min(np.bincount(s.condition, minlength=len(known)).min() for s in recording.sessions)
    rarely = bool(fewest < 3)  # train, val and test need a trial each
    if len(known) == 1 and recording.stimuli.n_frames > 1:
        return ["experiment=continuous", *(["data.split.unit=block"] if rarely else [])]
    most = max(np.bincount(s.condition).max() for s in recording.sessions)
    once = bool(most == 1) and len(recording.sessions) == 1
    apart = ["data.split.unit=condition"] if rarely else []
    return [*apart, *(["data.pseudo.draw=recorded"] if once else [])]


def overview(recording: Recording) -> Iterator[str | Table]:
    """Yield what a recording holds: lines on its videos, tables of its sessions and sites."""
    yield from stimuli_lines(recording.stimuli)
    yield sessions_table(recording)
    yield sites_table(recording)


def stimuli_lines(stimuli: StimulusSet) -> Iterator[str]:
    """Yield number, shape and segments of the videos."""
    c, h, w = stimuli.frame_shape
    yield (
        f"{stimuli.n_conditions} conditions, {len(stimuli.videos)} videos of {stimuli.n_frames} "
        f"frames, {c}x{h}x{w}, one every {stimuli.frame_s:g} s"
    )
    for s in stimuli.segments:
        begin_s, end_s = s.start * stimuli.frame_s, s.stop * stimuli.frame_s
        yield f"  {s.name}: {begin_s:g} to {end_s:g} s, loss weight {s.weight:g}"


def sessions_table(recording: Recording) -> Table:
    """Trials, bins and missing data of every session."""
    names = ("session", "trials", "per condition", "bins", "missing site-trials")
    table = _table("sessions", *names, fold=True)
    for s in recording.sessions:
        per = np.bincount(s.condition, minlength=recording.stimuli.n_conditions)
        if s.counts is not None:
            bins = f"{s.counts.shape[1]} x {s.bin_s:g} s"
            bins += "" if s.measure == "counts" else f", {s.measure}"
        else:
            assert s.spike_times is not None
            bins = f"spike times, {s.spike_times.duration_s:g} s"
        share = f"{missing_share(s):.1%}"
        table.add_row(s.name, str(s.n_trials), f"{per.min()}-{per.max()}", bins, share)
    return table


def sites_table(recording: Recording) -> Table:
    """Sites of every session by region; many regions are rows, where they fit a terminal."""
    regions = recording.sites.regions
    parts = [*((s.name, s.sites) for s in recording.sessions), ("all", recording.sites)]
    numbers = [[int((sites.region == r).sum()) for r in regions] for _, sites in parts]
    if len(regions) > _MOST_COLUMNS:
        names = [name for name, _ in parts] if len(parts) <= _MOST_COLUMNS else ["all"]
        table = _table("sites per region", "region", *names)
        shown = list(zip(*numbers[-len(names) :], strict=True))
        for k, (region, row) in enumerate(zip(regions, shown, strict=True)):
            table.add_row(region, *map(str, row), end_section=k == len(regions) - 1)
        table.add_row("all", *(str(sum(column)) for column in zip(*shown, strict=True)))
        return table
    table = _table("sites per region", "session", *regions, "all")
    for k, ((name, _), number) in enumerate(zip(parts, numbers, strict=True)):
        table.add_row(name, *map(str, [*number, sum(number)]), end_section=k == len(parts) - 2)
    return table


def _table(title: str, *columns: str, fold: bool = False) -> Table:
    table = Table(title=title, box=SIMPLE_HEAD, title_justify="left")
    for number, name in enumerate(columns):
        table.add_column(
            name, justify="right" if number else "left", no_wrap=not fold, overflow="fold"
        )
    return table


def origin(recording: Recording) -> Iterator[str]:
    """Yield where the recording came from; nested parameters are counted, not listed."""
    for key, value in recording.provenance.items():
        if not isinstance(value, Mapping):
            yield f"{key}: {value}"
        elif all(isinstance(v, str) for v in value.values()):
            yield from (f"{key} {name}: {text}" for name, text in value.items())
        else:
            yield f"{key}: {', '.join(map(str, value))} (kept with the recording)"


def missing_share(session: Session) -> float:
    """Share of site-trials with any missing bin."""
    if session.spike_times is not None and session.spike_times.observed is not None:
        return float(1 - session.spike_times.observed.mean())
    if session.counts is None or session.counts.dtype.kind != "f":
        return 0.0
    return float(np.isnan(session.counts).any(axis=1).mean())


def problems(recording: Recording) -> Iterator[str]:
    """Yield what will get in the way of decoding, in numbers."""
    for s in recording.sessions:
        per = np.bincount(s.condition, minlength=recording.stimuli.n_conditions)
        if (per == 0).any():
            yield f"session {s.name}: {int((per == 0).sum())} conditions without trials"
        if few := int(((per > 0) & (per < 3)).sum()):
            yield f"session {s.name}: {few} conditions with fewer than 3 trials"
        if s.counts is not None:
            silent = int((np.nansum(np.abs(s.counts), axis=(0, 1)) == 0).sum())
        else:
            assert s.spike_times is not None
            silent = len(s.sites) - len(np.unique(s.spike_times.site))
        if silent:
            yield f"session {s.name}: {silent} sites without a spike"
