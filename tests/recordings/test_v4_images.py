"""The published V4 layout, as it is and as it goes wrong."""

import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from mua_decode.recordings import read_v4_images
from mua_decode.types import InputError


def _write_images(path: Path, n: int, inside: str = "", size: int = 12) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("__MACOSX/._image0001.png", b"junk")
        for i in reversed(range(n)):  # the archive's order is not the order of the responses
            image = np.zeros((size, size, 3), np.uint8)
            image[..., 2] = 10 * i  # red, in OpenCV's order
            file.writestr(f"{inside}image{i + 1:04d}.png", cv2.imencode(".png", image)[1].tobytes())


@pytest.mark.parametrize("inside", ["", "images_1/"])
def test_averages_and_images_pair_in_name_order(tmp_path, inside):
    _write_images(tmp_path / "images_1.zip", 5, inside)
    responses = np.arange(10, dtype=float).reshape(2, 5)
    np.save(tmp_path / "responses_1.npy", responses)
    recording = read_v4_images(str(tmp_path), session=1)
    (session,) = recording.sessions
    assert recording.stimuli.videos.shape == (5, 1, 3, 12, 12)
    assert recording.stimuli.videos[:, 0, 0, 0, 0].tolist() == [0, 10, 20, 30, 40]
    assert not recording.stimuli.videos[:, 0, 1:].any()  # RGB, not BGR
    np.testing.assert_allclose(session.counts[:, 0], responses.T)
    assert session.window_s == pytest.approx(0.1)
    assert any("averages" in n for n in recording.notes)


def test_published_folders_give_single_trials_without_the_empty_ones(tmp_path):
    _write_images(tmp_path / "images" / "images_210225.zip", 3, "images_210225/")
    raw = np.arange(2 * 3 * 4, dtype=float).reshape(2, 3, 4)
    raw[:, 1, 2:] = np.nan  # the second image had two repeats
    (tmp_path / "responses_raw").mkdir()
    np.save(tmp_path / "responses_raw" / "responses_210225.npy", raw)
    (tmp_path / "responses_repeat_averaged").mkdir()
    averaged = tmp_path / "responses_repeat_averaged" / "responses_210225.npy"
    np.save(averaged, np.nanmean(raw, axis=2))
    recording = read_v4_images(str(tmp_path), session="210225")
    (session,) = recording.sessions
    assert np.bincount(session.condition).tolist() == [4, 2, 4]
    np.testing.assert_allclose(session.counts[session.condition == 1, 0], raw[:, 1, :2].T)
    assert set(session.sites.subject) == {"PE"}
    means = read_v4_images(str(tmp_path), session="210225", trials="averaged").sessions[0]
    assert means.n_trials == 3


def test_images_and_responses_of_different_number_are_refused(tmp_path):
    _write_images(tmp_path / "images_1.zip", 4)
    np.save(tmp_path / "responses_1.npy", np.zeros((2, 5)))
    with pytest.raises(InputError, match=r"holds 4 images but responses_1\.npy has responses to 5"):
        read_v4_images(str(tmp_path), session=1)


def test_missing_and_damaged_files_are_named(tmp_path):
    with pytest.raises(InputError, match="images_SESSION"):
        read_v4_images(str(tmp_path), session=1)
    (tmp_path / "images_201025.zip").write_bytes(b"no zip")
    with pytest.raises(InputError, match=r"session=201026.*did you mean '201025'"):
        read_v4_images(str(tmp_path), session=201026)
    with pytest.raises(InputError, match="no responses of session 201025"):
        read_v4_images(str(tmp_path), session=201025)
    np.save(tmp_path / "responses_201025.npy", np.zeros((2, 5)))
    with pytest.raises(InputError, match="not a zip file"):
        read_v4_images(str(tmp_path), session=201025)


@pytest.mark.data
def test_real_session(real_data):
    recording = read_v4_images(str(real_data / "macaque_v4_images"), session=201025, frame_size=16)
    assert recording.stimuli.videos.shape == (1200, 1, 3, 16, 16)
    assert recording.sessions[0].counts.shape == (1200, 1, 89)
