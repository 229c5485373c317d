import cv2
import numpy as np
import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from scipy.ndimage import gaussian_filter
from torch import Tensor

from mua_decode.metrics import (
    FarnebackParameters,
    Motion,
    Shown,
    circular_difference_deg,
    circular_mean_deg,
    circular_sd_deg,
)
from mua_decode.metrics.aperture import RADIUS, disc
from mua_decode.metrics.optical_flow import MeanFlow
from mua_decode.simulation import (
    CueParameters,
    DotParameters,
    Palette,
    StimulusParameters,
    TrialTiming,
    render_stimuli,
)

DIRECTIONS = (90.0, 30.0, -30.0, -90.0)
FRAME_S = 0.1


def dots(px_per_frame: float, *, variants: int) -> Tensor:
    """Dots in the four directions; (4, variants, 3, 30, 32, 32)."""
    stimuli = render_stimuli(
        StimulusParameters(
            timing=TrialTiming(fixation_s=FRAME_S, cue_s=FRAME_S, frame_s=FRAME_S),
            cues=CueParameters(outlines=["cross"]),
            palette=Palette(names=["green"], hues_deg=[150]),
            dots=DotParameters(speed_px_s=px_per_frame / FRAME_S),
            directions_deg=DIRECTIONS,
            variants=variants,
        ),
        seed=np.random.SeedSequence(0),
    )
    video = stimuli.videos[:, 2:].swapaxes(1, 2).astype(np.float32) / 255
    return torch.from_numpy(video).reshape(4, variants, *video.shape[1:])


@pytest.fixture(scope="module")
def average() -> Tensor:
    """Mean of 60 videos per direction at 0.8 pixels per frame; (4, 3, 30, 32, 32)."""
    return dots(0.8, variants=60).mean(1)


def error(video: Tensor, directions: object = DIRECTIONS) -> np.ndarray:
    return np.abs(circular_difference_deg(Motion().direction(video).numpy(), directions))  # type: ignore[arg-type]


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def test_config_names_the_metric() -> None:
    metric = instantiate(OmegaConf.load("conf/metric/motion.yaml"))
    mine, default = vars(metric), vars(Motion())
    assert {k: v for k, v in mine.items() if k != "_shown"} == {
        k: v for k, v in default.items() if k != "_shown"
    }


@pytest.mark.parametrize("px_per_frame", [0.3, 0.5, 0.8, 1.1])
def test_true_videos_have_the_rendered_direction(px_per_frame: float) -> None:
    video = dots(px_per_frame, variants=60)
    assert (error(video.mean(1)) < 4).all()
    assert (error(video[:, :12].mean(1)) < 8).all()
    assert (error(video[:, 0]) < 15).all()  # single videos; NaN would fail


def test_blurred_and_noisy_averages_keep_their_direction(average: Tensor) -> None:
    decoded = gaussian_filter(average.numpy(), (0, 0, 0, 1, 1)) + 0.015 * noise(*average.shape)
    assert (error(torch.from_numpy(decoded)) < 5).all()


def test_metric_is_the_angle_to_the_condition_shown(average: Tensor) -> None:
    metric = Motion()
    condition = torch.tensor([0, 1, 2, 3])
    for predicted, expected in (
        (average, [0, 0, 0, 0]),
        (average.flip(0), [180, 60, 60, 180]),
        (average.roll(1, 0), [180, 60, 60, 60]),
    ):
        value = metric(predicted, Shown(average, condition, average))
        np.testing.assert_allclose(value, expected, atol=4)
    # the single video shown with a trial plays no part
    other = Shown(average.flip(0), condition, average)
    assert metric(average, other).tolist() == [0, 0, 0, 0]


def test_grey_videos_of_other_sizes_are_measured_too(average: Tensor) -> None:
    grey = average.mean(1, keepdim=True)
    assert (error(grey) < 4).all()
    large = torch.nn.functional.interpolate(grey, scale_factor=(1, 2, 2), mode="trilinear")
    assert (error(large) < 6).all()


def test_what_does_not_move_has_no_direction(average: Tensor) -> None:
    metric = Motion()
    still = average.mean((0, 2), keepdim=True).expand(1, -1, 30, -1, -1)
    nothing = torch.cat([torch.full_like(still, 0.3), torch.zeros_like(still), still])
    assert metric.status(nothing) == ["no motion"] * 3
    assert metric.direction(nothing).isnan().all()
    candidates = torch.cat([average[:1], still])
    shown = Shown(average[:2], torch.tensor([0, 1]), candidates)
    assert metric(average[:2], shown).isnan().tolist() == [False, True]
    assert metric(nothing[:2], shown).isnan().all()
    between = average[[0, 3]].mean(0, keepdim=True)  # up and down at once
    assert metric.direction(between).isnan().all()


def test_noise_has_no_direction(average: Tensor) -> None:
    still = average.mean((0, 2), keepdim=True).numpy()
    alone = 0.5 + 0.1 * noise(10, 3, 30, 32, 32)
    flicker = still + 0.01 * noise(10, 3, 30, 32, 32)
    status = Motion().status(torch.from_numpy(np.concatenate([alone, flicker])))
    assert status == ["incoherent"] * 10 + ["no motion"] * 10


@pytest.mark.parametrize("px_per_frame", [2.0, 3.0])
def test_motion_too_fast_to_follow_is_said_to_be(px_per_frame: float) -> None:
    single = dots(px_per_frame, variants=3).flatten(0, 1)
    assert Motion().status(single) == ["aliased"] * 12
    unguarded = Motion(min_ratio=0, min_coherence=0).direction(single).numpy()
    wrong = np.abs(circular_difference_deg(unguarded, np.repeat(DIRECTIONS, 3)))
    assert wrong.max() > 30
    assert Motion().direction(single).isnan().all()


def test_at_the_limit_hardly_any_passes_and_what_passes_is_right() -> None:
    single = dots(1.5, variants=8).flatten(0, 1)
    wrong = error(single, np.repeat(DIRECTIONS, 8))
    assert np.isnan(wrong).mean() > 0.9
    assert not (wrong > 15).any()


def test_a_pixel_that_is_not_finite(average: Tensor) -> None:
    broken = average.clone()
    broken[1, 0, 3, 0, 0] = float("nan")
    broken[2, 0, 3, 0, 0] = float("inf")
    assert Motion().status(broken) == ["ok", "not finite", "not finite", "ok"]
    assert Motion().direction(broken).isnan().tolist() == [False, True, True, False]


def test_flow_is_in_pixels_per_frame_with_y_up() -> None:
    at = np.linspace(0, 4 * np.pi, 40)
    pattern = np.sin(at)[:, None] + np.sin(at)[None]
    frames = [np.roll(pattern, (-t, -t), axis=(0, 1))[4:36, 4:36] for t in range(4)]  # left and up
    video = torch.from_numpy(np.stack(frames).astype(np.float32) / 4 + 0.5)[None, None]
    for gap in (1, 2):
        metric = Motion(gap=gap)
        found = FarnebackParameters().between(255 * video[0, 0].numpy(), gap=gap)
        mean = MeanFlow.of(found, inside=disc(32, 32, radius=RADIUS).numpy(), gap=gap)
        np.testing.assert_allclose(mean.vector, [-1, 1], atol=0.1)
        np.testing.assert_allclose(metric.direction(video), [135], atol=2)


def test_threads_of_opencv_are_left_as_they_were(average: Tensor) -> None:
    before = cv2.getNumThreads()
    cv2.setNumThreads(2)
    try:
        Motion().direction(average)
        assert cv2.getNumThreads() == 2
    finally:
        cv2.setNumThreads(before)


def test_videos_too_short_or_too_small() -> None:
    metric = Motion()
    assert metric.not_applicable((3, 30, 32, 32)) is None
    assert metric.not_applicable((1, 2, 32, 32)) == "needs more than 2 frames, found 2"
    assert metric.not_applicable((1, 9, 4, 32)) == "needs frames of 8 pixels or more, found 4 x 32"
    short = torch.rand(2, 1, 2, 32, 32)
    with pytest.raises(ValueError, match="needs more than 2 frames"):
        metric.direction(short)
    assert metric(short, Shown(short, torch.tensor([0, 1]), short)).isnan().all()


def test_angles_wrap_around() -> None:
    nan = float("nan")
    difference = circular_difference_deg(np.array([170.0, 90, nan]), np.array([-170.0, -60, 0]))
    np.testing.assert_allclose(difference, [-20, 150, nan])
    assert abs(circular_mean_deg(np.array([179.0, -177, nan]))) == pytest.approx(179)
    assert circular_sd_deg(np.array([178.0, -178, nan])) == pytest.approx(2, rel=1e-3)
    assert np.isnan(circular_mean_deg(np.array([0.0, 180])))
    assert np.isnan(circular_mean_deg(np.array([nan])))
    assert np.isnan(circular_sd_deg(np.array([nan])))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Motion(gap=0), "gap must be at least 1"),
        (lambda: Motion(min_ratio=1.5), "found 0.4 and 1.5"),
        (lambda: FarnebackParameters(pyr_scale=1.0), r"pyr_scale must be in \(0, 1\)"),
        (lambda: FarnebackParameters(poly_n=4), "poly_n must be odd"),
        (lambda: FarnebackParameters(flags=4), "no initial flow"),
    ],
)
def test_options_out_of_range(make, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=message):
        make()
