import numpy as np
import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf

from mua_decode.metrics import PixelCorrelation, Shown
from mua_decode.metrics.pixel_correlation import correlate


def test_correlation_equals_numpy_and_ignores_brightness_and_contrast():
    generator = torch.Generator().manual_seed(0)
    y = torch.rand(4, 3, 5, 6, 7, generator=generator)
    x = 0.9 + 0.1 * (0.5 * y + 0.5 * torch.rand(y.shape, generator=generator))
    metric = instantiate(OmegaConf.load("conf/metric/pixel_correlation.yaml"))
    shown = Shown(y, torch.arange(4), y)
    value = metric(x, shown)
    pairs = zip(x.double().numpy(), y.double().numpy(), strict=True)
    expected = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in pairs]
    np.testing.assert_allclose(value.numpy(), expected, atol=1e-5)
    torch.testing.assert_close(metric(0.2 * x + 0.3, shown), value, atol=1e-4, rtol=0)


@pytest.mark.parametrize(("place", "channel"), enumerate(("red", "green", "blue")))
def test_a_channel_is_correlated_by_itself(place: int, channel: str) -> None:
    y = torch.rand(2, 3, 4, 5, 5, generator=torch.Generator().manual_seed(1))
    x = torch.rand(y.shape, generator=torch.Generator().manual_seed(2))
    x[:, place] = 0.2 + 0.5 * y[:, place]  # planted in this channel alone
    shown = Shown(y, torch.arange(2), y)
    metric = instantiate(OmegaConf.load(f"conf/metric/{channel}_correlation.yaml"))
    assert metric.name == f"{channel}_correlation"
    torch.testing.assert_close(metric(x, shown), torch.ones(2), atol=1e-5, rtol=0)
    for other in {"red", "green", "blue"} - {channel}:
        assert PixelCorrelation(other)(x, shown).abs().max() < 0.3
    grey = Shown(y[:, :1], torch.arange(2), y[:, :1])
    assert metric(x[:, :1], grey).isnan().all()


def test_other_channels_are_refused() -> None:
    with pytest.raises(ValueError, match="red, green, blue"):
        PixelCorrelation("yellow")


def test_a_constant_image_has_no_correlation():
    y = torch.rand(3, 1, 2, 4, 4)
    x = y.clone()
    x[0] = 0.3  # not a binary fraction: its mean is not exactly itself
    y[1] = 0.7
    value = PixelCorrelation()(x, Shown(y, torch.zeros(3, dtype=torch.long), y[:1]))
    assert value.isnan().tolist() == [True, True, False]


def test_arrays_are_correlated_along_their_first_axis() -> None:
    x, y = np.random.default_rng(0).normal(size=(2, 30, 4, 2))
    y[:, 1, 1] = 3.0
    found = correlate(x, y)
    assert found.shape == (4, 2)
    assert np.isnan(found[1, 1])
    np.testing.assert_allclose(found[2, 0], np.corrcoef(x[:, 2, 0], y[:, 2, 0])[0, 1], rtol=1e-12)
