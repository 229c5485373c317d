"""convert and inspect, on recordings of every kind, as a user types them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mua_decode.commands.main import main
from mua_decode.recordings import read_native, read_nwb, write_recording
from mua_decode.types import Recording
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
        (["out=folder"], "folder is a folder; format=native writes a file"),
        (["out=file", "format=nwb"], "file is a file; format=nwb writes one per session"),
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
