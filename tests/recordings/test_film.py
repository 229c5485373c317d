from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mua_decode.recordings import read_film
from mua_decode.recordings.inspect import training_line
from mua_decode.types import InputError


def write(path: Path, **changes: object) -> str:
    rng = np.random.default_rng(0)
    arrays = {
        "spikes": rng.integers(0, 2, (3, 4, 20), dtype=np.uint8),
        "frames": rng.integers(0, 256, (25, 6, 6), dtype=np.uint8),
        "bin_s": 0.05,
        "frame_s": 0.04,
    } | changes
    np.savez(path, **{k: v for k, v in arrays.items() if v is not None})
    return str(path)


def test_a_film_is_one_condition_and_every_repeat_a_trial(tmp_path: Path) -> None:
    path = write(tmp_path / "day1.npz")
    spikes = np.load(path)["spikes"]
    film = read_film(path)
    session = film.sessions[0]
    np.testing.assert_array_equal(session.counts, spikes.transpose(0, 2, 1))
    assert (film.stimuli.n_conditions, film.stimuli.n_frames) == (1, 25)
    assert (session.name, session.bin_s, film.stimuli.frame_s) == ("day1", 0.05, 0.04)
    assert read_film(path, frame_size=3).stimuli.frame_shape == (1, 3, 3)
    line = training_line(film, [f"recording.path={path}"])
    assert line.endswith(f"recording.path={path} experiment=continuous")
    typed = ["experiment=mine", f"recording.path={path}"]  # what was typed is not said again
    assert training_line(film, typed).split() == ["mua-decode", "train", *typed]


def test_sessions_of_one_film_are_pooled_and_a_single_presentation_needs_no_axis(
    tmp_path: Path,
) -> None:
    write(tmp_path / "a.npz")
    write(tmp_path / "b.npz", spikes=np.ones((5, 20), np.uint8))
    film = read_film(str(tmp_path))
    assert [s.n_trials for s in film.sessions] == [3, 1]
    write(tmp_path / "c.npz", frames=np.zeros((25, 6, 6), np.uint8))
    with pytest.raises(InputError, match="another film"):
        read_film(str(tmp_path))


def test_an_uneven_clock_is_laid_on_an_even_one(tmp_path: Path) -> None:
    clock = np.arange(25) * 0.04
    clock[10:] += 0.08  # two frames were dropped: the ninth stood for as long
    path = write(tmp_path / "a.npz", frame_s=None, frame_times=clock)
    film = read_film(path)
    frames = np.load(path)["frames"]
    shown = [*range(10), 9, 9, *range(10, 25)]
    np.testing.assert_array_equal(film.stimuli.videos[0, :, 0], frames[shown])
    assert "0.08 s off" in film.notes[0]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"spikes": np.zeros((2, 2, 2, 2), np.uint8)}, "spikes must be"),
        ({"frames": np.zeros((5, 4), np.uint8)}, "frames must be"),
        ({"frames": None}, "no array 'frames'"),
        ({"bin_s": -1.0}, "bin_s must be one number"),
        ({"frame_times": np.zeros(25)}, "rising"),
        ({"spikes": np.array([[{}]], object)}, "could run code"),
    ],
)
def test_what_cannot_be_read_is_said(tmp_path: Path, changes: dict, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_film(write(tmp_path / "a.npz", **changes))


def test_the_real_film(real_data: Path) -> None:
    film = read_film(str(real_data / "macaque_v1_natural_movie" / "natural.npz"), frame_size=8)
    assert film.sessions[0].counts.shape == (120, 600, 74)
    assert film.stimuli.videos.shape == (1, 750, 1, 8, 8)
