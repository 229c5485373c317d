"""Show what a recording holds before anything is trained on it."""

from __future__ import annotations

from omegaconf import DictConfig, OmegaConf
from rich.text import Text

from mua_decode.recordings.inspect import (
    contents_of,
    origin,
    overview,
    problems,
    training_line,
)
from mua_decode.runs.activity import show_activity
from mua_decode.runs.progress import Screen
from mua_decode.runs.reading import build_recording, pairing_notes
from mua_decode.runs.typed import typed_options
from mua_decode.types import InputError


def run(cfg: DictConfig) -> None:
    """List sessions, sites per region, trials per condition, missing data and problems.

    Of a file that does not say itself what its trials and conditions are: what it holds, what to
    type next. activity=true or rates.png: whether units tell conditions apart, without any video.
    """
    out = Screen()
    try:
        recording = build_recording(cfg)
    except InputError as error:
        _show_contents(cfg, out, error)
        return
    out.print(recording.name, style="bold", highlight=False)
    for part in overview(recording):
        out.print(part, highlight=False)
    notes = (*recording.notes, *pairing_notes(recording, cfg))
    for line in problems(recording):
        out.print(f"problem: {line}", style="yellow", highlight=False, soft_wrap=True)
    for line in (*(f"note: {note}" for note in notes), *origin(recording)):
        out.print(line, style="dim", highlight=False, soft_wrap=True)
    show_activity(recording, cfg.activity, seed=int(cfg.seed), out=out)
    line = training_line(recording, typed_options())
    out.print(f"next: {line}", style="bold", highlight=False, soft_wrap=True)


def _show_contents(cfg: DictConfig, out: Screen, error: InputError) -> None:
    given = OmegaConf.to_container(cfg.recording, resolve=True)
    assert isinstance(given, dict)
    found = contents_of({str(k): v for k, v in given.items()})
    if not found:
        raise error
    asked = given.get("condition") is not None
    for part in (part for contents in found for part in contents.shown(missing=not asked)):
        out.print(part, highlight=False, soft_wrap=isinstance(part, Text))
    if asked:  # what was asked for cannot be read as it was asked for
        raise error
    out.print(f"next: {found[0].command}", style="bold", highlight=False, soft_wrap=True)
