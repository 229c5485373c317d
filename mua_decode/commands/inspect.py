"""Show what a recording holds before anything is trained on it."""

from __future__ import annotations

from omegaconf import DictConfig

from mua_decode.recordings.inspect import (
    origin,
    problems,
    sessions_table,
    sites_table,
    stimuli_lines,
)
from mua_decode.runs.build import build_recording
from mua_decode.runs.progress import Screen


def run(cfg: DictConfig) -> None:
    """List sessions, sites per region, trials per condition, missing data and problems."""
    recording = build_recording(cfg)
    out = Screen()
    out.print(recording.name, style="bold", highlight=False)
    for line in stimuli_lines(recording.stimuli):
        out.print(line, highlight=False)
    out.print(sessions_table(recording))
    out.print(sites_table(recording))
    for line in problems(recording):
        out.print(f"problem: {line}", style="yellow", highlight=False, soft_wrap=True)
    for line in (*(f"note: {note}" for note in recording.notes), *origin(recording)):
        out.print(line, style="dim", highlight=False, soft_wrap=True)
