import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf

from mua_decode.metrics import CueDifference, CuePixels, Shown


def cue(level: float) -> torch.Tensor:
    """An outline of so bright a line on a dark frame, (1, 3, 4, 32, 32)."""
    video = torch.full((1, 3, 4, 32, 32), 0.1)
    video[..., 8, 8:24] = video[..., 24, 8:24] = level
    return video


def shown(video: torch.Tensor) -> Shown:
    return Shown(video, torch.arange(len(video)), video)


def test_config_names_the_metric() -> None:
    metric = instantiate(OmegaConf.load("conf/metric/cue_difference.yaml"))
    assert isinstance(metric, CueDifference)
    assert metric.segment == "cue"


def test_a_paler_outline_differs_in_pixels_as_they_are_and_in_none_that_change_sides() -> None:
    true, paler = cue(0.9), cue(0.7)
    assert CueDifference()(true, shown(true)).item() == 0
    expected = 255 * 0.2 * 32 / 32**2
    assert CueDifference()(paler, shown(true)).item() == pytest.approx(expected, rel=1e-4)
    assert CuePixels()(paler, shown(true)).item() == 0


def test_flicker_averages_out_and_nan_shows() -> None:
    true = cue(0.9)
    flicker = true.clone()
    flicker[:, :, ::2] += 0.05
    flicker[:, :, 1::2] -= 0.05
    assert CueDifference()(flicker, shown(true)).item() == pytest.approx(0, abs=1e-3)
    flicker[0, 0, 0, 0, 0] = float("nan")
    assert CueDifference()(flicker, shown(true)).isnan().all()
