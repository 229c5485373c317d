"""A file that Neo writes itself, read through Neo and decoded end to end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mua_decode.commands.main import main
from mua_decode.recordings import UnitPlaces, VideoSource, read_neo
from mua_decode.recordings.library.ask import ask_library
from mua_decode.types import InputError
from tests.recordings.library.planted import pictures, tuned_trains
from tests.recordings.trying import looked_up, type_next

neo = pytest.importorskip("neo")
pq = pytest.importorskip("quantities")


def block(trains: list[np.ndarray]) -> Any:
    """One segment with an event at the start of every trial and one at its end, and epochs."""
    segment = neo.Segment(name="day1")
    starts = 1.0 + np.arange(24)
    picture = [f"p{k % 4}" for k in range(24)]
    segment.events.append(neo.Event(starts * pq.s, labels=np.array(picture), name="on"))
    segment.events.append(
        neo.Event((starts + 1.0) * 1000 * pq.ms, labels=np.array(["off"] * 24), name="off")
    )
    segment.epochs.append(
        neo.Epoch(starts * pq.s, durations=np.ones(24) * pq.s, labels=np.array(picture), name="on")
    )
    for k, times in enumerate(trains):
        segment.spiketrains.append(
            neo.SpikeTrain(
                times * pq.s, t_stop=30 * pq.s, name=f"ch{k}", channel=k, area=["V4", "MT"][k % 2]
            )
        )
    found = neo.Block(name="session")
    found.segments.append(segment)
    return found


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("neo") / "day1.mat"
    neo.io.NeoMatlabIO(filename=str(path)).write_block(block(tuned_trains()))
    pictures(path.parent / "videos")
    return path


def test_epochs_and_events_are_trials(file: Path) -> None:
    options: dict[str, Any] = {
        "condition": "label", "places": UnitPlaces(column="area"),
        "videos": VideoSource(stand_in="blank", frame_size=4),
    }  # fmt: skip
    found = read_neo(str(file), format="NeoMatlab", trials="epochs", **options)
    (session,) = found.sessions
    assert session.n_trials == 24
    assert session.sites.region.tolist() == ["V4", "MT"] * 3
    assert found.stimuli.names == ["p0", "p1", "p2", "p3"]
    spikes = session.spike_times
    assert spikes is not None
    assert spikes.duration_s == pytest.approx(1.0)
    assert len(spikes.time_s) == sum(map(len, tuned_trains()))
    shown = read_neo(
        str(file), format="NeoMatlab", trials="events", where={"channel": "on"}, duration_s=1.0,
        **options,
    )  # fmt: skip
    np.testing.assert_allclose(shown.sessions[0].spike_times.time_s, spikes.time_s, atol=1e-9)


def test_decoded_end_to_end(file: Path, tmp_path: Path) -> None:
    identified = looked_up(
        tmp_path / "run", "recording=neo", f"recording.path={file}", "recording.format=NeoMatlab",
        "recording.trials=epochs", "recording.condition=[label]", "recording.places.column=area",
        f"recording.videos.folder={file.parent / 'videos'}",
    )  # fmt: skip
    assert identified > 0.9  # chance 0.25


def test_inspect_lists_tables_and_its_next_command_works(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["inspect", "recording=neo", f"recording.path={file}", "recording.format=NeoMatlab"])
    shown = capsys.readouterr().out
    assert "epochs: 24 rows" in shown
    assert "events: 48 rows" in shown
    type_next(shown)
    assert "24" in capsys.readouterr().out


def test_what_runs_code_and_what_is_no_format_is_refused(file: Path, tmp_path: Path) -> None:
    pickled = tmp_path / "a.pkl"
    neo.io.PickleIO(str(pickled)).write_block(block(tuned_trains()))
    for how, message in (
        ("Pickle", "refused, PickleIO can run code"),
        (None, "refused, PickleIO can run code"),
        ("Plexn", "Neo has no format 'Plexn'; it has .*Plexon"),
    ):
        with pytest.raises(InputError, match=message):
            ask_library(pickled, "neo", format=how, options={})
    cut = tmp_path / "cut.mat"
    cut.write_bytes(file.read_bytes()[:400])
    with pytest.raises(InputError, match=r"cut.mat: cannot be read"):
        ask_library(cut, "neo", format="NeoMatlab", options={})


def test_segments_of_a_lazy_reader_are_laid_end_to_end(tmp_path: Path) -> None:
    """Neo's own example reader, with the proxies that readers of makers' formats give."""
    (tmp_path / "a.fake").touch()
    found = ask_library(tmp_path / "a.fake", "neo", format="Example", options={})
    assert found.units["name"].tolist() == ["unit0", "unit1", "unit2"]
    assert found.tables["segments"]["time_s"].tolist() == [0.0, 11.0]
    assert found.tables["events"].groupby("segment").size().nunique() == 1
    assert found.about["notes"] == ["2 segments are laid end to end, 1 s apart"]
    for times in np.split(found.times, found.ends[:-1]):
        assert (np.diff(times) > 0).all()
        assert times[0] < 10 < 11 <= times[-1]
