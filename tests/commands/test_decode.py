from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageSequence
from pynwb import NWBHDF5IO, NWBFile

from mua_decode.api import load_run
from mua_decode.commands.main import main
from mua_decode.recordings import write_recording
from mua_decode.types import Recording
from tests.stored_run import write_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Recording]:
    folder = tmp_path_factory.mktemp("run") / "a"
    return folder, write_run(folder)[0]


def film_s(path: Path) -> float:
    """How long a film plays, s."""
    if path.suffix == ".mp4":
        return len(iio.imread(path)) / iio.immeta(path)["fps"]
    with Image.open(path) as film:
        return sum(f.info["duration"] for f in ImageSequence.Iterator(film)) / 1000


def without_sites(recording: Recording, dropped: set[str], renamed: dict[str, str]) -> Recording:
    """The recording without some sites, others under a new name."""
    sessions = []
    for s in recording.sessions:
        keep = np.array([i not in dropped for i in s.sites.site_id])
        sites = s.sites.select(keep)
        ids = np.array([renamed.get(i, i) for i in sites.site_id.tolist()])
        sites = dataclasses.replace(sites, site_id=ids)
        sessions.append(dataclasses.replace(s, sites=sites, counts=s.counts[:, :, keep]))
    return dataclasses.replace(recording, sessions=tuple(sessions))


def in_run_bins(counts: np.ndarray) -> np.ndarray:
    """Counts of 20 ms bins (..., bins, sites) -> of the run's 100 ms bins."""
    return counts.reshape(*counts.shape[:-2], -1, 5, counts.shape[-1]).sum(axis=-2)


def decode(folder: Path, source: Path, out: Path, *options: str) -> None:
    given = [f"recording.path={source}", f"run_dir={folder}", f"out={out}"]
    main(["decode", "recording=native", *given, *options])


def test_decode_writes_the_videos_python_gives(run: tuple[Path, Recording], tmp_path: Path) -> None:
    folder, recording = run
    write_recording(recording, tmp_path / "new.h5")
    decode(folder, tmp_path / "new.h5", tmp_path / "out", "batch_size=5")
    videos = np.load(tmp_path / "out" / "videos.npy", mmap_mode="r")
    index = pd.read_csv(tmp_path / "out" / "index.csv")
    assert len(videos) == len(index) == sum(s.n_trials for s in recording.sessions)
    assert index["row"].tolist() == list(range(len(index)))
    assert index["session"].tolist() == [
        s.name for s in recording.sessions for _ in range(s.n_trials)
    ]
    found = load_run(folder).decode_recording(recording)
    np.testing.assert_allclose(videos, found.video, atol=1e-5)
    # And by hand: the counts of one session, NaN elsewhere.
    decoder = load_run(folder)
    second = recording.sessions[1]
    place = {s: n for n, s in enumerate(decoder.sites.site_id)}
    counts = np.full((second.n_trials, decoder.n_bins, len(decoder.sites)), np.nan)
    for n, s in enumerate(second.sites.site_id):
        counts[:, :, place[s]] = in_run_bins(second.counts)[:, :, n]
    np.testing.assert_allclose(
        videos[index["session"] == second.name], decoder.decode(counts), atol=1e-5
    )
    summary = json.loads((tmp_path / "out" / "decode.json").read_text())
    assert summary["sites/found"] == summary["sites/run"] == 28
    assert sorted(p.name for p in tmp_path.iterdir()) == ["new.h5", "out"]


def test_sites_are_matched_by_id(
    run: tuple[Path, Recording], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, recording = run
    gone = recording.sessions[0].sites.site_id[0]
    old = recording.sessions[0].sites.site_id[3]
    changed = without_sites(recording, {gone}, {old: "unheard-of"})
    write_recording(changed, tmp_path / "new.h5")
    with pytest.raises(SystemExit):
        decode(folder, tmp_path / "new.h5", tmp_path / "out")
    said = " ".join(capsys.readouterr().err.split())
    assert "26 of 28 sites of the run found; 2 missing" in said
    assert "1 additional and not used (unheard-of)" in said
    assert "its smallest session has 12 (43%)" in said
    assert "trials=assembled" in said
    assert not (tmp_path / "out").exists()
    decode(folder, tmp_path / "new.h5", tmp_path / "out", "trials=assembled", "dtype=uint8")
    summary = json.loads((tmp_path / "out" / "decode.json").read_text())
    assert summary["sites/found"] == 26
    assert set(summary["sites/missing"]) == {gone, old}
    assert summary["sites/additional"] == ["unheard-of"]
    index = pd.read_csv(tmp_path / "out" / "index.csv")
    assert (index["sites"] == 26).all()
    # Every recorded trial is used once at most, and by its own condition.
    for k, session in enumerate(changed.sessions):
        rows = index["trial"].str.split(" ").str[k].astype(int)
        assert rows.is_unique
        assert (session.condition[rows] == index["condition"]).all()
    decoder = load_run(folder)
    first = [int(r) for r in index["trial"][0].split(" ")]
    parts = [in_run_bins(s.counts[r]) for s, r in zip(recording.sessions, first, strict=True)]
    counts = np.concatenate(parts, axis=1).astype(float)
    counts[:, np.isin(recording.sites.site_id, [gone, old])] = np.nan
    videos = np.load(tmp_path / "out" / "videos.npy")
    expected = decoder.decode(counts[None])[0] * 255
    assert videos.dtype == np.uint8
    np.testing.assert_allclose(videos[0], expected, atol=0.51)


@pytest.mark.parametrize("kind", ["mp4", "gif"])
def test_one_film_per_trial(run: tuple[Path, Recording], tmp_path: Path, kind: str) -> None:
    folder, recording = run
    few = dataclasses.replace(
        recording.sessions[0],
        trials=recording.sessions[0].trials.iloc[:2],
        counts=recording.sessions[0].counts[:2],
    )
    write_recording(dataclasses.replace(recording, sessions=(few,)), tmp_path / "new.h5")
    decode(folder, tmp_path / "new.h5", tmp_path / "out", f"format={kind}")
    index = pd.read_csv(tmp_path / "out" / "index.csv")
    assert index["file"].tolist() == [f"trial00000.{kind}", f"trial00001.{kind}"]
    film = tmp_path / "out" / index["file"][1]
    assert film_s(film) == pytest.approx(load_run(folder).n_bins * 0.1)
    files = {p.name for p in (tmp_path / "out").iterdir()}
    assert files == {*index["file"], "index.csv", "decode.json"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["format=avi"], "format=avi: choose from npy, mp4, gif"),
        (["trials=all"], "trials=all: choose from recorded, assembled"),
        (["least_share=2.0"], "least_share: expected a share in (0, 1], found 2"),
        (["batch_size=0"], "batch_size: expected >= 1, found 0"),
        (["device=tpu"], "device=tpu: choose from auto, cpu, cuda"),
        (["checkpoint=worst"], "no such checkpoint"),
    ],
)
def test_wrong_options_say_so(
    run: tuple[Path, Recording],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    message: str,
) -> None:
    write_recording(run[1], tmp_path / "new.h5")
    with pytest.raises(SystemExit) as stopped:
        decode(run[0], tmp_path / "new.h5", tmp_path / "out", *options)
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["new.h5"]


def test_a_recording_must_be_named(
    run: tuple[Path, Recording], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["decode", f"run_dir={run[0]}", f"out={tmp_path / 'out'}"])
    assert "recording is not set" in capsys.readouterr().err


def test_nothing_is_written_over(
    run: tuple[Path, Recording], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(SystemExit):
        decode(run[0], tmp_path / "none.h5", tmp_path / "out")
    assert "is not empty" in capsys.readouterr().err
    assert (tmp_path / "out" / "mine.txt").read_text() == "mine"


@pytest.mark.parametrize("kind", ["npy", "mp4", "gif"])
def test_a_full_disk_is_said_in_one_line(
    run: tuple[Path, Recording],
    tmp_path: Path,
    small_disk: Path,
    capsys: pytest.CaptureFixture[str],
    kind: str,
) -> None:
    folder, recording = run
    write_recording(recording, tmp_path / "new.h5")
    (small_disk / "other").write_bytes(b"x" * 126_000)
    with pytest.raises(SystemExit) as stopped:
        decode(folder, tmp_path / "new.h5", small_disk / "out", f"format={kind}")
    assert stopped.value.code == 2
    (line,) = (x for x in capsys.readouterr().err.splitlines() if x.startswith("mua-decode: "))
    assert f"out: {small_disk / 'out'} cannot be written" in line or "video: " in line
    if kind == "npy":
        assert "No space left on device" in line
    assert [p.name for p in small_disk.iterdir()] == ["other"]


def test_trials_of_an_nwb_file_that_knows_no_condition_are_decoded(
    run: tuple[Path, Recording], tmp_path: Path
) -> None:
    folder, recording = run
    session = recording.sessions[0]
    counts = session.counts.astype(int)
    length_s = counts.shape[1] * session.bin_s
    nwb = NWBFile("today", "m", datetime(2024, 1, 1, tzinfo=UTC), session_id=session.name)
    nwb.add_unit_column("location", "region")
    nwb.add_unit_column("site_id", "name")
    for trial in range(session.n_trials):
        nwb.add_trial(start_time=trial * length_s, stop_time=(trial + 1) * length_s)
    middle = (np.arange(counts.shape[0] * counts.shape[1]) + 0.5) * session.bin_s
    for site in range(counts.shape[2]):
        nwb.add_unit(
            spike_times=np.repeat(middle, counts[..., site].ravel()),
            location=str(session.sites.region[site]),
            site_id=str(session.sites.site_id[site]),
        )
    with NWBHDF5IO(str(tmp_path / "today.nwb"), "w") as file:
        file.write(nwb)
    given = [f"recording.path={tmp_path / 'today.nwb'}", f"run_dir={folder}", "least_share=0.01"]
    main(["decode", "recording=nwb", *given, f"out={tmp_path / 'out'}"])
    found = load_run(folder).decode_recording(
        dataclasses.replace(recording, sessions=(session,)), least_share=0.01
    )
    np.testing.assert_allclose(np.load(tmp_path / "out" / "videos.npy"), found.video, atol=1e-5)
