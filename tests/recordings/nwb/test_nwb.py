"""NWB files as other laboratories write them, with pynwb."""

from __future__ import annotations

import socket
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import h5py
import imageio.v3 as iio
import numpy as np
import pandas as pd
import pytest
from nwbinspector import Importance, inspect_nwbfile
from pynwb import NWBHDF5IO, NWBFile
from pynwb.base import Images
from pynwb.file import Subject
from pynwb.image import GrayscaleImage, ImageSeries, IndexSeries, OpticalSeries

from mua_decode.recordings import VideoSource, read_nwb, write_nwb
from mua_decode.recordings.nwb import spikes as nwb_spikes
from mua_decode.types import InputError, Recording, Session, StimulusSet
from tests.conftest import make_session, make_stimuli

CUE_S, TRIAL_S, N_TRIALS = 0.7, 4.0, 8
GREY = {"A 90": 40, "A -30": 80, "B 90": 120, "B -30": 160}
OPTIONS: dict[str, Any] = {
    "condition": ["cue", "direction_deg"],
    "align": "cue_onset",
    "offset_s": -0.5,
    "duration_s": 1.0,
}


def spike_trains(n: int = 3) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [np.sort(rng.uniform(0, N_TRIALS * TRIAL_S, 2000)) for _ in range(n)]


def write(
    path: Path,
    add: Callable[[NWBFile], None] | None = None,
    *,
    trains: list[np.ndarray] | None = None,
    session: str | None = "day1",
) -> Path:
    """Eight trials of two cues and two directions, three units on two electrodes."""
    nwb = NWBFile("test", "id", datetime(2020, 1, 1, tzinfo=UTC), session_id=session)
    nwb.subject = Subject(subject_id="M1", species="Macaca mulatta", age="P7Y", sex="M")
    device = nwb.create_device(name="array")
    group = nwb.create_electrode_group("g", "array", "V4", device)
    for place in ("V4", "MT"):
        nwb.add_electrode(location=place, group=group)
    for name in ("cue_onset", "cue", "direction_deg", "aborted"):
        nwb.add_trial_column(name, name)
    for trial in range(N_TRIALS):
        nwb.add_trial(
            start_time=trial * TRIAL_S,
            stop_time=trial * TRIAL_S + 3,
            cue_onset=trial * TRIAL_S + CUE_S if trial != 6 else np.nan,
            cue="AB"[trial % 2],
            direction_deg=[90.0, -30.0][trial // 2 % 2],
            aborted=trial == 5,
        )
    for unit, times in enumerate(spike_trains() if trains is None else trains):
        nwb.add_unit(spike_times=times, electrodes=[unit % 2])
    if add is not None:
        add(nwb)
    with NWBHDF5IO(str(path), "w") as io:
        io.write(nwb)
    return path


def named_series(nwb: NWBFile) -> None:
    """One series per condition, named after it."""
    for name, grey in GREY.items():
        frames = np.full((10, 6, 8), grey, np.uint8)
        nwb.add_stimulus_template(ImageSeries(name=name, data=frames, unit="grey", rate=10.0))


def greys(stimuli: StimulusSet) -> dict[str, int]:
    return dict(zip(stimuli.names, stimuli.videos[:, 0, 0, 0, 0].tolist(), strict=True))


def test_spikes_are_aligned_and_trials_without_an_event_left_out(tmp_path: Path) -> None:
    path = write(tmp_path / "a.nwb", named_series)
    recording = read_nwb(str(path), bad_trial="aborted", **OPTIONS)
    (session,) = recording.sessions
    kept = [0, 1, 2, 3, 4, 7]
    assert session.name == "day1"
    assert set(session.sites.subject) == {"M1"}
    assert session.sites.region.tolist() == ["V4", "MT", "V4"]
    assert session.trials["cue"].tolist() == ["AB"[t % 2] for t in kept]
    spikes = session.spike_times
    assert spikes is not None
    for row, trial in enumerate(kept):
        start = trial * TRIAL_S + CUE_S - 0.5
        for unit, train in enumerate(spike_trains()):
            expected = train[(train >= start) & (train < start + 1.0)] - start
            found = spikes.time_s[(spikes.trial == row) & (spikes.site == unit)]
            np.testing.assert_allclose(np.sort(found), expected)
    names = [recording.stimuli.names[k] for k in session.condition]
    assert names == [f"{'AB'[t % 2]} {[90, -30][t // 2 % 2]}" for t in kept]
    assert greys(recording.stimuli) == GREY
    assert recording.stimuli.videos.shape == (4, 10, 1, 6, 8)
    assert recording.stimuli.frame_s == pytest.approx(0.1)
    assert recording.stimuli.conditions["direction_deg"].tolist() == [-30, 90, -30, 90]
    assert any("1 of 8 trials left out as bad" in n for n in recording.notes)
    assert any("1 of 8 trials left out: cue_onset, cue" in n for n in recording.notes)


def test_blocks_give_what_whole_trains_give(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Overlapping trials across small blocks, in which most blocks are never read."""
    path = write(tmp_path / "a.nwb", named_series)
    whole = read_nwb(str(path), **{**OPTIONS, "duration_s": 6.0}).sessions[0].spike_times
    monkeypatch.setattr(nwb_spikes, "_BLOCK", 37)
    parts = read_nwb(str(path), **{**OPTIONS, "duration_s": 6.0}).sessions[0].spike_times
    assert whole is not None
    assert parts is not None
    keys = [np.lexsort((s.time_s, s.trial, s.site)) for s in (whole, parts)]
    for name in ("time_s", "trial", "site"):
        np.testing.assert_array_equal(getattr(whole, name)[keys[0]], getattr(parts, name)[keys[1]])


def test_blocks_outside_trials_are_not_read() -> None:
    class Counted:
        def __init__(self, times: np.ndarray) -> None:
            self.times, self.read = times, 0

        def __getitem__(self, key: Any) -> Any:
            found = self.times[key]
            self.read += np.size(found)
            return found

    times = Counted(np.linspace(0, 1000, 40 * nwb_spikes._BLOCK))
    inside, row = nwb_spikes._within(times, 0, len(times.times), np.array([500.0]), 1.0, "unit")
    assert len(inside) == pytest.approx(40 * nwb_spikes._BLOCK / 1000, rel=0.01)
    assert not row.any()
    assert times.read <= 3 * nwb_spikes._BLOCK


def test_series_shown_throughout_is_cut_by_trial(tmp_path: Path) -> None:
    """One OpticalSeries with a timestamp per flip; each trial has its own grey."""

    def add(nwb: NWBFile) -> None:
        times = np.arange(0, N_TRIALS * TRIAL_S, 0.1)
        trial = (times / TRIAL_S + 1e-9).astype(int)
        grey = np.array([GREY[f"{'AB'[t % 2]} {[90, -30][t // 2 % 2]}"] for t in trial])
        frames = np.repeat(grey[:, None, None, None], 3, axis=3).astype(np.uint8)
        frames = np.broadcast_to(frames, (len(times), 4, 4, 3)).copy()
        frames[:, 0, 0, 0] = np.round((times - trial * TRIAL_S) * 10)  # frame since trial start
        nwb.add_stimulus(
            OpticalSeries(
                name="screen", data=frames, unit="grey", timestamps=times, distance=0.5,
                field_of_view=[0.3, 0.3], orientation="up",
            )
        )  # fmt: skip

    path = write(tmp_path / "a.nwb", add)
    videos = VideoSource(series="screen")
    stimuli = read_nwb(str(path), videos=videos, **OPTIONS).stimuli
    assert stimuli.videos.shape == (4, 10, 3, 4, 4)
    assert dict(zip(stimuli.names, stimuli.videos[:, 0, 1, 2, 2].tolist(), strict=True)) == GREY
    # The trial starts 0.2 s after start_time: the frame that began then is the first.
    assert stimuli.videos[0, :, 0, 0, 0].tolist() == list(range(2, 12))
    with pytest.raises(InputError, match=r"no stimulus series 'scren' \(did you mean 'screen'"):
        read_nwb(str(path), videos=VideoSource(series="scren"), **OPTIONS)


def test_series_of_indices_into_pictures(tmp_path: Path) -> None:
    def add(nwb: NWBFile) -> None:
        from pynwb.base import ImageReferences

        pictures = [
            GrayscaleImage(name=f"p{i}", data=np.full((5, 5), g, np.uint8))
            for i, g in enumerate(GREY.values())
        ]
        images = Images(
            name="pictures", images=pictures,
            order_of_images=ImageReferences(name="order_of_images", data=pictures),
        )  # fmt: skip
        nwb.add_stimulus_template(images)
        shown = [list(GREY).index(f"{'AB'[t % 2]} {[90, -30][t // 2 % 2]}") for t in range(8)]
        times = np.arange(8) * TRIAL_S
        nwb.add_stimulus(
            IndexSeries(
                name="flips", data=np.array(shown, np.uint32), unit="N/A",
                indexed_images=images, timestamps=times,
            )
        )  # fmt: skip

    path = write(tmp_path / "a.nwb", add)
    videos = VideoSource(series="flips", frame_s=1.0)
    assert greys(read_nwb(str(path), videos=videos, **OPTIONS).stimuli) == GREY


@pytest.mark.parametrize("absolute", [False, True])
def test_external_film_beside_the_file(tmp_path: Path, absolute: bool) -> None:
    films = {}
    place = tmp_path / "elsewhere" if absolute else tmp_path
    place.mkdir(exist_ok=True)
    for name, grey in GREY.items():
        films[name] = f"{place}/" * absolute + f"{name.replace(' ', '_')}.mp4"
        frames = np.full((10, 32, 32, 3), grey, np.uint8)
        iio.imwrite(tmp_path / films[name], frames, fps=10, plugin="FFMPEG", macro_block_size=16)

    def add(nwb: NWBFile) -> None:
        for name, film in films.items():
            nwb.add_stimulus_template(
                ImageSeries(
                    name=name, external_file=[film], format="external", starting_frame=[0],
                    timestamps=np.arange(10) * 0.1, unit="grey",
                )
            )  # fmt: skip

    path = write(tmp_path / "a.nwb", add)
    stimuli = read_nwb(str(path), videos=VideoSource(frame_size=16, grey=True), **OPTIONS).stimuli
    assert stimuli.videos.shape == (4, 10, 1, 16, 16)
    for name, grey in greys(stimuli).items():
        assert abs(grey - GREY[name]) <= 3  # films are compressed
    (tmp_path / films["A 90"]).unlink()
    with pytest.raises(InputError, match=r"series 'A 90': no such external file"):
        read_nwb(str(path), **OPTIONS)


@pytest.mark.parametrize(
    "address",
    [
        "http://localhost:PORT/film.mp4",
        "https://localhost:PORT/film.mp4",
        "ftp://localhost:PORT/a.gif",
        "file://localhost:PORT/a.png",
        "rtsp://localhost:PORT/a.avi",
        "concat:tcp://localhost:PORT|a.mp4",
    ],
)
def test_addresses_are_not_fetched(tmp_path: Path, address: str) -> None:
    server = socket.create_server(("localhost", 0))
    server.settimeout(0.2)
    address = address.replace("PORT", str(server.getsockname()[1]))

    def add(nwb: NWBFile) -> None:
        for name in GREY:
            nwb.add_stimulus_template(
                ImageSeries(
                    name=name, external_file=[address], format="external",
                    starting_frame=[0], timestamps=np.arange(3) * 0.1, unit="grey",
                )
            )  # fmt: skip

    with pytest.raises(InputError, match="no such external file"):
        read_nwb(str(write(tmp_path / "a.nwb", add)), **OPTIONS)
    with server, pytest.raises(TimeoutError):  # nobody asked
        server.accept()


def test_folder_of_videos_and_several_sessions(tmp_path: Path) -> None:
    for day in ("day1", "day2"):
        write(tmp_path / f"{day}.nwb", session=day)
    shown = tmp_path / "videos"
    shown.mkdir()
    for name, grey in GREY.items():
        np.save(shown / f"{name}.npy", np.full((10, 6, 6), grey, np.uint8))
    videos = VideoSource(
        folder=str(shown), frame_s=0.1, segments=[["early", 4, 1.0], ["late", 6, 2.0]]
    )
    recording = read_nwb(str(tmp_path), videos=videos, **OPTIONS)
    assert [s.name for s in recording.sessions] == ["day1", "day2"]
    write(tmp_path / "day2.nwb", session="day1")
    with pytest.raises(InputError, match="session names repeat"):
        read_nwb(str(tmp_path), videos=videos, **OPTIONS)
    write(tmp_path / "day2.nwb", session=None)
    recording = read_nwb(str(tmp_path), videos=videos, **OPTIONS)
    assert [s.name for s in recording.sessions] == ["day1", "day2"]
    assert greys(recording.stimuli) == GREY
    assert [s.stop for s in recording.stimuli.segments] == [4, 10]


def test_trials_matched_to_a_given_stimulus_set(tmp_path: Path) -> None:
    table = pd.DataFrame(
        {"name": list("wxyz"), "shape": ["cross", "cross", "disc", "disc"]}
    ).assign(direction_deg=[90.0, 330.0, 90.0, 330.0])
    given = make_stimuli(4)
    stimuli = StimulusSet(given.videos, given.condition, table, given.segments, given.frame_s)
    path = write(tmp_path / "a.nwb")
    options = {**OPTIONS, "condition": None, "stimuli": stimuli}
    match = {"shape": "cue", "direction_deg": "direction_deg"}
    codes = {"shape": {"A": "cross", "B": "disc"}}
    session = read_nwb(str(path), match=match, codes=codes, **options).sessions[0]
    assert session.condition.tolist() == [0, 2, 1, 3, 0, 2, 3]
    with pytest.raises(InputError, match=r"cue A has no 'shape' among the videos \(cross, disc\)"):
        read_nwb(str(path), match=match, **options)


def missing_trials(file: h5py.File) -> None:
    del file["intervals/trials"]


def missing_units(file: h5py.File) -> None:
    del file["units"]


def negative(file: h5py.File) -> None:
    file["units/spike_times"][0] = -2.0


def unsorted(file: h5py.File) -> None:
    times = file["units/spike_times"][()]
    times[[100, 900]] = times[[900, 100]]
    file["units/spike_times"][...] = times


def bad_index(file: h5py.File) -> None:
    file["units/spike_times_index"][-1] = 10**4


def short_column(file: h5py.File) -> None:
    column = file["intervals/trials/cue_onset"]
    values, about = column[()][:-3], dict(column.attrs)
    del file["intervals/trials/cue_onset"]  # not every version writes one that can be resized
    file["intervals/trials/cue_onset"] = values
    file["intervals/trials/cue_onset"].attrs.update(about)


def same_units_twice(file: h5py.File) -> None:
    file["units/id"][1] = file["units/id"][0]


def no_version(file: h5py.File) -> None:
    del file.attrs["nwb_version"]


def no_session_start(file: h5py.File) -> None:
    del file["session_start_time"]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (missing_trials, "has no trials table"),
        (missing_units, "has no units table"),
        (negative, r"unit 0: negative spike time -2 s"),
        (unsorted, "unit 0: spike times are not in order"),
        (bad_index, r"spike_times_index .* does not fit 3 units with 6000 spikes"),
        (short_column, "not a complete NWB file: root/intervals/trials: .*same length"),
        (same_units_twice, "duplicate site id"),
        (no_version, "not an NWB file"),
        (no_session_start, "not a complete NWB file"),
    ],
)
def test_damaged_files_are_named(
    tmp_path: Path, damage: Callable[[h5py.File], None], message: str
) -> None:
    path = write(tmp_path / "a.nwb", named_series)
    with h5py.File(path, "a") as file:
        damage(file)
    with pytest.raises(InputError, match=f"a.nwb.*{message}") as caught:
        read_nwb(str(path), **OPTIONS)
    assert "\n" not in str(caught.value)


def test_other_files_and_wrong_names_are_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.nwb", named_series)
    for change, message in (
        ({"align": "cue_onse"}, r"no column 'cue_onse' \(did you mean 'cue_onset'\?\)"),
        ({"condition": ["colour"]}, "has no column 'colour'"),
        ({"condition": None}, r"recording.condition is not set; name .* cue_onset, cue"),
        ({"align": "cue"}, "'cue' must hold seconds"),
        ({"bad_trial": "direction_deg"}, "must hold true or false"),
        ({"region": "locatoin"}, r"no.* have a column 'locatoin' \(did you mean 'location'"),
        ({"duration_s": -1.0}, "duration_s: expected seconds > 0"),
        ({"videos": VideoSource(segments=[["a", 3, 1.0]])}, "cover 3 frames, but .* have 10"),
    ):
        with pytest.raises(InputError, match=message):
            read_nwb(str(path), **{**OPTIONS, **change})
    (tmp_path / "text.nwb").write_text("no")
    with pytest.raises(InputError, match="not an HDF5 file"):
        read_nwb(str(tmp_path / "text.nwb"), **OPTIONS)
    (tmp_path / "cut.nwb").write_bytes(path.read_bytes()[:20000])
    with pytest.raises(InputError, match=r"cut.nwb: cannot be read, it is truncated"):
        read_nwb(str(tmp_path / "cut.nwb"), **OPTIONS)
    with pytest.raises(InputError, match=r"no such file"):
        read_nwb(str(tmp_path / "none.nwb"), **OPTIONS)
    with pytest.raises(InputError, match=r"recording\.path is not set"):
        read_nwb(None, **OPTIONS)


@pytest.mark.filterwarnings("ignore:An attribute 'name' already exists")
def test_written_files_have_no_critical_finding(recording: Recording, tmp_path: Path) -> None:
    files = write_nwb(recording, tmp_path, species="Macaca mulatta")
    assert [f.name for f in files] == ["s0.nwb", "s1.nwb", "s2.nwb"]
    found = list(inspect_nwbfile(files[0], importance_threshold=Importance.CRITICAL))
    assert [f.message for f in found if f is not None] == []
    assert sorted(p.name for p in tmp_path.iterdir()) == ["s0.nwb", "s1.nwb", "s2.nwb"]


def test_what_is_no_spikes_is_not_written(recording: Recording, tmp_path: Path) -> None:
    stimuli = recording.stimuli
    first = make_session("s0", stimuli)
    assert first.counts is not None
    for counts, window_s, message in (
        (first.counts + 0.5, 0.1, "averaged counts cannot be written"),
        (first.counts, 0.05, "in windows of 0.05 s every 0.1 s cannot"),
    ):
        session = Session(
            name="s0", sites=first.sites, trials=first.trials, counts=counts, bin_s=0.1,
            window_s=window_s,
        )  # fmt: skip
        with pytest.raises(InputError, match=message):
            write_nwb(Recording("r", (session,), stimuli), tmp_path / "out")
    assert not (tmp_path / "out").exists()
