"""Show what a recording holds before anything is trained on it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from omegaconf import DictConfig
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mua_decode.runs.build import build_recording
from mua_decode.types import Recording, Session


def run(cfg: DictConfig) -> None:
    """List sessions, sites per region, trials per condition, missing data and problems."""
    recording = build_recording(cfg)
    out = Console(markup=False)
    stimuli = recording.stimuli
    c, h, w = stimuli.frame_shape
    out.print(recording.name, style="bold", highlight=False)
    out.print(
        f"{stimuli.n_conditions} conditions, {len(stimuli.videos)} videos of {stimuli.n_frames} "
        f"frames, {c}x{h}x{w}, one every {stimuli.frame_s:g} s",
        highlight=False,
    )
    for s in stimuli.segments:
        out.print(
            f"  {s.name}: {s.start * stimuli.frame_s:g} to {s.stop * stimuli.frame_s:g} s, "
            f"loss weight {s.weight:g}",
            highlight=False,
        )
    out.print(_sessions(recording))
    out.print(_sites(recording))
    for line in problems(recording):
        out.print(f"problem: {line}", style="yellow", highlight=False, soft_wrap=True)
    for note in recording.notes:
        out.print(f"note: {note}", style="dim", highlight=False, soft_wrap=True)
    for line in _provenance(recording):
        out.print(line, style="dim", highlight=False, soft_wrap=True)


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, box=SIMPLE_HEAD, title_justify="left")
    for number, name in enumerate(columns):
        table.add_column(escape(name), justify="right" if number else "left", no_wrap=True)
    return table


def _sessions(recording: Recording) -> Table:
    table = _table("sessions", "session", "trials", "per condition", "bins", "missing site-trials")
    for s in recording.sessions:
        per = np.bincount(s.condition, minlength=recording.stimuli.n_conditions)
        if s.counts is not None:
            bins = f"{s.counts.shape[1]} x {s.bin_s:g} s"
            bins += "" if s.measure == "counts" else f", {s.measure}"
        else:
            assert s.spike_times is not None
            bins = f"spike times, {s.spike_times.duration_s:g} s"
        share = f"{missing(s):.1%}"
        table.add_row(escape(s.name), str(s.n_trials), f"{per.min()}-{per.max()}", bins, share)
    return table


def _sites(recording: Recording) -> Table:
    regions = recording.sites.regions
    table = _table("sites per region", "session", *regions, "all")
    for s in recording.sessions:
        numbers = [int((s.sites.region == r).sum()) for r in regions]
        table.add_row(escape(s.name), *map(str, [*numbers, sum(numbers)]))
    table.add_section()
    total = [int((recording.sites.region == r).sum()) for r in regions]
    table.add_row("all", *map(str, [*total, sum(total)]))
    return table


def _provenance(recording: Recording) -> Iterator[str]:
    """Where the recording came from; nested parameters are counted, not listed."""
    for key, value in recording.provenance.items():
        if not isinstance(value, Mapping):
            yield f"{key}: {value}"
        elif all(isinstance(v, str) for v in value.values()):
            yield from (f"{key} {name}: {text}" for name, text in value.items())
        else:
            yield f"{key}: {', '.join(map(str, value))} (kept with the recording)"


def missing(session: Session) -> float:
    """Share of site-trials with any missing bin."""
    if session.spike_times is not None and session.spike_times.observed is not None:
        return float(1 - session.spike_times.observed.mean())
    if session.counts is None or session.counts.dtype.kind != "f":
        return 0.0
    return float(np.isnan(session.counts).any(axis=1).mean())


def problems(recording: Recording) -> list[str]:
    """What will get in the way of decoding, in numbers."""
    found = []
    for s in recording.sessions:
        per = np.bincount(s.condition, minlength=recording.stimuli.n_conditions)
        if (per == 0).any():
            found.append(f"session {s.name}: {int((per == 0).sum())} conditions without trials")
        if ((per > 0) & (per < 3)).any():
            few = int(((per > 0) & (per < 3)).sum())
            found.append(f"session {s.name}: {few} conditions with fewer than 3 trials")
        if s.counts is not None:
            silent = int((np.nansum(np.abs(s.counts), axis=(0, 1)) == 0).sum())
        else:
            assert s.spike_times is not None
            silent = len(s.sites) - len(np.unique(s.spike_times.site))
        if silent:
            found.append(f"session {s.name}: {silent} sites without a spike")
    return found
