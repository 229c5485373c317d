"""Colours and directions of regions alone: what is planted is found, a silent region is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from mua_decode.analyses.isolate.measures import (
    DECODED,
    NOISE,
    Frames,
    colour_tests,
    frame_rows,
    measure_alone,
    summarise,
)
from mua_decode.data import Batch
from mua_decode.figures import seen
from mua_decode.metrics import Colour, Motion
from mua_decode.scoring.averages import Averages, as_bytes
from mua_decode.scoring.measures import colour_against_all, measure_videos
from mua_decode.simulation import (
    CueParameters,
    FrameParameters,
    StimulusParameters,
    TrialTiming,
    render_stimuli,
)

STIMULI = render_stimuli(
    StimulusParameters(
        timing=TrialTiming(fixation_s=0.1, cue_s=0.1, stimulus_s=1.2),
        frame=FrameParameters(),
        cues=CueParameters(outlines=["cross"]),
        directions_deg=[90, 30, -30, -90],
        variants=20,
    ),
    seed=np.random.SeedSequence(0),
)
TRUE = torch.from_numpy(STIMULI.mean_videos()).permute(0, 2, 1, 3, 4).contiguous()
NOISE_VIDEOS = torch.rand(10, *TRUE.shape[1:], generator=torch.Generator().manual_seed(0))
K = len(TRUE)
ABOUT = {"metrics": [Colour(), Motion()], "stimuli": STIMULI}


def averaged(videos: torch.Tensor) -> Averages:
    """Averages of a decoder that shows these videos."""
    averages = Averages(TRUE)
    batch = Batch(
        spikes=torch.zeros(K, 1, 1), video=TRUE, condition=torch.arange(K), row=torch.arange(K)
    )
    for _ in averages.over(lambda _: videos, [batch]):
        pass
    return averages


def measured(videos: torch.Tensor, mask: str) -> pd.DataFrame:
    return measure_alone(averaged(videos), NOISE_VIDEOS, **ABOUT).assign(mask=mask)


RIGHT = measured(TRUE, "only MT")
MEAN = measured(TRUE.mean(0, keepdim=True).expand_as(TRUE), "only PFC")


def test_colours_and_spread_of_directions_tell_a_region_from_a_silent_one() -> None:
    table = summarise(pd.concat([RIGHT, MEAN])).set_index(["mask", "measure"])
    right, silent = table.loc["only MT"], table.loc["only PFC"]
    assert right["value"]["colour_correlation"] == pytest.approx(1, abs=1e-6)
    assert right["value"]["angle_error"] < 4
    assert right["value"]["angle_sd"] < 4
    assert silent["value"]["angle_sd"] > 50
    assert silent["value"]["colour_correlation"] < 0.99
    assert right["noise"]["angle_sd"] > 50
    assert right["noise"]["colour_correlation"] < 0.9
    intervals = table.xs("colour_correlation", level="measure")
    assert set(intervals["interval_of"]) == {f"these {K} conditions"}
    assert set(intervals["units"]) == {"colours"}
    assert set(intervals["n_units"]) == {4}


def test_an_undefined_direction_counts_as_90_degrees_off_for_every_region() -> None:
    blank = RIGHT.copy()
    own = blank["videos"] == DECODED
    blank.loc[own, "angle_deg"] = np.nan
    table = summarise(blank).set_index("measure")
    assert table["value"]["angle_error"] == 90
    assert table["n_undefined"]["angle_error"] == table["n"]["angle_error"] == K
    assert table["value"]["angle_sd"] == table["value"]["angle_sd_within"] == 90
    one = RIGHT.copy()
    one.loc[one.index[own][0], "angle_deg"] = np.nan
    some = summarise(one).set_index("measure")
    expected = (RIGHT[own]["angle_deg"] - RIGHT[own]["direction_deg"]).abs().to_numpy()
    assert some["value"]["angle_error"] == pytest.approx((90 + expected[1:].sum()) / K, rel=1e-6)


def test_a_constant_direction_has_no_spread_within_a_rendered_one_and_a_large_one_overall() -> None:
    constant = RIGHT.assign(angle_deg=0.0)
    table = summarise(constant).set_index("measure")["value"]
    assert table["angle_sd_within"] == pytest.approx(0, abs=1e-5)
    assert table["angle_sd"] > 60


def test_colour_is_tested_against_noise_inputs_as_published() -> None:
    tests = colour_tests(RIGHT, mask="only MT").frame.set_index(["metric", "test"])
    t = tests.xs("two-sample t, two-sided, equal variances", level="test")
    assert (t["df"] == K + 10 - 2).all()
    assert (t["p"] < 0.001).all()
    noise = RIGHT[RIGHT["videos"] == NOISE]
    alone = colour_against_all(as_bytes(NOISE_VIDEOS), as_bytes(TRUE), **ABOUT)
    each = [
        measure_videos(
            as_bytes(NOISE_VIDEOS[:1]), as_bytes(TRUE[k : k + 1]), conditions=[k], **ABOUT
        )
        for k in range(K)
    ]
    for name in ("colour_correlation", "colour_cosine"):
        assert noise[name].iloc[0] == pytest.approx(np.mean([e[name][0] for e in each]), abs=1e-6)
        np.testing.assert_allclose(noise[name], alone[name])
    as_noise = noise.iloc[np.arange(K) % len(noise)].assign(videos=DECODED)
    nothing = colour_tests(pd.concat([as_noise, noise]), mask="only PFC").frame
    assert (nothing["p"].dropna() > 0.3).all()
    assert len(colour_tests(RIGHT[RIGHT["videos"] == DECODED], mask="x")) == 0


def test_the_picture_has_a_row_for_what_was_shown_for_each_region_and_its_noise(
    tmp_path: Path,
) -> None:
    frames = {
        "MT": Frames.of(averaged(TRUE), NOISE_VIDEOS),
        "PFC": Frames.of(averaged(TRUE), NOISE_VIDEOS[:0]),
    }
    rows = frame_rows(frames)
    assert list(rows) == ["true, average", "MT", "PFC", "MT, noise input"]
    assert rows["MT"].shape == (4, 4, *TRUE.shape[1:2], *TRUE.shape[3:])
    np.testing.assert_array_equal(rows["MT"], rows["true, average"])
    names = [STIMULI.names[k] for k in frames["MT"].conditions]
    figure = seen(rows, names=names, times_s=[0.1, 0.5, 0.8, 1.2], title="x")
    assert len(figure.axes) == 4
    figure.savefig(tmp_path / "seen.png")
    assert (tmp_path / "seen.png").stat().st_size > 1000
