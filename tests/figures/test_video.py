from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest

from mua_decode.figures import write_video
from mua_decode.types import InputError, Segment


def _videos(channels: int, n_frames: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 2, (2, channels, n_frames, 5, 7)).astype(float)


@pytest.mark.parametrize("suffix", [".gif", ".mp4"])
@pytest.mark.parametrize(("channels", "n_frames"), [(1, 1), (3, 6)])
def test_true_left_and_decoded_right(tmp_path, suffix, channels, n_frames):
    true = _videos(channels, n_frames)
    path = write_video(
        tmp_path / f"film{suffix}",
        true,
        1 - true,
        names=["a", "b"],
        segments=(Segment("movie", 0, n_frames),),
        frame_s=0.1,
        least_px=60,
    )
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    images = iio.imread(path, plugin="pillow" if suffix == ".gif" else "FFMPEG")
    images = images.reshape(-1, *images.shape[-3:])
    assert len(images) == n_frames
    scale, top, left = 12, 44, 8
    right = 2 * left + 7 * scale
    centre = scale // 2
    for start, expected in ((left, true), (right, 1 - true)):
        found = images[:, top + centre : top + 5 * scale : scale, start + centre :: scale][:, :, :7]
        expected = np.broadcast_to(expected[0].transpose(1, 2, 3, 0), found.shape)
        # luminance only: H.264 stores colour at half the resolution
        np.testing.assert_allclose(found.mean(-1) / 255, expected.mean(-1), atol=0.25)


def test_a_failure_leaves_no_file(tmp_path, monkeypatch):
    def fail(path, content):
        with path.open("wb") as file:
            file.write(content[:9])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", fail)
    video = _videos(1, 2)
    with pytest.raises(InputError, match=r"film\.gif cannot be written: No space"):
        write_video(tmp_path / "film.gif", video, video, names=["a", "b"], segments=(), frame_s=0.1)
    assert not list(tmp_path.iterdir())


def test_bad_paths_and_speeds_are_refused(tmp_path):
    video = _videos(1, 2)
    options = {"names": ["a", "b"], "segments": ()}
    with pytest.raises(InputError, match=r"\.gif or \.mp4"):
        write_video(tmp_path / "film.avi", video, video, frame_s=0.1, **options)
    with pytest.raises(InputError, match="does not exist"):
        write_video(tmp_path / "no" / "film.gif", video, video, frame_s=0.1, **options)
    with pytest.raises(InputError, match="frame_s must be > 0"):
        write_video(tmp_path / "film.gif", video, video, frame_s=0.0, **options)
