"""Sortings as SpikeInterface and Phy write them, decoded end to end; nothing in them can run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mua_decode.commands.main import main
from mua_decode.recordings import UnitPlaces, VideoSource, read_spikeinterface
from mua_decode.recordings.library.ask import ask_library
from mua_decode.types import InputError
from tests.recordings.library.planted import RATE_HZ, core, pictures, trials_table, tuned_trains
from tests.recordings.trying import looked_up

BLANK = VideoSource(stand_in="blank", frame_size=4)


@pytest.fixture(scope="module")
def sorted_units(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six units of two brain areas, saved by SpikeInterface, with trials and videos beside."""
    folder = tmp_path_factory.mktemp("sorting")
    samples = {f"u{k}": (t * RATE_HZ).astype(int) for k, t in enumerate(tuned_trains())}
    sorting = core.NumpySorting.from_unit_dict([samples], sampling_frequency=RATE_HZ)
    sorting.set_property("brain_area", ["V4", "MT"] * 3)
    sorting.save(folder=folder / "units", format="numpy_folder")
    trials_table().to_csv(folder / "trials.csv", index=False)
    pictures(folder / "videos")
    (folder / "units.csv").write_text("id,region\n" + "".join(f"u{k},IT\n" for k in range(6)))
    return folder


def phy(folder: Path, params: str) -> Path:
    """The files of a Phy folder that its spikes are read from."""
    folder.mkdir()
    (folder / "params.py").write_text(params)
    np.save(folder / "spike_times.npy", np.arange(0, 25000, 250))
    np.save(folder / "spike_clusters.npy", np.arange(100) % 2)
    return folder


def test_spikes_regions_and_trials(sorted_units: Path) -> None:
    found = read_spikeinterface(
        str(sorted_units / "units"), format="numpy_folder", trials=str(sorted_units / "trials.csv"),
        condition="picture", videos=BLANK, places=UnitPlaces(column="brain_area"), subject="M1",
    )  # fmt: skip
    (session,) = found.sessions
    assert session.sites.site_id.tolist() == [f"units-u{k}" for k in range(6)]
    assert session.sites.region.tolist() == ["V4", "MT"] * 3
    assert session.n_trials == 24
    assert found.stimuli.names == ["p0", "p1", "p2", "p3"]
    spikes = session.spike_times
    assert spikes is not None
    for unit, train in enumerate(tuned_trains()):
        inside = np.floor(train).astype(int) - 1
        expected = np.sort(train - 1 - inside)
        own = np.sort(spikes.time_s[spikes.site == unit])
        # Written as samples, rounded down: one at the very start of a trial may leave it.
        assert abs(len(own) - len(expected)) <= 1
        assert own.sum() == pytest.approx(expected.sum(), abs=2)


def test_decoded_end_to_end(sorted_units: Path, tmp_path: Path) -> None:
    identified = looked_up(
        tmp_path / "run", "recording=spikeinterface", f"recording.path={sorted_units / 'units'}",
        "recording.format=numpy_folder", f"recording.trials={sorted_units / 'trials.csv'}",
        "recording.condition=[picture]", f"recording.places.table={sorted_units / 'units.csv'}",
        f"recording.videos.folder={sorted_units / 'videos'}",
    )  # fmt: skip
    assert identified > 0.9  # chance 0.25


def test_inspect_says_what_is_there_and_what_to_type_next(
    sorted_units: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = [f"recording.path={sorted_units / 'units'}", "recording.format=numpy_folder"]
    main(["inspect", "recording=spikeinterface", *where])
    shown = capsys.readouterr().out
    assert "columns of units: id, brain_area" in shown
    assert "recording.trials=FILE.csv" in shown
    assert "recording.places.everywhere=REGION" in shown


def test_a_phy_folder_is_read_and_code_in_it_is_not_run(tmp_path: Path) -> None:
    plain = phy(tmp_path / "plain", "dat_path = 'x.dat'\nsample_rate = 25000.0\noffset = 0\n")
    found = ask_library(plain, "sorting", format="phy", options={})
    assert len(found.units) == 2
    assert len(found.times) == 100
    marker = tmp_path / "ran"
    evil = f"sample_rate = 25000.0\nopen({str(marker)!r}, 'w').close()\n"
    folder = phy(tmp_path / "evil", evil)
    with pytest.raises(InputError, match=r"evil: refused, params.py is Python .* than constants"):
        ask_library(folder, "sorting", format="phy", options={})
    assert not marker.exists()


class _Evil:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return (open, (str(self.path), "w"))


def test_a_pickle_in_a_property_is_refused(sorted_units: Path, tmp_path: Path) -> None:
    """SpikeInterface loads properties with allow_pickle=True."""
    sorting = core.read_numpy_sorting_folder(sorted_units / "units")
    sorting.save(folder=tmp_path / "units", format="numpy_folder")
    (property_,) = (tmp_path / "units" / "properties").glob("brain_area.npy")
    marker = tmp_path / "ran"
    np.save(property_, np.array([_Evil(marker)] * 6, object), allow_pickle=True)
    with pytest.raises(InputError, match=r"refused, it holds a pickle of .*open"):
        ask_library(tmp_path / "units", "sorting", format="numpy_folder", options={})
    assert not marker.exists()


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("python", "format=python runs the file"),
        ("kilosrt", "SpikeInterface has no format 'kilosrt'; it has .*kilosort"),
        ("phy", "cannot be read"),
    ],
)
def test_mistakes_are_named(sorted_units: Path, how: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        ask_library(sorted_units / "units", "sorting", format=how, options={})


def test_a_missing_library_is_named_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    from mua_decode.recordings import extras

    monkeypatch.setattr(extras, "find_spec", lambda _: None)
    with pytest.raises(InputError, match=r"pip install 'mua-decode\[spikeinterface\]'"):
        ask_library(Path(), "sorting", format="phy", options={})
