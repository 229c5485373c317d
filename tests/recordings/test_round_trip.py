"""One simulated recording in every format: counts, sites, conditions and videos come back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mua_decode.data import Window, window_session
from mua_decode.recordings import (
    LabFields,
    read_arrays,
    read_lab_sessions,
    read_native,
    read_nwb,
    read_tensors,
    write_nwb,
    write_recording,
)
from mua_decode.runs.config import compose
from mua_decode.runs.folder import RunFolder
from mua_decode.runs.instantiate import instantiate
from mua_decode.runs.run import Run
from mua_decode.runs.train import Training, train_and_score
from mua_decode.types import Recording
from tests.recordings.layouts import CODES, MATCH, write_arrays, write_lab, write_tensors
from tests.tiny import TINY

SMALL = [
    "recording=simulated_small",
    "recording.population.trials_per_condition=4",
    "recording.stimulus.variants=2",
    "recording.stimulus.frame.resolution=0.5",
]


@pytest.fixture(scope="module")
def simulated() -> Recording:
    found = instantiate(compose("inspect", SMALL).recording)
    assert isinstance(found, Recording)
    return found


def through(recording: Recording, kind: str, folder: Path) -> Recording:
    if kind == "native":
        write_recording(recording, folder / "r.h5")
        return read_native(folder / "r.h5")
    if kind == "nwb":
        write_nwb(recording, folder)
        return read_nwb(str(folder))
    if kind.startswith("lab"):
        write_lab(recording, folder, kind=kind.removeprefix("lab_"))
        fields = LabFields(keep={"rule": "rule"})
        return read_lab_sessions(
            str(folder), stimuli=recording.stimuli, match=MATCH, codes=CODES, fields=fields
        )
    return read_arrays(str(write_arrays(recording, folder, packed=kind == "npz")))


@pytest.mark.parametrize("kind", ["native", "nwb", "lab_v5", "lab_v73", "lab_csv", "npz", "npy"])
@pytest.mark.parametrize("width_s", [0.02, 0.1])
def test_what_is_written_comes_back(
    simulated: Recording, tmp_path: Path, kind: str, width_s: float
) -> None:
    again = through(simulated, kind, tmp_path)
    window = Window(width_s=width_s, step_s=width_s)
    for old, new in zip(simulated.sessions, again.sessions, strict=True):
        expected, found = window_session(old, window), window_session(new, window)
        assert expected.counts.sum() > 1000
        np.testing.assert_array_equal(found.counts, expected.counts)
        assert found.observed.all()
        np.testing.assert_array_equal(new.condition, old.condition)
        if kind.startswith("lab"):  # this layout knows neither names of sites nor animals
            assert new.sites.region.tolist() == old.sites.region.tolist()
            assert set(new.trials["rule"]) == {"motion"}
            continue
        pd.testing.assert_frame_equal(new.sites.to_frame(), old.sites.to_frame())
        pd.testing.assert_frame_equal(new.trials, old.trials, check_dtype=False)
    np.testing.assert_array_equal(again.stimuli.videos, simulated.stimuli.videos)
    np.testing.assert_array_equal(again.stimuli.condition, simulated.stimuli.condition)
    pd.testing.assert_frame_equal(again.stimuli.conditions, simulated.stimuli.conditions)
    assert again.stimuli.segments == simulated.stimuli.segments
    assert again.stimuli.frame_s == pytest.approx(simulated.stimuli.frame_s)


@pytest.mark.parametrize("kind", ["npy", "pt"])
@pytest.mark.parametrize("labelled", [False, True])
def test_tensors_come_back(simulated: Recording, tmp_path: Path, kind: str, labelled: bool) -> None:
    video = write_tensors(simulated, tmp_path, kind=kind)
    if not labelled:
        for path in tmp_path.glob("*_condition*"):
            path.unlink()
    regions = pd.Series(simulated.sessions[0].sites.region)
    again = read_tensors(
        str(tmp_path),
        sites=[(str(r), int(n)) for r, n in regions.value_counts(sort=False).items()],
        bin_s=0.1,
        video_max=1,
        standardised=False,
        segments=[["fixation", 5, 1.0], ["cue", 10, 2.0], ["stimulus", 30, 5.0]],
    )
    (session,) = again.sessions
    old = simulated.sessions[0]
    expected = window_session(old, Window(width_s=0.1, step_s=0.1)).counts
    np.testing.assert_array_equal(window_session(session, None).counts, expected)
    assert session.sites.region.tolist() == old.sites.region.tolist()
    assert again.stimuli.segments == simulated.stimuli.segments
    assert len(again.stimuli.videos) == len(simulated.stimuli.videos)
    assert again.stimuli.n_conditions == (8 if labelled else 16)
    number = session.trials["video"].to_numpy()
    assert len(np.unique(np.stack([number, video]), axis=1).T) == 16  # one to one
    for row in (0, 5, len(video) - 1):
        shown = again.stimuli.videos[again.stimuli.variants(session.condition[row])]
        assert (shown == simulated.stimuli.videos[video[row]]).all(axis=(1, 2, 3, 4)).sum() == 1
    parts = session.trials["published_part"]
    assert parts.value_counts().to_dict() == {"train": 16, "val": 8, "test": 8}


def test_trials_in_which_a_site_was_not_recorded_come_back(
    simulated: Recording, tmp_path: Path
) -> None:
    first = simulated.sessions[0]
    counts = first.counts.astype(np.float32)
    counts[3, 7, 2] = np.nan
    counts[:, :, 4] = np.nan
    gappy = replace(simulated, sessions=(replace(first, counts=counts),))
    window = Window(width_s=0.1, step_s=0.1)
    expected = window_session(gappy.sessions[0], window).observed
    write_nwb(gappy, tmp_path)
    from_nwb = read_nwb(str(tmp_path))
    assert not expected.all()
    np.testing.assert_array_equal(window_session(from_nwb.sessions[0], window).observed, expected)
    write_recording(from_nwb, tmp_path / "r.h5")
    again = read_native(tmp_path / "r.h5").sessions[0]
    np.testing.assert_array_equal(window_session(again, window).observed, expected)


def trained(recording: Recording, folder: Path) -> dict[str, object]:
    """Metrics of a short training on a recording, always from the same seed."""
    options = [*TINY, "trainer.max_epochs=1", "metric=[identification,mse,ssim]"]
    cfg = compose(
        "train", [*options, "data.split.train=0.5", "data.split.val=0.25", "data.split.test=0.25"]
    )
    run = Run(RunFolder.create(str(folder), "r"), cfg, recording=recording)
    return train_and_score(run, Training(draw=False)).metrics


@pytest.mark.slow
def test_every_format_trains_to_the_same_metrics(simulated: Recording, tmp_path: Path) -> None:
    expected = trained(simulated, tmp_path / "simulated")
    assert expected["test/single_trial/mse"] > 0
    for kind in ("native", "nwb", "lab_v5", "lab_v73", "lab_csv", "npz", "npy"):
        (tmp_path / kind).mkdir()
        again = through(simulated, kind, tmp_path / kind)
        assert trained(again, tmp_path / kind / "run") == expected, kind
