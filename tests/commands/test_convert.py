"""convert and inspect, on recordings of every kind, as a user types them."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mua_decode.commands.main import main
from mua_decode.recordings import read_native, read_nwb, write_nwb, write_recording
from mua_decode.types import InputError, Recording
from tests.recordings.layouts import write_arrays

SMALL = ["recording=simulated_small", "recording.population.trials_per_condition=3"]
SMALL += ["recording.stimulus.variants=1", "recording.stimulus.frame.resolution=0.5"]


def test_native_to_nwb_and_back(
    recording: Recording, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = tmp_path / "a.h5", tmp_path / "nwb files"
    write_recording(recording, source)
    main(["convert", "recording=native", f"recording.path={source}", f"out={out}", "format=nwb"])
    back = tmp_path / "b.h5"
    main(["convert", "recording=nwb", f"recording.path={out}", f"out={back}"])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.h5", "b.h5", "nwb files"]
    assert sorted(p.name for p in out.iterdir()) == ["s0.nwb", "s1.nwb", "s2.nwb"]
    again = read_native(back)
    for old, new in zip(recording.sessions, again.sessions, strict=True):
        assert new.spike_times is not None
        assert old.counts is not None
        number = np.zeros(old.counts.shape, int)
        bins = (new.spike_times.time_s / 0.1).astype(int)
        np.add.at(number, (new.spike_times.trial, bins, new.spike_times.site), 1)
        np.testing.assert_array_equal(number, old.counts)
    assert len(read_nwb(str(out)).sessions) == 3
    capsys.readouterr()
    main(["inspect", "recording=nwb", f"recording.path={out}"])
    shown = capsys.readouterr().out
    assert "spike times, 0.6 s" in shown
    assert "4 conditions, 4 videos of 6 frames" in shown
    assert "identifier s2: small/s2/" in shown


def test_arrays_to_native(recording: Recording, tmp_path: Path) -> None:
    described = write_arrays(recording, tmp_path / "arrays", packed=False)
    out = tmp_path / "made" / "r.h5"
    main(["convert", "recording=arrays", f"recording.path={described}", f"out={out}"])
    again = read_native(out)
    np.testing.assert_array_equal(again.sessions[1].counts, recording.sessions[1].counts)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["out=x.h5", "format=matlab"], "format: expected native or nwb, found 'matlab'"),
        ([], "out is not set; give a file: out=FILE.h5"),
        (["format=nwb"], "out is not set; give a folder: out=FOLDER"),
        (["out=folder"], "folder is a folder; give a file: out=FILE.h5"),
        (["out=file", "format=nwb"], "file is a file; give a folder: out=FOLDER"),
    ],
)
def test_wrong_options_say_so(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    Path("file").touch()
    with pytest.raises(SystemExit) as stopped:
        main(["convert", *SMALL, *options])
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder"]


def odd(recording: Recording) -> Recording:
    """The recording under names that files cannot hold as they are."""
    names = {"s0": "sub-01/ses-02", "s1": "..", "s2": "50%2F"}
    sessions = []
    for session in recording.sessions:
        name, n = names[session.name], session.n_trials
        where = np.array(["V1/V2", "V1:V2", "V1_V2"])
        ids = np.array([f"{name}/{i}" for i in range(3)])
        sites = replace(session.sites, site_id=ids, session=np.full(3, name), region=where)
        more = {"choice/reward": np.arange(n), "a:b": ["NA"] * n, "%41": np.linspace(0, 1, n)}
        trials = session.trials.assign(**more)
        sessions.append(replace(session, name=name, sites=sites, trials=trials))
    names_of = recording.stimuli.conditions.assign(**{"cue/side": ["None", "nan", "", "NA"]})
    stimuli = replace(recording.stimuli, conditions=names_of)
    truth = {"tuning/V1": recording.stimuli.conditions}
    return replace(recording, sessions=tuple(sessions), stimuli=stimuli, truth=truth)


def test_names_that_files_cannot_hold_come_back(recording: Recording, tmp_path: Path) -> None:
    given = odd(recording)
    write_recording(given, tmp_path / "a.h5")
    native = read_native(tmp_path / "a.h5")
    assert native.checksum == given.checksum
    assert list(native.truth) == ["tuning/V1"]
    source = [f"recording.path={tmp_path / 'a.h5'}", f"out={tmp_path / 'nwb'}"]
    main(["convert", "recording=native", *source, "format=nwb"])
    found = {s.name: s for s in read_nwb(str(tmp_path / "nwb")).sessions}
    assert set(found) == {s.name for s in given.sessions}
    for session in given.sessions:
        again = found[session.name]
        assert again.sites.region.tolist() == session.sites.region.tolist()
        assert again.sites.site_id.tolist() == session.sites.site_id.tolist()
        pd.testing.assert_frame_equal(again.trials, session.trials, check_like=True)


def test_a_name_no_file_can_hold_is_refused(recording: Recording, tmp_path: Path) -> None:
    stimuli = replace(
        recording.stimuli, conditions=recording.stimuli.conditions.assign(note="a\0b")
    )
    for write, out in ((write_recording, "a.h5"), (write_nwb, "nwb")):
        with pytest.raises(InputError, match=r"(a\.h5|s0\.nwb): (cannot be|not) written"):
            write(replace(recording, stimuli=stimuli), tmp_path / out)
    assert not [p for p in tmp_path.rglob("*") if p.is_file()]


@pytest.mark.parametrize("kind", ["native", "nwb"])
def test_what_is_there_is_kept(
    recording: Recording, tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    write_recording(recording, tmp_path / "a.h5")
    out = tmp_path / ("b.h5" if kind == "native" else "folder")
    there = out if kind == "native" else out / "s1.nwb"
    there.parent.mkdir(exist_ok=True)
    there.write_text("mine")
    line = ["convert", "recording=native", f"recording.path={tmp_path / 'a.h5'}", f"out={out}"]
    line.append(f"format={kind}")
    with pytest.raises(SystemExit) as stopped:
        main(line)
    assert stopped.value.code == 2
    assert f"out: {there} exists; give another, or overwrite=true" in capsys.readouterr().err
    assert there.read_text() == "mine"
    main([*line, "overwrite=true"])
    read = read_native if kind == "native" else read_nwb
    assert len(read(str(out)).sessions) == 3


def test_simulate_keeps_what_is_there_and_looks_before_it_works(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.h5").touch()
    for out, message in ((tmp_path / "a.h5", "exists; give another, or overwrite=true"),
                         (tmp_path, "is a folder; give a file: out=FILE.h5"),
                         ("", "out is not set; give a file: out=FILE.h5")):  # fmt: skip
        with pytest.raises(SystemExit) as stopped:
            main(["simulate", *SMALL, f"out={out}"])
        assert stopped.value.code == 2
        said = capsys.readouterr().err
        assert message in said
        assert "reading the recording" not in said
    assert (tmp_path / "a.h5").stat().st_size == 0


def test_sessions_take_their_names_together(tmp_path: Path) -> None:
    out = tmp_path / "nwb"
    command = [sys.executable, "-m", "mua_decode", "convert", *SMALL, "format=nwb", f"out={out}"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        # The first session is whole, the second is not.
        while len(list(tmp_path.glob(".nwb.*.partial-*/*.nwb"))) < 1:
            assert process.poll() is None, "finished before it could be killed"
            time.sleep(0.002)
        process.kill()
    assert not any(out.iterdir())
    assert len(list(tmp_path.iterdir())) == 2  # what the dead left, until the next write
    main(["convert", *SMALL, "format=nwb", f"out={out}"])
    assert [p.name for p in tmp_path.iterdir()] == ["nwb"]
    assert sorted(p.name for p in out.iterdir()) == ["session01.nwb", "session02.nwb"]


def test_a_folder_of_half_files_is_no_recording(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / ".session01.0123abcd-1.partial.nwb").write_bytes(b"half")
    with pytest.raises(SystemExit) as stop:
        main(["inspect", "recording=nwb", f"recording.path={tmp_path}"])
    assert stop.value.code == 2
    assert str(tmp_path) in capsys.readouterr().err.replace("\n", "")
