"""Spikes planted in raw voltage that SpikeInterface generates are found; noise holds none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mua_decode.commands.main import main
from mua_decode.recordings import RawPlan, UnitPlaces, VideoSource, read_raw
from mua_decode.recordings.library import readers
from mua_decode.recordings.library.ask import ask_library
from mua_decode.types import InputError, Recording
from tests.recordings.library.planted import Planted, ground_truth

SECONDS, CLOSE_S = 8.0, 0.0005
BLANK = VideoSource(stand_in="blank", frame_size=4)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Planted, Path]:
    planted = ground_truth(sd=8.0, seconds=SECONDS)
    folder = tmp_path_factory.mktemp("raw") / "voltage"
    planted.recording.save(folder=folder, format="binary", verbose=False, progress_bar=False)
    table = pd.DataFrame({"start_s": [0.0, 4.0], "stop_s": [4.0, 8.0], "picture": ["a", "b"]})
    table.to_csv(folder.parent / "trials.csv", index=False)
    return planted, folder


def read(folder: Path, plan: RawPlan, **options: Any) -> Recording:
    usual = {"places": UnitPlaces(depths=[["V1", -1, 75], ["V4", 75, 1e4]]), "videos": BLANK}
    return read_raw(
        str(folder), format="binary_folder", plan=plan, trials=str(folder.parent / "trials.csv"),
        condition="picture", **{**usual, **options},
    )  # fmt: skip


def on_channel(found: Recording, channel: int) -> np.ndarray:
    spikes = found.sessions[0].spike_times
    assert spikes is not None
    here = spikes.site == channel
    return np.sort(spikes.time_s[here] + 4.0 * spikes.trial[here])


def share_near(of: np.ndarray, to: np.ndarray) -> float:
    """Share of times that lie within half a millisecond of one of the others."""
    to = np.sort(to)
    place = np.searchsorted(to, of)
    left = np.abs(of - to[np.clip(place - 1, 0, len(to) - 1)])
    right = np.abs(of - to[np.clip(place, 0, len(to) - 1)])
    return float((np.minimum(left, right) <= CLOSE_S).mean())


def test_units_of_8_sd_are_found_and_noise_is_not(saved: tuple[Planted, Path]) -> None:
    planted, folder = saved
    found = read(folder, RawPlan(jobs=2, progress=False))
    everyone = np.concatenate(planted.times)
    for times, channel in zip(planted.times, planted.channel, strict=True):
        own = on_channel(found, int(channel))
        assert share_near(times, own) >= 0.9  # recall
        assert share_near(own, everyone) >= 0.9  # precision
    # Gaussian noise of this band crosses 4.5 s.d. 0.14 times a second (Rice's formula).
    quiet = min(len(on_channel(found, c)) for c in range(16) if c not in planted.channel)
    assert quiet <= 0.6 * SECONDS
    # The control: the same times moved by half a second are not found more than by chance.
    moved = on_channel(found, int(planted.channel[0])) + 0.5
    assert share_near(moved, planted.times[0]) < 0.1
    regions = found.sites.region
    assert set(regions) == {"V1", "V4"}


def test_the_envelope_follows_the_spikes(saved: tuple[Planted, Path]) -> None:
    planted, folder = saved
    found = read(folder, RawPlan(measure="envelope", bin_s=0.01, progress=False))
    (session,) = found.sessions
    assert session.counts is not None
    assert session.counts.shape == (2, 400, 16)
    assert session.bin_s == pytest.approx(0.01)
    assert any("no spikes" in n for n in found.notes)
    rates = np.histogram(planted.times[0], np.arange(0, SECONDS + 0.005, 0.01))[0]
    values = session.counts.reshape(800, 16)
    own = np.corrcoef(values[:, planted.channel[0]], rates)[0, 1]
    moved = np.corrcoef(values[:, planted.channel[0]], np.roll(rates, 100))[0, 1]
    assert own > 0.5
    assert abs(moved) < 0.2


def test_mistakes_are_named(saved: tuple[Planted, Path], tmp_path: Path) -> None:
    _, folder = saved
    quiet = RawPlan(progress=False)
    with pytest.raises(InputError, match=r"band_hz=300 to 60000 must lie between 0 and 12500 Hz"):
        read(folder, RawPlan(band_hz=[300, 60000], progress=False))
    with pytest.raises(InputError, match=r"no such option \(did you mean 'condition'"):
        read(folder, quiet, conditon="x")
    with pytest.raises(InputError, match="threshold_sd: expected a number > 0"):
        RawPlan(threshold_sd=-4)
    with pytest.raises(InputError, match="no such file or folder"):
        read(tmp_path / "none", quiet)


def test_the_path_alone_says_what_to_type_next_and_no_voltage_is_read(
    saved: tuple[Planted, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    planted, folder = saved
    main(["inspect", "recording=raw", f"recording.path={folder}"])
    shown = capsys.readouterr()
    n = planted.recording.get_num_channels()
    assert f"channels: {n}, {SECONDS:.1f} s of raw voltage at 25000 Hz" in shown.out
    assert "missing: no events to take trials from: recording.trials=FILE.csv" in shown.out
    assert f"next: mua-decode inspect recording=raw recording.path={folder}" in shown.out
    assert "detect peaks" not in shown.err


def test_trials_and_videos_are_looked_for_before_the_voltage_is_read(
    saved: tuple[Planted, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, folder = saved
    asked: list[bool] = []

    def ask(*given: Any, **request: Any) -> Any:
        asked.append(bool(request.get("look")))
        return ask_library(*given, **request)

    monkeypatch.setattr(readers, "ask_library", ask)
    with pytest.raises(InputError, match="folder"):
        read(folder, RawPlan(progress=False), videos=VideoSource(folder=str(folder / "none")))
    assert asked == [True]
