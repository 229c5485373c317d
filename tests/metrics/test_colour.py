import numpy as np
import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch import Tensor

from mua_decode.metrics import Colour, Shown, colour_correlation, colour_cosine
from mua_decode.metrics.aperture import disc, quartile_points
from mua_decode.simulation import (
    CueParameters,
    FrameParameters,
    Palette,
    StimulusParameters,
    TrialTiming,
    render_stimuli,
)


def dots(resolution: float = 1.0) -> Tensor:
    """Dots of four colours, mean of 30 videos; (4, 3, 30, H, W)."""
    stimuli = render_stimuli(
        StimulusParameters(
            timing=TrialTiming(fixation_s=0.1, cue_s=0.1),
            frame=FrameParameters(resolution=resolution),
            cues=CueParameters(outlines=["cross"]),
            directions_deg=[90],
            variants=30,
        ),
        seed=np.random.SeedSequence(0),
    )
    return torch.from_numpy(stimuli.mean_videos()[:, 2:]).transpose(1, 2)


@pytest.fixture(scope="module")
def video() -> Tensor:
    return dots()


def shown(video: Tensor) -> Shown:
    return Shown(video, torch.arange(len(video)), video)


def test_config_names_the_metric(video: Tensor) -> None:
    metric = instantiate(OmegaConf.load("conf/metric/colour.yaml"))
    assert vars(metric) == vars(Colour())
    assert metric.segment == "stimulus"
    assert metric(video, shown(video)).tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize(("height", "width"), [(32, 32), (64, 64), (16, 16), (40, 32)])
def test_points_lie_in_the_aperture_of_any_frame(height: int, width: int) -> None:
    points = quartile_points(height, width, radius=10.5 / 32)
    inside = disc(height, width, radius=10.5 / 32)
    assert len(points) == len(points.unique(dim=0)) == 4
    assert all(inside[row, column] for row, column in points.tolist())
    assert points[0].tolist() == [height // 2, width // 2]  # beside the middle of an even frame
    assert points[3].tolist() == [height // 2 + width * 21 // 128, width // 2 + width * 21 // 128]


@pytest.mark.parametrize("resolution", [1.0, 2.0])
def test_aperture_shows_the_colour_of_the_dots(resolution: float) -> None:
    sample = Colour(points="aperture").sample(dots(resolution))
    assert sample.shape == (4, 1, 3)
    above = sample[:, 0].numpy() - 20  # background: dots cover a share of every pixel
    rgb = Palette().rgb.astype(float) - 20
    share = above / rgb
    np.testing.assert_allclose(share, np.broadcast_to(share.mean(), share.shape), rtol=0.05)


def test_first_of_the_published_points_is_the_fixation_point(video: Tensor) -> None:
    sample = Colour().sample(video)
    assert sample.shape == (4, 4, 3)
    torch.testing.assert_close(sample[:, 0], torch.full((4, 3), 230.0), atol=15, rtol=0)
    assert (sample[:, 0].std(dim=1) < 8).all()  # grey, but for the rim
    assert (sample[:, 1:].std(dim=2) > 15).all()  # coloured
    torch.testing.assert_close(sample[:, 3], 255 * video.mean(2)[:, :, 21, 21])


def test_points_of_the_frame_itself_are_the_literal_reading() -> None:
    points = quartile_points(32, 48, radius=None)
    assert points.tolist() == [[16, 24], [16, 36], [24, 24], [24, 36]]
    frame = torch.zeros(1, 3, 2, 32, 32)
    frame[..., 24, 24] = 1.0
    assert Colour(points="frame").sample(frame)[0, :, 0].tolist() == [0, 0, 0, 255]
    inside = disc(32, 32, radius=10.5 / 32)
    assert [bool(inside[r, c]) for r, c in quartile_points(32, 32, radius=None)] == [1, 1, 1, 0]


@pytest.mark.parametrize("points", ["quartiles", "frame", "aperture"])
def test_error_is_the_mean_difference_in_rgb(video: Tensor, points: str) -> None:
    metric = Colour(points=points)
    shifted = video + torch.tensor([10.0, -20, 0])[:, None, None, None] / 255
    torch.testing.assert_close(metric(shifted, shown(video)), torch.full((4,), 10.0))
    # a change in time that averages out is no error of colour
    wobble = video + 0.1 * torch.tensor([1.0, -1]).repeat(15)[:, None, None]
    torch.testing.assert_close(metric(wobble, shown(video)), torch.zeros(4), atol=1e-3, rtol=0)
    other = metric(video.flip(0), shown(video))
    assert (other > 5).all()


def test_similarities_equal_numpy_and_are_one_for_the_truth(video: Tensor) -> None:
    true = Colour().sample(video)
    noise = torch.randn(true.shape, generator=torch.Generator().manual_seed(0))
    predicted = true + 20 * noise
    for function in (colour_correlation, colour_cosine):
        torch.testing.assert_close(function(true, true), torch.ones(4, dtype=torch.float64))
        both = function(predicted.expand(2, 4, 4, 3), true.expand(2, 4, 4, 3))
        torch.testing.assert_close(both, function(predicted, true).expand(2, 4))
    x, y = predicted.double().flatten(1).numpy(), true.double().flatten(1).numpy()
    pairs = list(zip(x, y, strict=True))
    r = [np.corrcoef(a, b)[0, 1] for a, b in pairs]
    np.testing.assert_allclose(colour_correlation(predicted, true), r)
    c = [a @ b / np.sqrt((a @ a) * (b @ b)) for a, b in pairs]
    np.testing.assert_allclose(colour_cosine(predicted, true), c)


def test_similarity_of_what_has_no_colour_is_undefined() -> None:
    true = torch.rand(2, 4, 3, generator=torch.Generator().manual_seed(0))
    predicted = torch.stack([torch.zeros(4, 3), torch.full((4, 3), 30.0)])
    assert colour_correlation(predicted, true).isnan().all()
    assert colour_cosine(predicted, true).isnan().tolist() == [True, False]
    with pytest.raises(ValueError, match=r"\(\.\.\., P, 3\)"):
        colour_cosine(predicted, true[:1])


def test_videos_without_colour(video: Tensor) -> None:
    grey = video[:, :1]
    assert Colour().not_applicable((3, 30, 32, 32)) is None
    assert Colour().not_applicable((1, 30, 32, 32)) == "needs RGB frames, found 1 channel(s)"
    assert "does not fit a frame of 8 x 32" in str(Colour().not_applicable((3, 30, 8, 32)))
    assert Colour()(grey, shown(grey)).isnan().all()
    with pytest.raises(ValueError, match=r"must be \(B, 3, T, H, W\)"):
        Colour().sample(grey)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"points": "corners"}, "quartiles, frame, aperture"),
        ({"aperture_radius": 0.6}, "found 0.6"),
    ],
)
def test_options_out_of_range(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Colour(**options)  # type: ignore[arg-type]
