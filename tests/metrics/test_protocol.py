import pytest
import torch

from mua_decode.metrics import MSE, Shown


def _shown() -> Shown:
    return Shown(torch.rand(4, 1, 6, 5, 5), torch.tensor([0, 1, 2, 2]), torch.rand(3, 1, 6, 5, 5))


def test_frames_are_views_in_time():
    shown = _shown()
    part = shown.frames(2, 5)
    assert part.video.shape == (4, 1, 3, 5, 5)
    assert part.candidates.data_ptr() == shown.candidates[:, :, 2:].data_ptr()
    torch.testing.assert_close(part.video, shown.video[:, :, 2:5])


@pytest.mark.parametrize("window", [(2, 2), (-1, 3), (3, 7)])
def test_frames_outside_the_video_are_refused(window):
    with pytest.raises(ValueError, match="not within"):
        _shown().frames(*window)


def test_shapes_that_disagree_are_refused():
    video = torch.rand(4, 1, 6, 5, 5)
    with pytest.raises(ValueError, match="candidates"):
        Shown(video, torch.zeros(4, dtype=torch.long), torch.rand(3, 1, 5, 5, 5))
    with pytest.raises(ValueError, match="condition"):
        Shown(video, torch.zeros(3, dtype=torch.long), video)
    with pytest.raises(ValueError, match=r"candidates 0\.\.3"):
        Shown(video, torch.full((4,), 4), video)
    with pytest.raises(ValueError, match="predicted must be"):
        MSE()(video[:2], _shown())
