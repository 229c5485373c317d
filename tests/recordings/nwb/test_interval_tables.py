"""Files of other laboratories: no trials table, several tables, bytes, nothing that says where."""

from __future__ import annotations

import functools
import http.server
import io
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import h5py
import imageio.v3 as iio
import numpy as np
import pytest
from pynwb import NWBHDF5IO, NWBFile
from pynwb.epoch import TimeIntervals
from pynwb.image import ImageSeries
from rich.console import Console

from mua_decode.commands.main import main
from mua_decode.data import DecodingData, PseudoTrialPlan, SplitPlan, Window
from mua_decode.recordings import VideoSource, read_nwb
from mua_decode.recordings.inspect import sites_table
from mua_decode.recordings.nwb import nwb_contents
from mua_decode.types import InputError, LeakState, Recording
from tests.conftest import make_session, make_stimuli
from tests.recordings.trying import type_next

BLANK = VideoSource(stand_in="blank", frame_size=4)


def write(path: Path, *, films: bool = False, units: bool = True, peak: bool = False) -> Path:
    """Gratings and a movie each in a table of its own, epochs with tags, no trials table."""
    nwb = NWBFile("test", "mouse", datetime(2020, 1, 1, tzinfo=UTC), session_id="m1")
    device = nwb.create_device(name="probe")
    group = nwb.create_electrode_group("g", "probe", "brain", device)
    for place in ("VISp", "LGd", "VISp"):
        nwb.add_electrode(location=place, group=group)
    gratings = TimeIntervals(name="gratings_presentations", description="each grating once")
    gratings.add_column("orientation", "degrees")
    movie = TimeIntervals(name="movie_presentations", description="a row a frame")
    for name in ("stimulus_name", "frame"):
        movie.add_column(name, name)
    for k in range(8):
        gratings.add_row(start_time=20.0 + k, stop_time=21.0 + k, orientation=45.0 * k)
    for k in range(12):
        movie.add_row(
            start_time=float(k), stop_time=k + 1.0, stimulus_name=b"clip.mp4", frame=k % 4
        )
    nwb.add_time_intervals(gratings)
    nwb.add_time_intervals(movie)
    nwb.add_epoch(start_time=0.0, stop_time=12.0, tags=["movie", "first"])
    nwb.add_epoch(start_time=20.0, stop_time=32.0, tags=["gratings"])
    if peak:
        nwb.add_unit_column("peak_channel_id", "electrode")
    for unit in range(3 if units else 0):
        train = np.sort(np.random.default_rng(unit).uniform(0, 32, 300))
        nwb.add_unit(spike_times=train, **({"peak_channel_id": unit} if peak else {}))
    if films:
        nwb.add_stimulus(
            ImageSeries(
                name="shown", external_file=["clip.mp4", "other.mp4"], format="external",
                starting_frame=[0, 5], timestamps=[0.0, 1.0], unit="grey",
            )
        )  # fmt: skip
    with NWBHDF5IO(str(path), "w") as file:
        file.write(nwb)
    return path


def read(path: Path, **options: Any) -> Any:
    return read_nwb(str(path), everywhere="V1", videos=BLANK, **options)


def test_any_table_and_rows_of_it_are_trials(tmp_path: Path) -> None:
    path = write(tmp_path / "a.nwb")
    gratings = read(path, trials="gratings_presentations", condition="orientation")
    assert gratings.stimuli.names == ["0", "45", "90", "135", "180", "225", "270", "315"]
    assert gratings.sessions[0].spike_times.duration_s == 1.0
    movie = read(
        path, trials="movie_presentations", where={"frame": 0}, duration_s=4.0,
        condition="stimulus_name",
    )  # fmt: skip
    assert movie.stimuli.names == ["clip.mp4"]  # bytes in the file
    assert movie.sessions[0].trials["start_time"].tolist() == [0.0, 4.0, 8.0]
    assert "3 of 12 rows are trials (frame=0)" in movie.notes[1]
    epochs = read(path, trials="epochs", condition="tags", duration_s=10.0)
    assert epochs.stimuli.names == ["gratings", "movie,first"]
    both = read(path, trials=["gratings_*", "movie_*"], condition="interval_table")
    assert both.stimuli.names == ["gratings_presentations", "movie_presentations"]
    starts = both.sessions[0].trials["start_time"]
    assert len(starts) == 20
    assert starts.is_monotonic_increasing


def test_trials_of_a_file_without_any_come_from_a_csv(tmp_path: Path) -> None:
    nwb = NWBFile("test", "monkey", datetime(2020, 1, 1, tzinfo=UTC))
    nwb.add_unit(spike_times=np.arange(0, 10, 0.5))
    with NWBHDF5IO(str(tmp_path / "a.nwb"), "w") as file:
        file.write(nwb)
    with pytest.raises(InputError, match=r"no other table of intervals; .*recording.trials=FILE"):
        read(tmp_path / "a.nwb", condition="k")
    (tmp_path / "t.csv").write_text("start_time,stop_time,k\n0,2,1\n3,5,2\n")
    found = read(tmp_path / "a.nwb", trials=str(tmp_path / "t.csv"), condition="k")
    assert found.sessions[0].spike_times.duration_s == 2.0
    assert len(found.sessions[0].spike_times.time_s) == 8
    (bare,) = nwb_contents(str(tmp_path / "a.nwb"))
    assert "recording.trials=FILE.csv" in bare.command


def test_tables_that_exist_are_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.nwb")
    some = r"recording.trials=NAME: epochs \(2\), gratings_presentations \(8\), movie_pres"
    with pytest.raises(InputError, match=f"no trials table.*{some}"):
        read(path, condition="orientation")
    with pytest.raises(InputError, match=r"no interval table 'epoch' \(did you mean 'epochs'"):
        read(path, trials="epoch", condition="tags")
    with pytest.raises(InputError, match=r"where.frame=9 matches no row; found: 0, 1, 2, 3"):
        read(path, trials="movie_presentations", where={"frame": 9}, condition="frame")


def test_units_lie_where_their_peak_electrode_does_or_where_the_user_says(tmp_path: Path) -> None:
    options: dict[str, Any] = {
        "trials": "gratings_presentations", "condition": "orientation", "videos": BLANK
    }  # fmt: skip
    path = write(tmp_path / "a.nwb", peak=True)
    assert read_nwb(str(path), **options).sites.region.tolist() == ["VISp", "LGd", "VISp"]
    path = write(tmp_path / "b.nwb")
    with pytest.raises(InputError, match=r"or recording.everywhere=REGION for all units"):
        read_nwb(str(path), **options)
    assert read_nwb(str(path), everywhere="V1", **options).sites.regions == ["V1"]


def test_films_named_by_a_condition_and_films_that_are_missing(tmp_path: Path) -> None:
    path = write(tmp_path / "a.nwb", films=True)
    options: dict[str, Any] = {
        "trials": "movie_presentations", "where": {"frame": 0}, "duration_s": 2.0,
        "condition": "stimulus_name", "everywhere": "V1",
        "videos": VideoSource(frame_s=0.5, frame_size=16, grey=True),
    }  # fmt: skip
    with pytest.raises(InputError, match=r"no such external file: .*clip.mp4, .*\(2 of 2 missing"):
        read_nwb(str(path), **options)
    for name, grey in (("clip", 200), ("other", 50)):
        frames = np.full((7, 32, 32, 3), grey, np.uint8)
        iio.imwrite(tmp_path / f"{name}.mp4", frames, fps=10, plugin="FFMPEG", macro_block_size=16)
    stimuli = read_nwb(str(path), **options).stimuli
    assert stimuli.n_frames == 4  # up to the end of the trial
    assert abs(int(stimuli.videos.mean()) - 200) <= 3


def test_contents_say_what_is_there_and_what_is_missing(tmp_path: Path) -> None:
    (found,) = nwb_contents(str(write(tmp_path / "a.nwb", films=True, peak=True)))
    assert found.regions == {"LGd": 1, "VISp": 2}
    assert [e.name for e in found.events] == [
        "epochs", "gratings_presentations", "movie_presentations"
    ]  # fmt: skip
    assert found.columns["electrodes"][0] == "location"
    assert any("2 of 2 external files of shown: clip.mp4" in m for m in found.missing)
    (bare,) = nwb_contents(str(write(tmp_path / "b.nwb", units=False)))
    assert any("no units" in m for m in bare.missing)


def test_inspect_needs_a_path_alone_and_its_next_command_works(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "a.nwb")
    main(["inspect", "recording=nwb", f"recording.path={path}"])
    shown = capsys.readouterr().out
    assert "missing: no videos in the file" in shown
    assert "gratings_presentations: 8 rows" in shown
    type_next(shown)
    assert "blank pictures stand in" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["inspect", "recording=nwb", f"recording.path={path}", "recording.condition=[x]"])


def test_version_1_is_named_as_such(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "old.nwb", "w") as file:
        file["nwb_version"] = "NWB-1.0.6"
        file.create_group("epochs")
    with pytest.raises(InputError, match=r"old.nwb: is an NWB 1 file \(NWB-1.0.6\)"):
        read(tmp_path / "old.nwb", condition="x")


class _Ranges(http.server.SimpleHTTPRequestHandler):
    """Serves parts of files, as every store of recordings does."""

    def do_GET(self) -> None:
        data = Path(self.translate_path(self.path)).read_bytes()
        wanted = self.headers.get("Range")
        first, last = 0, len(data) - 1
        if wanted:
            a, b = wanted.removeprefix("bytes=").split("-")
            first, last = int(a), min(int(b or last), last)
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Range", f"bytes {first}-{last}/{len(data)}")
        self.send_header("Content-Length", str(last - first + 1))
        self.send_header("Accept-Ranges", "bytes")
        self.end_headers()
        self.wfile.write(data[first : last + 1])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    write(tmp_path / "a.nwb")
    handler = functools.partial(_Ranges, directory=str(tmp_path))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/a.nwb"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("library", ["fsspec", "remfile"])
def test_an_address_is_read_only_where_that_is_asked_for(address: str, library: str) -> None:
    pytest.importorskip("aiohttp" if library == "fsspec" else "remfile")
    options: dict[str, Any] = {
        "trials": "gratings_presentations", "condition": "orientation", "videos": BLANK,
        "everywhere": "V1",
    }  # fmt: skip
    with pytest.raises(InputError, match=r"is an address, and nothing is fetched unless"):
        read_nwb(address, **options)
    found = read_nwb(address, stream=library, **options)
    assert found.sessions[0].n_trials == 8
    if library == "fsspec":  # remfile tries again for half a minute
        with pytest.raises(InputError, match="cannot be read"):
            read_nwb(address.replace("a.nwb", "b.nwb"), stream=library, **options)
    with pytest.raises(InputError, match="expected one http"):
        read_nwb(f"simplecache::{address}", stream=library, **options)


def test_many_regions_are_rows_of_a_narrow_table() -> None:
    stimuli = make_stimuli()
    regions = tuple(f"region{k:02d}" for k in range(18))
    sessions = tuple(make_session(n, stimuli, regions=regions) for n in ("a", "bb"))
    recording = Recording(name="r", sessions=sessions, stimuli=stimuli)
    screen = Console(width=80, record=True, file=io.StringIO())
    screen.print(sites_table(recording))
    lines = screen.export_text().splitlines()
    assert [line.split() for line in lines if "region17" in line] == [["region17", "1", "1", "2"]]
    assert ["all", "18", "18", "36"] in [line.split() for line in lines]


@pytest.mark.data
def test_real_clips_shown_once_are_inspected_and_split(
    real_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = real_data / "human_clips_nwb" / "sub-4_ses-4.nwb"
    main(["inspect", "recording=nwb", f"recording.path={path}"])
    shown = capsys.readouterr().out
    assert "missing: 90 of 90 external files of StimulusPresentation_encoding" in shown
    assert "recording.trials=encoding_table 'recording.condition=[Clip_name]'" in shown
    options: dict[str, Any] = {"trials": "encoding_table", "condition": "Clip_name"}
    with pytest.raises(InputError, match=r"no such external file: .*\(90 of 90 missing"):
        read_nwb(str(path), videos=VideoSource(frame_s=0.1), **options)
    recording = read_nwb(str(path), videos=BLANK, **options)
    assert (recording.sessions[0].n_trials, len(recording.sites)) == (90, 35)
    data = DecodingData(
        recording,
        window=Window(width_s=0.5, step_s=0.5),
        split=SplitPlan(unit="condition"),
        pseudo=PseudoTrialPlan(draw="recorded"),
    )
    assert [len(data.dataset(p)) for p in ("train", "val", "test")] == [63, 9, 18]
    assert data.leaks is LeakState.FREE
