from __future__ import annotations

from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest

from mua_decode.figures import write_film
from mua_decode.types import InputError


@pytest.mark.parametrize("channels", [1, 3])
def test_a_gif_holds_the_frames(tmp_path: Path, channels: int) -> None:
    video = np.zeros((channels, 4, 5, 6))
    video[:, :] = np.array([0.0, 0.2, 1.0, 0.4])[:, None, None]
    path = write_film(tmp_path / "a.gif", video, frame_s=0.1, least_px=20)
    film = iio.imread(path)
    assert film.shape == (4, 20, 24, 3)
    assert [int(frame.mean()) for frame in film] == [0, 51, 255, 102]
    assert [p.name for p in tmp_path.iterdir()] == ["a.gif"]


def test_an_mp4_plays_as_long_as_the_trial(tmp_path: Path) -> None:
    path = write_film(tmp_path / "a.mp4", np.full((3, 12, 7, 7), 0.5), frame_s=0.1)
    about = iio.immeta(path)
    assert about["duration"] == pytest.approx(1.2, abs=0.05)
    assert all(side % 2 == 0 for side in about["size"])


@pytest.mark.parametrize(
    ("name", "shape", "frame_s", "message"),
    [
        ("a.avi", (3, 2, 4, 4), 0.1, "must end in"),
        ("a.gif", (2, 2, 4, 4), 0.1, "C = 1 or 3"),
        ("a.gif", (3, 2, 4, 4), 0.0, "frame_s must be > 0"),
        ("no/a.gif", (3, 2, 4, 4), 0.1, "cannot be written"),
    ],
)
def test_what_cannot_be_written_is_refused(
    tmp_path: Path, name: str, shape: tuple[int, ...], frame_s: float, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        write_film(tmp_path / name, np.zeros(shape), frame_s=frame_s)
