from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

from mua_decode.recordings import read_native, write_recording
from mua_decode.types import InputError, Recording, Session, SpikeTimes


def test_round_trip(recording: Recording, tmp_path: Path) -> None:
    from dataclasses import replace

    first = recording.sessions[0]
    rng = np.random.default_rng(0)
    spikes = SpikeTimes(
        time_s=rng.uniform(0, 0.6, 50),
        trial=rng.integers(0, first.n_trials, 50),
        site=rng.integers(0, 3, 50),
        duration_s=0.6,
    )
    renamed = replace(first.sites, session=["timed"] * 3, site_id=[f"timed-{i}" for i in range(3)])
    timed = Session(name="timed", sites=renamed, trials=first.trials, spike_times=spikes)
    holes = first.counts.astype(np.float32)
    holes[3, 2, 1] = np.nan
    recording = replace(
        recording,
        sessions=(replace(first, counts=holes), *recording.sessions[1:], timed),
        truth={"sites": pd.DataFrame({"site_id": ["a", "b"], "weight": [0.5, 1.0]})},
        provenance={"seed": 3, "nested": {"a": [1, 2]}},
        notes=("a note",),
    )
    path = tmp_path / "deep" / "r.h5"
    write_recording(recording, path)
    again = read_native(path)
    assert (again.name, again.notes, dict(again.provenance)) == (
        recording.name,
        recording.notes,
        dict(recording.provenance),
    )
    np.testing.assert_array_equal(again.stimuli.videos, recording.stimuli.videos)
    assert again.stimuli.segments == recording.stimuli.segments
    pd.testing.assert_frame_equal(again.stimuli.conditions, recording.stimuli.conditions)
    pd.testing.assert_frame_equal(again.truth["sites"], recording.truth["sites"])
    for a, b in zip(again.sessions, recording.sessions, strict=True):
        pd.testing.assert_frame_equal(a.trials, b.trials)
        pd.testing.assert_frame_equal(a.sites.to_frame(), b.sites.to_frame())
        if b.counts is not None:
            np.testing.assert_array_equal(a.counts, b.counts)
            assert a.counts.dtype == b.counts.dtype
        else:
            np.testing.assert_array_equal(a.spike_times.time_s, b.spike_times.time_s)
    assert [p.name for p in path.parent.iterdir()] == ["r.h5"]


def test_damage_is_noticed(recording: Recording, tmp_path: Path) -> None:
    path = tmp_path / "r.h5"
    write_recording(recording, path)
    with h5py.File(path, "a") as file:
        file["sessions/s0/counts"][0, 0, 0] += 1
    with pytest.raises(InputError, match="do not match their checksum"):
        read_native(path)
    assert read_native(path, verify=False).name == "small"
    with h5py.File(path, "a") as file:
        del file["sessions/s0/trials"]
    with pytest.raises(InputError, match="incomplete"):
        read_native(path, verify=False)
    whole = path.read_bytes()
    path.write_bytes(whole[:4000])
    with pytest.raises(InputError, match="truncated"):
        read_native(path)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("sessions/s0/counts", "s0.*counts"),
        ("sessions/s0/sites/site_id", "duplicate site id"),
        ("stimuli/videos", "one per video"),
    ],
)
def test_contents_that_do_not_fit_are_named(
    recording: Recording, tmp_path: Path, name: str, message: str
) -> None:
    """Damage that the checksum does not show, as in a file made elsewhere."""
    path = tmp_path / "r.h5"
    write_recording(recording, path)
    with h5py.File(path, "a") as file:
        values, attributes = file[name][()], dict(file[name].attrs)
        del file[name]
        if name.endswith("site_id"):
            values[1] = values[0]
        else:
            values = values[:-1]
        file.create_dataset(name, data=values).attrs.update(attributes)
    with pytest.raises(InputError, match=message) as caught:
        read_native(path, verify=False)
    assert "\n" not in str(caught.value)


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.h5"
    with h5py.File(path, "w") as file:
        file["x"] = 1
    with pytest.raises(InputError, match="not a recording written by mua-decode"):
        read_native(path)
    with pytest.raises(InputError, match="no such file"):
        read_native(tmp_path / "none.h5")


def test_a_write_that_fails_leaves_nothing_behind(
    recording: Recording, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mua_decode.recordings import native

    path = tmp_path / "r.h5"
    write_recording(recording, path)
    before = path.read_bytes()

    def fail(*args: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(native, "_digest", fail)
    with pytest.raises(OSError, match="disk full"):
        write_recording(recording, path)
    assert [p.name for p in tmp_path.iterdir()] == ["r.h5"]
    assert path.read_bytes() == before
