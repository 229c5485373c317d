"""Sessions as .mat files, and what can be wrong with them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.io
from scipy.io.matlab import MatlabFunction

from mua_decode.recordings import (
    LabFields,
    lab_sessions,
    matlab_child,
    matlab_v5,
    read_lab_sessions,
)
from mua_decode.recordings.matlab import read_mat
from mua_decode.runs.config import compose
from mua_decode.runs.instantiate import instantiate
from mua_decode.types import InputError, Recording, StimulusSet
from tests.conftest import make_stimuli
from tests.recordings.layouts import CODES, MATCH, write_v73

CUES, COLOURS, DIRECTIONS = (1, 3), (180, 0), (90.0, 330.0)


@pytest.fixture
def stimuli() -> StimulusSet:
    given = make_stimuli(8)
    rows = [
        {"name": f"{cue} {colour} {angle:g}", "cue": cue, "colour": colour, "direction_deg": angle}
        for cue in ("cross", "circle")
        for colour in ("green", "red")
        for angle in (90.0, -30.0)
    ]
    return StimulusSet(
        given.videos, given.condition, pd.DataFrame(rows), given.segments, given.frame_s
    )


def contents(**changes: object) -> dict[str, object]:
    """Eight trials, two units; the third trial is bad."""
    cells = np.empty((8, 2), object)
    for i in range(16):
        cells.flat[i] = np.array([[-0.6], [-0.25], [0.1 + 0.01 * i], [4.1]])
    cells[4, 1] = np.empty((0, 0))
    trials = {
        "cue": np.array([CUES[t // 4] for t in range(8)], float)[:, None],
        "color": np.array([COLOURS[t // 2 % 2] for t in range(8)], float)[:, None],
        "direction": np.array([DIRECTIONS[t % 2] for t in range(8)])[:, None],
        "rule": np.array([[t % 2] for t in range(8)]),
        "badTrials": (np.arange(8) == 2)[:, None].astype(float),
        "cueOn": np.full((8, 1), 0.2),
    }
    found: dict[str, object] = {
        "spikeTimes": cells,
        "trialInfo": trials,
        "unitInfo": {"electrode": np.array([[7.0], [9.0]])},
        "electrodeInfo": {"electrode": np.array([[9.0], [7.0]]), "area": _cells("MT", "LIP")},
    }
    for name, value in changes.items():
        if value is None:
            del found[name]
        elif isinstance(value, dict):
            merged = {**found[name], **value}  # type: ignore[dict-item]
            found[name] = {k: v for k, v in merged.items() if v is not None}
        else:
            found[name] = value
    return found


def _cells(*values: object) -> np.ndarray:
    cells = np.empty((len(values), 1), object)
    cells[:, 0] = values
    return cells


def read(folder: Path, stimuli: StimulusSet, **fields: object) -> Recording:
    return read_lab_sessions(
        str(folder),
        stimuli=stimuli,
        match=MATCH,
        codes=CODES,
        fields=LabFields(**fields),  # type: ignore[arg-type]
    )


def test_spikes_conditions_and_areas(tmp_path: Path, stimuli: StimulusSet) -> None:
    scipy.io.savemat(tmp_path / "lucky1.mat", contents())
    recording = read(tmp_path, stimuli, keep={"rule": "rule"})
    (session,) = recording.sessions
    assert session.name == "lucky1"
    assert session.sites.region.tolist() == ["LIP", "MT"]
    assert session.condition.tolist() == [0, 1, 3, 4, 5, 6, 7]
    assert session.trials["rule"].tolist() == [0, 1, 1, 0, 1, 0, 1]
    spikes = session.spike_times
    assert spikes is not None
    assert spikes.duration_s == 4.5
    mine = spikes.time_s[(spikes.trial == 2) & (spikes.site == 1)]
    # Cue onset is 0.5 s into the trial; what lies outside it is left out.
    np.testing.assert_allclose(mine, [0.25, 0.6 + 0.07])
    assert not ((spikes.trial == 3) & (spikes.site == 1)).any()
    assert any("1 of 8 trials left out as bad" in n for n in recording.notes)
    aligned = read(tmp_path, stimuli, align="cueOn").sessions[0].spike_times
    assert aligned is not None
    mine = aligned.time_s[(aligned.trial == 2) & (aligned.site == 1)]
    np.testing.assert_allclose(mine, [0.05, 0.4 + 0.07, 4.4])


def test_an_array_of_structs_and_areas_of_units(tmp_path: Path, stimuli: StimulusSet) -> None:
    """``table2struct`` without 'ToScalar' gives one struct per row."""
    rows = np.array([(7.0, "FEF"), (9.0, "V4")], dtype=[("electrode", object), ("area", object)])
    variables = contents(electrodeInfo=None)
    variables["unitInfo"] = rows[:, None]
    scipy.io.savemat(tmp_path / "a.mat", variables)
    assert read(tmp_path, stimuli).sessions[0].sites.region.tolist() == ["FEF", "V4"]


def test_trials_without_a_value_are_left_out(tmp_path: Path, stimuli: StimulusSet) -> None:
    colour = np.array([COLOURS[t // 2 % 2] for t in range(8)], float)[:, None]
    colour[7] = np.nan
    scipy.io.savemat(tmp_path / "a.mat", contents(trialInfo={"color": colour}))
    recording = read(tmp_path, stimuli)
    assert recording.sessions[0].n_trials == 6
    assert any("cue, color, direction not all known" in n for n in recording.notes)


def test_the_config_renders_the_videos_of_the_task() -> None:
    cfg = compose(
        "inspect",
        [
            "recording=lab_sessions",
            "recording.path=nowhere.mat",
            "recording.stimuli.parameters.variants=1",
        ],
    ).recording
    made = instantiate(cfg.stimuli)
    assert made.videos.shape == (64, 45, 3, 32, 32)
    simulated = instantiate(
        compose(
            "inspect", ["recording=simulated", "recording.stimulus.variants=1"]
        ).recording.stimulus
    )
    pd.testing.assert_frame_equal(made.conditions, simulated.conditions)
    assert made.segments == simulated.timing.segments
    with pytest.raises(InputError, match=r"no such file: nowhere\.mat"):
        instantiate(cfg)


def swapped(place: int, value: object) -> np.ndarray:
    cells = contents()["spikeTimes"]
    assert isinstance(cells, np.ndarray)
    cells.flat[place] = value
    return cells


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"spikeTimes": None}, "a.mat: has no variable 'spikeTimes'"),
        ({"trialInfo": None}, r"no table 'trialInfo', nor a_trialInfo\.csv beside it"),
        ({"trialInfo": {"cue": None}}, "trialInfo: has no column 'cue'"),
        ({"unitInfo": {"electrode": np.array([[7.0], [8.0]])}}, "electrode 8.* not among"),
        ({"unitInfo": {"electrode": np.arange(3)[:, None]}}, "electrode 0"),
        ({"spikeTimes": np.zeros((8, 2))}, "expected a trials x units cell array"),
        ({"spikeTimes": contents()["spikeTimes"][:6]}, r"= \(8, 2\).* found \(6, 2\)"),  # type: ignore[index]
        ({"spikeTimes": swapped(5, [[0.3], [0.1]])}, r"\{3,2\}: spike times are not in order"),
        ({"spikeTimes": swapped(5, [[np.nan]])}, r"\{3,2\}: spike times .* not numbers"),
        ({"spikeTimes": swapped(5, "text")}, r"\{3,2\}: expected a vector of seconds"),
        ({"trialInfo": {"color": np.full((8, 1), 33.0)}}, "color 33 has no 'colour'"),
        ({"trialInfo": {"badTrials": np.full((8, 1), 2.0)}}, "badTrials must hold true or false"),
        ({"trialInfo": {"badTrials": np.ones((8, 1))}}, "no usable trial among 8"),
    ],
)
def test_wrong_contents_are_named(
    tmp_path: Path, stimuli: StimulusSet, changes: dict[str, object], message: str
) -> None:
    scipy.io.savemat(tmp_path / "a.mat", contents(**changes))
    with pytest.raises(InputError, match=message) as caught:
        read(tmp_path, stimuli)
    assert "a.mat" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_repeated_names_of_units_are_named(tmp_path: Path, stimuli: StimulusSet) -> None:
    units = {"electrode": np.array([[7.0], [9.0]]), "name": _cells("u1", "u1")}
    scipy.io.savemat(tmp_path / "a.mat", contents(unitInfo=units))
    with pytest.raises(InputError, match=r"a\.mat: .*duplicate site id 'a-u1'"):
        read(tmp_path, stimuli, unit="name")


def _handle_in_v73(path: Path) -> None:
    write_v73(path, {"spikeTimes": np.zeros((2, 2))})
    with h5py.File(path, "a") as file:
        file["spikeTimes"].attrs["MATLAB_class"] = np.bytes_("function_handle")


def _cut(path: Path) -> None:
    scipy.io.savemat(path, contents())
    path.write_bytes(path.read_bytes()[:700])


def _text(path: Path) -> None:
    path.write_text("no matrix")


def _cut_v73(path: Path) -> None:
    write_v73(path, {"spikeTimes": contents()["spikeTimes"]})
    path.write_bytes(path.read_bytes()[:3000])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_handle_in_v73, "refused, it holds a function handle or an object"),
        (_cut, "truncated or damaged"),
        (_text, "not an HDF5 file"),
        (_cut_v73, "cannot be read, it is"),
    ],
)
def test_damaged_files_are_named(
    tmp_path: Path, stimuli: StimulusSet, spoil: Callable[[Path], None], message: str
) -> None:
    spoil(tmp_path / "a.mat")
    with pytest.raises(InputError, match=f"a.mat.*{message}"):
        read(tmp_path, stimuli)


def test_a_function_handle_in_an_older_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """SciPy cannot write a handle, so what it returns for one stands in for the file."""
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, {"spikeTimes": np.zeros((2, 2))})
    handle = np.zeros((1, 1), object).view(MatlabFunction)
    monkeypatch.setattr(scipy.io, "loadmat", lambda *a, **k: {"spikeTimes": handle})
    monkeypatch.setattr(matlab_child, "_limit", lambda *_: None)  # of this process, that is
    matlab_child._main("0", "0", str(path), str(tmp_path / "out"), "spiketimes")
    told = capsys.readouterr().out  # what the other process tells
    monkeypatch.setattr(matlab_v5, "_ask", lambda *_: json.loads(told))
    monkeypatch.setattr(np, "fromfile", lambda *_: np.empty(0, np.uint8))
    with pytest.raises(InputError, match="refused, it holds a function handle"):
        read_mat(path, ["spikeTimes"])
    assert lab_sessions.read_mat is read_mat


def test_a_damaged_v73_file_is_named(tmp_path: Path) -> None:
    names = ["spikeTimes", "unitInfo"]
    units = pd.DataFrame({"electrode": [7.0, 9.0], "name": ["a", "b"]})
    whole = tmp_path / "whole.mat"
    write_v73(whole, {"spikeTimes": contents()["spikeTimes"], "unitInfo": units})
    assert len(read_mat(whole, names)["unitInfo"]) == 2
    source, rng, said = whole.read_bytes(), np.random.default_rng(0), {}
    for number in range(60):
        data = bytearray(source)
        for place in rng.integers(512, len(data), rng.integers(1, 40)):
            data[place] = rng.integers(256)
        path = tmp_path / f"damaged{number}.mat"
        path.write_bytes(data)
        try:
            read_mat(path, names)
        except InputError as error:
            said[path] = str(error)
    assert len(said) > 40
    assert [line for path, line in said.items() if str(path) not in line] == []
