import cv2
import numpy as np
import pytest

from mua_decode.simulation import (
    CueParameters,
    DotParameters,
    FrameParameters,
    Palette,
    StimulusParameters,
    TrialTiming,
    render_stimuli,
)
from mua_decode.types import InputError, StimulusSet

CROSS = CueParameters(outlines=["cross"])
GREEN = Palette(names=["green"], hues_deg=[150])


def render(seed: int = 0, **options: object) -> StimulusSet:
    return render_stimuli(StimulusParameters(**options), seed=np.random.SeedSequence(seed))  # type: ignore[arg-type]


def flow_angle_deg(video: np.ndarray) -> float:
    """Direction of the mean Farneback flow between frames two apart, (T, 3, H, W) 0..255."""
    frames = np.rint(video).astype(np.uint8).transpose(0, 2, 3, 1)
    grey = [cv2.cvtColor(np.ascontiguousarray(f), cv2.COLOR_RGB2GRAY) for f in frames]
    flows = [
        cv2.calcOpticalFlowFarneback(a, b, None, 0.5, 3, 15, 3, 5, 1.2, 0)  # type: ignore[call-overload]
        for a, b in zip(grey[:-2], grey[2:], strict=True)
    ]
    dx, dy_down = np.mean(flows, axis=(0, 1, 2))
    return float(np.degrees(np.arctan2(-dy_down, dx)))


@pytest.mark.parametrize("speed", [3.0, 8.0, 11.0])
def test_mean_video_flows_in_the_rendered_direction(speed: float) -> None:
    stimuli = render(cues=CROSS, palette=GREEN, dots=DotParameters(speed_px_s=speed))
    start = stimuli.segments[2].start
    for k, direction in enumerate(stimuli.conditions["direction_deg"]):
        mean = stimuli.videos[stimuli.variants(k), start:].mean(axis=0)
        assert flow_angle_deg(mean) == pytest.approx(direction, abs=4)


def test_default_set_is_the_task() -> None:
    stimuli = render(variants=1)
    assert stimuli.n_conditions == 64
    assert stimuli.videos.shape == (64, 45, 3, 32, 32)
    spans = [(s.name, s.stop - s.start, s.weight) for s in stimuli.segments]
    assert spans == [("fixation", 5, 1.0), ("cue", 10, 2.0), ("stimulus", 30, 5.0)]
    table = stimuli.conditions
    assert table["name"].is_unique
    assert [table[c].nunique() for c in ("cue", "colour", "direction_deg")] == [4, 4, 4]
    assert table.groupby("cue").size().tolist() == [16] * 4


def test_segments_show_what_they_should() -> None:
    stimuli = render(variants=3, palette=GREEN, directions_deg=[90.0])
    by_condition = stimuli.videos.reshape(4, 3, 45, 3, 32, 32)
    np.testing.assert_array_equal(by_condition[:, 0, :15], by_condition[:, 2, :15])
    assert (by_condition[:, 0, 15:] != by_condition[:, 1, 15:]).any()
    fixation, cue = by_condition[0, 0, 0], by_condition[0, 0, 7]
    assert (stimuli.videos[:, :, :, 15:17, 15:17] > 200).all()  # the point stays throughout
    assert fixation[0, 16, 1] > 40  # saccade targets
    assert fixation[0, 16, 30] > 40
    assert np.ptp(cue, axis=0).max() == 0  # grey
    assert (cue != fixation).sum() > 3 * 60


def test_dots_keep_to_the_aperture_and_average_to_a_ramp() -> None:
    stimuli = render(cues=CROSS, palette=GREEN, directions_deg=[90.0])
    mean = stimuli.videos[:, 15:].mean(axis=0)[:, 1]
    row, col = np.indices((32, 32)) - 15.5
    eccentricity = np.hypot(row, col)
    outside = (eccentricity > 12) & (np.abs(col) < 12)
    assert (stimuli.videos[:, 15:, :, outside] == 20).all()
    disc = (eccentricity < 9) & (eccentricity > 3)
    lower, upper = mean[:, disc & (row > 3)].mean(axis=1), mean[:, disc & (row < -3)].mean(axis=1)
    assert abs(lower[0] - upper[0]) < 4
    assert upper[10] - lower[10] > 30  # a second after onset
    assert upper[-1] - lower[-1] > 30


def test_any_resolution_shows_the_same_scene() -> None:
    scene = {"variants": 1, "cues": CROSS, "palette": GREEN, "directions_deg": [30.0]}
    small = render(**scene)
    large = render(frame=FrameParameters(resolution=2.0, supersampling=2), **scene)
    assert large.frame_shape == (3, 64, 64)
    pooled = large.videos.reshape(1, 45, 3, 32, 2, 32, 2).mean(axis=(4, 6))
    difference = np.abs(pooled - small.videos)
    difference[..., 14:18, 14:18] = 0  # the rim of the fixation point blends with dots below it
    assert difference.max() <= 1


def test_the_crop_is_the_centre_of_the_rendered_frame() -> None:
    scene = {"variants": 1, "cues": CROSS, "palette": GREEN, "directions_deg": [30.0]}
    crop = render(**scene)
    whole = render(frame=FrameParameters(crop_px=64), **scene)
    np.testing.assert_array_equal(whole.videos[..., 16:48, 16:48], crop.videos)


def test_other_timing_and_one_frame_each() -> None:
    timing = TrialTiming(fixation_s=0.05, cue_s=0.05, stimulus_s=0.05, frame_s=0.05)
    assert render(timing=timing, variants=1, cues=CROSS).n_frames == 3


def test_seeds() -> None:
    scene = {"variants": 2, "cues": CROSS, "palette": GREEN}
    assert (render(0, **scene).videos == render(0, **scene).videos).all()
    assert (render(0, **scene).videos != render(1, **scene).videos).any()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TrialTiming(cue_s=0.25), "cue of 0.25 s is not a whole number of 0.1 s steps"),
        (lambda: TrialTiming(frame_s=0.0), "frame_s must be > 0, found 0"),
        (lambda: FrameParameters(crop_px=33), "crop_px 33 is not a central crop"),
        (lambda: FrameParameters(background=256), "background must be .* found 256"),
        (lambda: StimulusParameters(variants=0), "variants must be a whole number >= 1, found 0"),
        (lambda: StimulusParameters(directions_deg=[]), "every direction once"),
        (lambda: StimulusParameters(directions_deg=[90, -270]), "every direction once"),
        (lambda: StimulusParameters(directions_deg=[float("nan")]), "found nan"),
    ],
)
def test_errors(make, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match=message):
        make()
