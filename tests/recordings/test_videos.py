"""Videos from folders, in all kinds of files."""

from __future__ import annotations

from pathlib import Path

import cv2
import imageio.v3 as iio
import numpy as np
import pandas as pd
import pytest

from mua_decode.recordings import VideoSource
from mua_decode.recordings.conditions import make_conditions
from mua_decode.types import InputError

NAMES = pd.DataFrame({"name": ["a", "b"]})


def frames(grey: int, n: int = 5, size: int = 32) -> np.ndarray:
    """Frames (T, H, W, 3), red twice as bright as the rest."""
    found = np.full((n, size, size, 3), grey, np.uint8)
    found[..., 0] = 2 * grey
    return found


def save(folder: Path, name: str, kind: str, video: np.ndarray) -> None:
    if kind == "png":
        (folder / name).mkdir()
        for i, frame in enumerate(video):
            cv2.imwrite(str(folder / name / f"{i:03d}.png"), frame[..., ::-1])
    elif kind == "npy":
        np.save(folder / f"{name}.npy", video)
    elif kind == "gif":
        iio.imwrite(folder / f"{name}.gif", video, duration=100, loop=0)
    else:
        path = folder / f"{name}.{kind}"
        iio.imwrite(path, video, fps=10, plugin="FFMPEG", macro_block_size=16)


@pytest.mark.parametrize(
    ("kind", "error"), [("png", 0), ("npy", 0), ("gif", 0), ("avi", 6), ("mp4", 6)]
)
def test_every_kind_of_file(tmp_path: Path, kind: str, error: int) -> None:
    for name, grey in (("a", 40), ("b", 90)):
        video = frames(grey)
        video[2] = 255 - video[2]  # so that the order of frames shows
        save(tmp_path, name, kind, video)
    source = VideoSource(folder=str(tmp_path), frame_s=0.1, frame_size=8)
    stimuli = source.read_folder(NAMES)
    assert stimuli.videos.shape == (2, 5, 3, 8, 8)
    means = stimuli.videos.mean(axis=(3, 4))
    for k, grey in enumerate((40, 90)):
        expected = np.array([2 * grey, grey, grey])
        for t in range(5):
            shown = 255 - expected if t == 2 else expected
            np.testing.assert_allclose(means[k, t], shown, atol=error)
    grey_only = VideoSource(folder=str(tmp_path), frame_s=0.1, grey=True).read_folder(NAMES)
    assert grey_only.videos.shape == (2, 5, 1, 32, 32)
    assert abs(grey_only.videos[0, 0].mean() - (0.299 * 80 + 0.701 * 40)) < error + 1


def test_variants_and_stills_and_repeated_videos(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    for i, grey in enumerate((10, 20, 10)):
        np.save(tmp_path / "a" / f"{i}.npy", frames(grey, n=1))
    cv2.imwrite(str(tmp_path / "b.png"), np.full((32, 32, 3), 7, np.uint8))
    stimuli = VideoSource(folder=str(tmp_path), frame_s=0.1).read_folder(NAMES)
    assert stimuli.condition.tolist() == [0, 0, 1]
    assert stimuli.videos[:, 0, 1, 0, 0].tolist() == [10, 20, 7]


def test_a_column_names_the_file_and_axes_may_be_turned(tmp_path: Path) -> None:
    wide = np.zeros((3, 4, 9), np.float32)  # frames, width, height
    wide[:, 1] = 1
    np.save(tmp_path / "film.npy", wide)
    table = pd.DataFrame({"name": ["x/1"], "file": ["film.npy"]})
    source = {"folder": str(tmp_path), "frame_s": 0.1, "rows_first": False}
    stimuli = VideoSource(**source, column="file").read_folder(table)
    assert stimuli.videos.shape == (1, 3, 1, 9, 4)
    assert (stimuli.videos[0, :, 0, :, 1] == 255).all()
    with pytest.raises(InputError, match=r"'x/1' cannot name a file; set recording.videos.column"):
        VideoSource(**source).read_folder(table)
    with pytest.raises(InputError, match=r"no column 'flie' \(did you mean 'file'"):
        VideoSource(**source, column="flie").read_folder(table)


def test_what_is_wrong_is_named(tmp_path: Path) -> None:
    source = VideoSource(folder=str(tmp_path), frame_s=0.1)
    np.save(tmp_path / "a.npy", frames(10))
    with pytest.raises(InputError, match="no video of condition 'b'"):
        source.read_folder(NAMES)
    for content, message in (
        (frames(10, n=4), r"one shape \(T, C, H, W\), found \(4, 3, 32, 32\) and \(5, 3"),
        (np.full((5, 32, 32), 1.5), r"b.npy: frames must be whole numbers 0..255 or floats 0..1"),
        (np.zeros((32, 32)), r"b.npy: must be \(T, H, W\)"),
        (np.zeros((5, 32, 32, 2)), r"b.npy: frames must be \(H, W\[, 1\|3\|4\]\)"),
        (np.array([{}], object), "b.npy: refused, it holds Python objects"),
    ):
        np.save(tmp_path / "b.npy", content, allow_pickle=True)
        with pytest.raises(InputError, match=message):
            source.read_folder(NAMES)
    (tmp_path / "b.npy").unlink()
    for name in ("b.mp4", "b.gif", "b.png"):
        (tmp_path / name).write_bytes(b"no film")
        with pytest.raises(InputError, match=f"{name}: is not a readable video or picture"):
            source.read_folder(NAMES)
        (tmp_path / name).unlink()
    with pytest.raises(InputError, match="frame_s is not set"):
        VideoSource(folder=str(tmp_path)).read_folder(NAMES)
    with pytest.raises(InputError, match="frame_size: expected 2 to 4096 pixels, found 1"):
        VideoSource(frame_size=1)


def test_conditions_are_sorted_combinations_over_all_sessions() -> None:
    one = pd.DataFrame({"cue": ["b", "a", "b"], "angle": [90.0, 90.0, 0.5]})
    two = pd.DataFrame({"cue": ["a", "c"], "angle": [90.0, 1.0]})
    conditions, rows = make_conditions([one, two], ["cue", "angle"])
    assert conditions["name"].tolist() == ["a 90", "b 0.5", "b 90", "c 1"]
    assert [r.tolist() for r in rows] == [[2, 0, 1], [0, 3]]


def test_stills_last_as_long_as_a_trial_where_nothing_else_is_said(tmp_path: Path) -> None:
    for name in NAMES["name"]:
        iio.imwrite(tmp_path / f"{name}.png", np.full((8, 8), 90, np.uint8))
    source = VideoSource(folder=str(tmp_path))
    stimuli = source.without_recording(NAMES, 0.5)
    assert stimuli is not None
    assert (stimuli.frame_s, stimuli.n_frames) == (0.5, 1)
    np.save(tmp_path / "b.npy", np.zeros((5, 8, 8), np.uint8))
    (tmp_path / "b.png").unlink()
    with pytest.raises(InputError, match="frame_s is not set"):
        source.without_recording(NAMES, 0.5)
