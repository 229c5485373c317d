from __future__ import annotations

from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest

from mua_decode.data import DecodingData, PseudoTrialPlan, SplitPlan
from mua_decode.recordings import read_v1_movies
from mua_decode.types import InputError

UNITS, REPEATS = 3, 12


def write_layout(root: Path, sessions: tuple[str, ...] = ("ay1_u001", "ay2_u002")) -> None:
    """Write files in the published layout, with counts that name their own place."""
    folder = root / "V1_responses"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for session in sessions:
        with h5py.File(folder / f"{session}_image_sequences.mat", "w") as file:
            group = file.create_group("naturalStruct")
            responses = rng.poisson(4.0, (REPEATS, UNITS, 11, 10, 3, 2)).astype(float)
            responses[:, :, 0, :, 1] = responses[:, :, 0, :, 0]
            responses[:, :, 10, :, 1] = responses[:, :, 10, :, 0]
            responses[0, 1, 4] = np.nan
            responses[1] = np.nan
            group["sortedResponses"] = responses
            group["stim_on_sec"] = np.array([[0.2]])
            group["stim_off_sec"] = np.array([[0.1]])
            group["cortical_area"] = np.array([[86], [49]], np.uint16)
            group["monkey_ID"] = np.array([[97], [121]], np.uint16)
    images = root / "images" / "stimulus_fullfield"
    for s, scale in enumerate(("zoom1x", "zoom2x")):
        for movie in range(1, 11):
            place = images / f"stimSelected-{scale}" / f"movie{movie}"
            place.mkdir(parents=True)
            for frame in range(1, 12):
                for c, category in enumerate(("natural", "synthetic")):
                    if category == "synthetic" and frame in (1, 11):
                        continue
                    grey = s * 110 + c * 55 + movie * 4 + frame
                    cv2.imwrite(str(place / f"{category}{frame:02d}.png"), np.full((8, 8), grey))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_layout(tmp_path)
    return tmp_path


def test_counts_conditions_and_frames_are_in_their_places(root: Path) -> None:
    recording = read_v1_movies(str(root), frame_size=4)
    assert [s.name for s in recording.sessions] == ["ay1_u001", "ay2_u002"]
    session = recording.sessions[1]
    assert set(session.sites.region) == {"V1"}
    assert set(session.sites.subject) == {"ay"}
    assert (session.bin_s, session.window_s) == (pytest.approx(0.3), 0.2)
    with h5py.File(root / "V1_responses" / "ay2_u002_image_sequences.mat") as file:
        responses = file["naturalStruct/sortedResponses"][()]
    assert session.n_trials == 40 * (REPEATS - 1)  # repeat 1 was recorded by no unit
    conditions = recording.stimuli.conditions
    for row in (0, 57, 200, 439):
        trial = session.trials.iloc[row]
        c = conditions.iloc[trial["condition"]]
        category = ["natural", "synthetic"].index(c["category"])
        scale = ["zoom1x", "zoom2x"].index(c["scale"])
        expected = responses[trial["repeat"], :, :, c["movie"] - 1, category, scale].T
        np.testing.assert_array_equal(session.counts[row], expected)
    for k, c in conditions.iterrows():
        natural = c["category"] == "natural"
        scale = ["zoom1x", "zoom2x"].index(c["scale"])
        for frame in range(1, 12):
            second = 0 if natural or frame in (1, 11) else 55
            grey = scale * 110 + second + c["movie"] * 4 + frame
            assert (recording.stimuli.videos[k, frame - 1] == grey).all()


def test_shared_responses_never_reach_both_training_and_test(root: Path) -> None:
    recording = read_v1_movies(str(root), frame_size=12)
    data = DecodingData(
        recording, window=None, split=SplitPlan(), pseudo=PseudoTrialPlan(per_condition=20)
    )
    assert data.audit.shared == 0
    for session in recording.sessions:
        label = session.trials["presentation"].to_numpy()
        parts = [set(label[data.split.trials[p][session.name]]) for p in ("train", "test")]
        assert not parts[0] & parts[1]
        natural = session.trials["condition"] % 20 < 10
        assert set(label[natural]) == set(label[~natural])


def test_a_subset_of_sessions(root: Path) -> None:
    recording = read_v1_movies(str(root), sessions=["ay2_u002"], frame_size=4)
    assert [s.name for s in recording.sessions] == ["ay2_u002"]
    with pytest.raises(InputError, match=r"'ay2_u001' has no file .*did you mean 'ay2_u002'"):
        read_v1_movies(str(root), sessions=["ay2_u001"])


def test_bad_files_are_named(root: Path) -> None:
    path = root / "V1_responses" / "ay1_u001_image_sequences.mat"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"ay1_u001_image_sequences.mat: cannot be read, .*trunc"):
        read_v1_movies(str(root))
    path.write_bytes(b"MATLAB 5.0 MAT-file, Platform: GLNXA64" + b" " * 200)
    with pytest.raises(InputError, match=r"MATLAB 5 file, expected v7.3"):
        read_v1_movies(str(root))
    path.write_bytes(b"not a matrix")
    with pytest.raises(InputError, match="damaged or not an HDF5 file"):
        read_v1_movies(str(root))
    with h5py.File(path, "w") as file:
        file["naturalStruct/other"] = 1
    with pytest.raises(InputError, match="has no array naturalStruct/sortedResponses"):
        read_v1_movies(str(root))
    with h5py.File(path, "w") as file:
        file["naturalStruct/sortedResponses"] = np.zeros((4, 2, 9, 10, 3, 2))
    with pytest.raises(InputError, match=r"must be .* found \(4, 2, 9, 10, 3, 2\)"):
        read_v1_movies(str(root))


def test_missing_folders_and_frames_are_named(root: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"recording\.root is not set"):
        read_v1_movies(None)
    with pytest.raises(InputError, match="no such folder"):
        read_v1_movies(str(tmp_path / "nowhere"))
    frame = root / "images/stimulus_fullfield/stimSelected-zoom2x/movie3/synthetic05.png"
    frame.write_bytes(b"png?")
    with pytest.raises(InputError, match=r"synthetic05.png: is not a readable image"):
        read_v1_movies(str(root))
    frame.unlink()
    with pytest.raises(InputError, match=r"no such frame: .*synthetic05.png"):
        read_v1_movies(str(root))


@pytest.mark.data
def test_the_real_recordings(real_data: Path) -> None:
    recording = read_v1_movies(str(real_data / "macaque_v1_movies"))
    assert [len(s.sites) for s in recording.sessions] == [39, 53, 13, 46, 66, 31]
    assert recording.stimuli.videos.shape == (40, 11, 1, 32, 32)
    data = DecodingData(
        recording, window=None, split=SplitPlan(), pseudo=PseudoTrialPlan(per_condition=20)
    )
    assert data.audit.shared == 0
    assert data.n_sites >= 230
