"""One film and nothing else: files without trials, templates, a row per frame."""

from __future__ import annotations

import shlex
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pynwb import NWBHDF5IO, NWBFile
from pynwb.epoch import TimeIntervals
from pynwb.image import ImageSeries
from pynwb.misc import Units

from mua_decode.commands.main import main
from mua_decode.recordings import VideoSource, read_nwb
from mua_decode.recordings.nwb import nwb_contents
from mua_decode.types import InputError

FRAMES = np.repeat(np.arange(0, 200, 10, dtype=np.uint8), 25).reshape(20, 5, 5)
START_S, STEP_S = 30.0, 0.1


def write(
    path: Path, *, template: bool = False, by_frame: int = 0, times: bool = False, **given: Any
) -> Path:
    """A film of 2 s, shown from 30 s on, and units in V1; with a row per frame, or no table."""
    nwb = NWBFile("film", "monkey", datetime(2024, 1, 1, tzinfo=UTC))
    group = nwb.create_electrode_group("V1", "array", "V1", nwb.create_device(name="array"))
    nwb.add_electrode(location="V1", group=group)
    for unit in range(3):
        train = np.sort(np.random.default_rng(unit).uniform(0, 60, 900))
        nwb.add_unit(spike_times=train, electrodes=[0])
    clock: dict[str, Any] = {"rate": 1 / STEP_S, "starting_time": 0.0 if template else START_S}
    clock |= {"rate": 1 / STEP_S} | given
    clock = {"timestamps": np.arange(20.0)} if times else clock
    film = ImageSeries(name="movie", data=FRAMES, unit="grey", format="raw", **clock)
    (nwb.add_stimulus_template if template else nwb.add_stimulus)(film)
    if by_frame:
        rows = TimeIntervals(name="movie_presentations", description="a row per frame")
        rows.add_column("stimulus_name", "which")
        rows.add_column("frame", "number")
        for k in range(by_frame * 20):
            begin = START_S + k * STEP_S
            rows.add_row(
                start_time=begin, stop_time=begin + STEP_S, stimulus_name="one", frame=float(k % 20)
            )
        nwb.add_time_intervals(rows)
    with NWBHDF5IO(str(path), "w") as file:
        file.write(nwb)
    return path


def next_of(shown: str) -> list[str]:
    return shlex.split(shown.rsplit("next: mua-decode ", 1)[1])


def test_all_trials_show_the_same_film_where_no_column_tells_them_apart(tmp_path: Path) -> None:
    path = write(tmp_path / "a.nwb")
    (tmp_path / "t.csv").write_text("start_time,stop_time\n30,32\n")
    options: dict[str, Any] = {"trials": str(tmp_path / "t.csv")}
    with pytest.raises(InputError, match=r"condition is not set; .*; or \[\] where all trials"):
        read_nwb(str(path), **options)
    found = read_nwb(str(path), condition=[], videos=VideoSource(series="movie"), **options)
    assert found.stimuli.names == ["film"]
    assert found.stimuli.videos[0, :, 0, 0, 0].tolist() == FRAMES[:, 0, 0].tolist()


def test_inspect_leads_from_a_bare_film_to_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "a.nwb")
    main(["inspect", "recording=nwb", f"recording.path={path}"])
    first = capsys.readouterr().out
    assert "no table of intervals, so no trials" in first
    (tmp_path / "t.csv").write_text("start_time,stop_time\n30,32\n")
    table = f"recording.trials={tmp_path / 't.csv'}"
    main(["inspect", "recording=nwb", f"recording.path={path}", table])
    with_trials = capsys.readouterr().out
    assert "t.csv: 1 rows, 30.0 to 32.0 s" in with_trials
    assert "no table of intervals" not in with_trials
    main(next_of(with_trials))
    command = next_of(capsys.readouterr().out)
    assert command[0] == "train"
    assert command[-2:] == ["experiment=continuous", "data.split.unit=block"]
    assert table in command


@pytest.mark.parametrize("times", [False, True], ids=["rate", "numbers of frames"])
def test_a_template_begins_with_every_trial(tmp_path: Path, times: bool) -> None:
    path = write(tmp_path / "a.nwb", template=True, by_frame=3, times=times)
    options: dict[str, Any] = {
        "trials": "movie_presentations", "where": {"frame": 0}, "condition": [], "duration_s": 2.0,
    }  # fmt: skip
    videos = VideoSource(series="movie", frame_s=STEP_S if times else None)
    found = read_nwb(str(path), videos=videos, **options)
    assert found.stimuli.frame_s == STEP_S
    assert found.stimuli.videos[0, :, 0, 0, 0].tolist() == FRAMES[:, 0, 0].tolist()
    assert found.sessions[0].n_trials == 3
    later = read_nwb(str(path), videos=videos, **options | {"offset_s": 1.0, "duration_s": 1.0})
    assert later.stimuli.videos[0, :, 0, 0, 0].tolist() == FRAMES[10:, 0, 0].tolist()
    with pytest.raises(InputError, match=r"spans 0 to 1.9 s, but a trial needs frames from 0.05"):
        read_nwb(str(path), videos=videos, **options | {"duration_s": 4.0})


def test_a_template_with_times_of_the_session_is_what_was_on_screen(tmp_path: Path) -> None:
    path = write(tmp_path / "a.nwb", template=True, by_frame=1, starting_time=START_S)
    found = read_nwb(
        str(path), trials="movie_presentations", where={"frame": 10}, condition=[],
        duration_s=0.5, videos=VideoSource(series="movie"),
    )  # fmt: skip
    assert found.stimuli.videos[0, :, 0, 0, 0].tolist() == FRAMES[10:15, 0, 0].tolist()


def test_rows_of_frames_are_told_from_trials(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "a.nwb", template=True, by_frame=4)
    main(["inspect", "recording=nwb", f"recording.path={path}"])
    command = next_of(capsys.readouterr().out)
    assert "recording.where={frame: 0}" in command
    assert "recording.duration_s=2" in command
    main(command)
    shown = capsys.readouterr().out
    assert "4 of 80 rows are trials (frame=0)" in shown
    assert next_of(shown)[-1] == "experiment=continuous"  # four times: no block


def test_what_was_given_is_not_called_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "a.nwb", by_frame=1)
    with pytest.raises(SystemExit):
        main(
            ["inspect", "recording=nwb", f"recording.path={path}", "recording.condition=[stimulus]",
             "recording.trials=movie_presentations"]
        )  # fmt: skip
    shown = capsys.readouterr()
    assert "did you mean 'stimulus_name'" in shown.err
    assert "missing:" not in shown.out


def test_units_of_a_processing_module_are_those_of_a_file_without_its_own(tmp_path: Path) -> None:
    def units_in(path: Path, *, module: bool) -> Path:
        nwb = NWBFile("sorted", "monkey", datetime(2024, 1, 1, tzinfo=UTC))
        table = Units(name="units" if not module else "sorted_units", description="sorted")
        table.add_column("location", "region")
        for unit in range(2):
            train = np.sort(np.random.default_rng(unit).uniform(0, 10, 50))
            table.add_unit(
                spike_times=train, obs_intervals=np.array([[0.0, 6.0]]), location=f"V{unit + 1}"
            )
        if module:
            nwb.create_processing_module("ecephys", "spikes").add(table)
        else:
            nwb.units = table
        for k in range(4):
            nwb.add_trial(start_time=2.0 * k, stop_time=2.0 * k + 2)
        with NWBHDF5IO(str(path), "w") as file:
            file.write(nwb)
        return path

    blank: dict[str, Any] = {"condition": [], "videos": VideoSource(stand_in="blank")}
    own = read_nwb(str(units_in(tmp_path / "a.nwb", module=False)), **blank).sessions[0]
    (found,) = nwb_contents(str(units_in(tmp_path / "b.nwb", module=True)))
    assert found.regions == {"V1": 1, "V2": 1}
    session = read_nwb(str(tmp_path / "b.nwb"), **blank).sessions[0]
    assert session.sites.region.tolist() == ["V1", "V2"]
    np.testing.assert_array_equal(session.spike_times.time_s, own.spike_times.time_s)
    assert session.spike_times.observed.tolist() == [[True] * 2] * 3 + [[False] * 2]
