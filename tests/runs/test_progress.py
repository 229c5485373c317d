"""On the terminal a name is a name: no markup, no emoji, no control character."""

from __future__ import annotations

import io
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import pytorch_lightning as pl
from rich.table import Table
from rich.text import Text

from mua_decode.commands.main import main
from mua_decode.recordings import write_recording
from mua_decode.runs import progress
from mua_decode.runs.epochs import Overall, TrainingProgress
from mua_decode.runs.progress import Screen, console, hushed, track, working
from mua_decode.types import Recording, printable

EVIL = "\x1b]0;owned\x07\x1b[2J\r\u202e\x9b31m[red]V4[/x] :smile:"


def controls(text: str) -> list[str]:
    return [c for c in text if c != "\n" and not c.isprintable()]


def test_long_steps_say_now_and_then_how_far_they_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where output is a file; short ones print one line when they are done."""
    assert list(track(range(3), "short", 3)) == [0, 1, 2]
    assert len(capsys.readouterr().err.splitlines()) == 1
    monkeypatch.setattr(progress, "LINE_EVERY_S", 0.02)
    for _ in track(range(3), "masking", 3, name=lambda i: f"without {EVIL}{i}"):
        time.sleep(0.03)
    with working("reading"):
        time.sleep(0.1)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("masking: 1 of 3 (without")
    assert lines[0].endswith("1), about 1 s left")
    assert not controls("".join(lines))
    assert sum(line.startswith("reading: still at it, about") for line in lines) >= 2
    with hushed(), working("silent"):
        time.sleep(0.06)
    assert capsys.readouterr().err == ""


def test_control_characters_are_written_out() -> None:
    assert printable("a\x1b[2J\tb\n\u202e\x7f") == "a\\x1b[2J\tb\n\\u202e\\x7f"
    assert printable("größe 猿 é [red]") == "größe 猿 é [red]"


@pytest.mark.parametrize("terminal", [False, True])
def test_whatever_is_printed(terminal: bool) -> None:
    out = io.StringIO()
    screen = Screen(file=out, width=200, force_terminal=terminal, color_system=None)
    table = Table(title=EVIL)
    table.add_column(EVIL)
    table.add_row(EVIL)
    for shown in (EVIL, table, Text(EVIL), Text.assemble((EVIL, "bold"))):
        screen.print(shown)
    screen.rule(EVIL)
    written = out.getvalue()
    assert controls(written) == []
    assert written.count("[red]V4[/x] :smile:") == 7
    assert r"\x1b]0;owned" in written


def test_progress_shows_names_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    with working(EVIL):
        pass
    assert list(track([1], EVIL, 1)) == [1]
    with Overall(EVIL, 1) as overall:
        overall.begin(EVIL)
        overall.end()
    shown = capsys.readouterr().err
    assert controls(shown) == []
    assert shown.count("[red]V4[/x]") == 5
    with hushed():
        console.print(EVIL)
    assert capsys.readouterr().err == ""


def test_names_in_a_recording_and_in_an_error(
    recording: Recording, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = recording.sessions[0]
    name = EVIL.replace("/", "")  # which HDF5 takes for a folder
    sites = replace(first.sites, region=np.array([EVIL] * 3), session=np.array([name] * 3))
    odd = replace(
        recording,
        name=EVIL,
        sessions=(replace(first, name=name, sites=sites),),
        notes=(EVIL,),
        provenance={"source": EVIL},
    )
    write_recording(odd, tmp_path / "r.h5")
    main(["inspect", "recording=native", f"recording.path={tmp_path / 'r.h5'}"])
    shown = capsys.readouterr()
    assert controls(shown.out + shown.err) == []
    assert shown.out.count("[red]V4") >= 3
    with pytest.raises(SystemExit):
        main(["inspect", "recording=native", f"recording.path={tmp_path}/{EVIL}.h5"])
    assert controls(capsys.readouterr().err) == []


def test_a_long_epoch_says_how_far_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where output is a file; a short one prints its one line."""
    bare = pl.Trainer(accelerator="cpu", logger=False, max_epochs=4, barebones=True)
    monkeypatch.setattr(type(bare), "num_training_batches", 8)
    shown, module = TrainingProgress(), pl.LightningModule()

    def epoch() -> list[str]:
        shown.on_train_epoch_start(bare, module)
        for batch in range(2):
            time.sleep(0.03)
            shown.on_train_batch_end(bare, module, None, [np.zeros(4)], batch)
        return capsys.readouterr().err.splitlines()

    assert epoch() == []
    monkeypatch.setattr(progress, "LINE_EVERY_S", 0.02)
    lines = epoch()
    assert [line.split(",")[0] for line in lines] == [
        "epoch 1/4: 1 of 8 batches", "epoch 1/4: 2 of 8 batches"
    ]  # fmt: skip
    assert lines[1].endswith("left of it")
