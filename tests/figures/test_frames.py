from io import BytesIO

import numpy as np
import pytest

from mua_decode.figures import frames
from mua_decode.types import InputError, Segment


@pytest.mark.parametrize(("channels", "n_frames"), [(1, 1), (1, 11), (3, 45)])
def test_strips_of_any_length_and_colour(channels, n_frames):
    true = np.random.default_rng(0).random((2, channels, n_frames, 8, 6))
    segments = (Segment("all of it", 0, n_frames),)
    figure = frames(true, 1 - true, names=["a", "b"], segments=segments, frame_s=0.1, n_columns=10)
    figure.savefig(BytesIO(), format="png")
    n = min(10, n_frames)
    first, last = figure.axes[0], figure.axes[-1]
    assert len(first.images) == 2 * n
    np.testing.assert_allclose(
        np.asarray(first.images[n - 1].get_array()), true[0, :, -1].transpose(1, 2, 0).squeeze()
    )
    np.testing.assert_allclose(
        np.asarray(first.images[n].get_array()), 1 - true[0, :, 0].transpose(1, 2, 0).squeeze()
    )
    assert last.get_xlabel() == "start of frame (s)"
    assert last.get_xticklabels()[-1].get_text() == f"{(n_frames - 1) * 0.1:.1f}"
    assert [t.get_text() for t in first.texts] == ["all of it"]


def test_what_does_not_fit_is_refused():
    video = np.zeros((2, 1, 3, 4, 4))
    options = {"names": ["a", "b"], "segments": (), "frame_s": 0.1}
    with pytest.raises(InputError, match="predicted videos must be"):
        frames(video, video[:1], **options)
    with pytest.raises(InputError, match="C = 1 or 3"):
        frames(video[0], video[0], **options)
    with pytest.raises(InputError, match="2 names"):
        frames(video, video, names=["a"], segments=(), frame_s=0.1)
