"""Which frame a bin is paired with, and what is said of frames that are dropped."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mua_decode.commands.main import main
from mua_decode.data import DecodingData, PseudoTrialPlan, SplitPlan, Window
from mua_decode.recordings import write_recording
from mua_decode.types import InputError, Recording
from tests.conftest import make_session, make_stimuli

FILM_S = 0.04


def made(n_frames: int) -> Recording:
    """Frames at 25 Hz whose grey level is ten times their number; counts in 10 ms bins."""
    stimuli = make_stimuli(4, n_frames=n_frames, frame_s=FILM_S)
    videos = np.broadcast_to(
        10 * np.arange(n_frames, dtype=np.uint8)[:, None, None, None], stimuli.videos.shape[1:]
    )
    stimuli = replace(stimuli, videos=np.stack([videos] * 4))
    fine = make_stimuli(4, n_frames=4 * n_frames, frame_s=0.01)
    session = replace(make_session("s", fine, trials=10), bin_s=0.01, window_s=0.01)
    return Recording(name="r", sessions=(session,), stimuli=stimuli)


def data(*, n_frames: int = 25, width_s: float = 0.05, **options: object) -> DecodingData:
    return DecodingData(
        made(n_frames),
        window=Window(width_s=width_s, step_s=width_s),
        split=SplitPlan(),
        pseudo=PseudoTrialPlan(per_condition=10, draw="site", fresh=True),
        **options,  # type: ignore[arg-type]
    )


def greys(found: DecodingData) -> np.ndarray:
    return found.stimuli.videos[0, :, 0, 0, 0].astype(float)


def test_every_fifth_frame_is_dropped_and_that_is_said() -> None:
    nearest = data()
    assert len(greys(nearest)) == 20
    assert len(set(greys(nearest)) & set(range(0, 250, 10))) == 20
    note = "5 of 25 frames are dropped (frames of 0.04 s, bins of 0.05 s, data.frames=nearest)"
    assert any(note in n for n in nearest.notes)
    assert not any("dropped" in n for n in data(width_s=0.04).notes)
    assert any("mean of its frames" in n for n in data(frames="mean").notes)


def test_inspect_says_so_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_recording(made(25), tmp_path / "r.h5")
    where = ["inspect", "recording=native", f"recording.path={tmp_path / 'r.h5'}"]
    main([*where, "data.window.width_s=0.05", "data.window.step_s=0.05"])
    assert "note: 5 of 25 frames are dropped" in capsys.readouterr().out
    main([*where, "data.window.width_s=0.04", "data.window.step_s=0.04"])
    assert "dropped" not in capsys.readouterr().out
    main([*where, "data.window.width_s=0.015", "data.window.step_s=0.015"])
    assert "cannot be trained on" in capsys.readouterr().out


def test_means_and_lines_between_frames() -> None:
    # A grey level that grows with time, 250 a second: what a bin shows is known exactly.
    bins = np.arange(20) * 0.05
    linear = greys(data(frames="linear"))
    np.testing.assert_allclose(linear, np.clip((bins + 0.025) * 250 - 5, 0, 240), atol=0.51)
    mean = greys(data(frames="mean"))
    fine = (np.arange(5000) + 0.5) / 5000
    expected = (10 * np.floor(fine / FILM_S)).reshape(20, -1).mean(1)
    np.testing.assert_allclose(mean, expected, atol=0.51)
    # Bins as long as the frames have them as they are.
    for kind in ("nearest", "mean", "linear"):
        np.testing.assert_array_equal(greys(data(width_s=0.04, frames=kind)), 10 * np.arange(25))


def test_spikes_follow_frames_by_the_lag() -> None:
    plain, late = greys(data(width_s=0.04)), data(width_s=0.04, lag_s=0.08)
    np.testing.assert_array_equal(greys(late)[2:], plain[:-2])
    assert greys(late)[:2].tolist() == [0, 0]
    assert any("2 bins before the first frame of 25" in n for n in late.notes)
    early = data(width_s=0.04, lag_s=-0.04)
    np.testing.assert_array_equal(greys(early)[:-1], plain[1:])
    assert any("1 bins behind the last" in n for n in early.notes)
    np.testing.assert_array_equal(
        greys(data(width_s=0.04, lag_s=0.08, frames="mean"))[2:], plain[:-2]
    )
    assert [(s.start, s.stop) for s in late.stimuli.segments] == [(0, 14), (14, 25)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"frames": "middle"}, "choose from nearest, mean, linear"),
        ({"lag_s": 2.0}, "the videos last 1 s"),
        ({"lag_s": float("nan")}, "expected seconds"),
    ],
)
def test_mistakes_are_named(options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        data(**options)
