import numpy as np
import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from skimage.metrics import structural_similarity

from mua_decode.metrics import SSIM, Shown
from mua_decode.metrics.ssim import fitting_window


def _reference(x: np.ndarray, y: np.ndarray) -> float:
    """scikit-image's map (C, H, W) on the region where the 11-pixel window fits."""
    _, full = structural_similarity(
        x,
        y,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=1,
        channel_axis=0,
        full=True,
    )
    return float(full[:, 5:-5, 5:-5].mean())


@pytest.mark.parametrize("channels", [1, 3])
def test_ssim_equals_scikit_image(channels):
    generator = torch.Generator().manual_seed(1)
    y = torch.rand(2, channels, 3, 20, 24, generator=generator)
    y[:, :, 1] = 0.95 + 0.05 * y[:, :, 1]  # bright and flat: where float32 is weakest
    x = (y + 0.1 * torch.randn(y.shape, generator=generator)).clamp(0, 1)
    metric = instantiate(OmegaConf.load("conf/metric/ssim.yaml"))
    value = metric(x, Shown(y, torch.arange(2), y))
    for b in range(2):
        frames = [_reference(x[b, :, t].numpy(), y[b, :, t].numpy()) for t in range(3)]
        assert value[b].item() == pytest.approx(np.mean(frames), abs=1e-4)


def test_small_frames_use_the_largest_odd_window_that_fits():
    assert [fitting_window(a, b) for a, b in [(32, 32), (11, 40), (10, 12), (8, 3)]] == [
        11, 11, 9, 3,
    ]  # fmt: skip
    y = torch.rand(2, 1, 1, 8, 6)
    metric = SSIM(data_range=1.0, win_size=11, win_sigma=1.5)
    shown = Shown(y, torch.zeros(2, dtype=torch.long), y[:1])
    torch.testing.assert_close(metric(y, shown), torch.ones(2))
    assert (metric(1 - y, shown) < 0.9).all()
    with pytest.raises(ValueError, match="3 x 3"):
        fitting_window(2, 9)


def test_an_even_window_is_refused():
    with pytest.raises(ValueError, match="odd"):
        SSIM(data_range=1.0, win_size=10, win_sigma=1.5)
