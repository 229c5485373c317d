"""Which conditions are independent, for what is measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from mua_decode.data import DecodingData, PseudoTrialPlan, SplitPlan
from mua_decode.scoring.units import metric_units
from mua_decode.types import Recording
from tests.data.test_independence import linked

EVERY = np.arange(4)
NAMES = ["cue_shape", "colour_error", "direction_error", "ssim"]


def data_of(recording: Recording) -> DecodingData:
    plan = PseudoTrialPlan(per_condition=10)
    return DecodingData(recording, window=None, split=SplitPlan(), pseudo=plan)


def labelled(recording: Recording, **labels: list[object]) -> Recording:
    conditions = recording.stimuli.conditions.assign(**labels)
    return replace(recording, stimuli=replace(recording.stimuli, conditions=conditions))


def test_a_measure_has_the_units_of_what_it_depends_on(
    build_recording: Callable[..., Recording],
) -> None:
    cue, direction = ["cross", "cross", "circle", "circle"], [90.0, -30.0, 90.0, -30.0]
    recording = labelled(build_recording(2), cue=cue, direction_deg=direction, colour=["red"] * 4)
    found = metric_units(data_of(recording), NAMES, conditions=EVERY)
    assert found["cue_shape"].name == "cues"
    assert found["cue_shape"].labels == cue
    assert found["direction_error"].name == "directions"
    assert found["colour_error"].name == "conditions"  # one colour is no factor
    assert found["ssim"].name == "cues × directions"
    assert found["ssim"].labels[1] == "cross × -30.0"
    some = metric_units(data_of(recording), NAMES, conditions=EVERY[:2])
    assert some["ssim"].name == "directions"


def test_without_labels_the_units_are_conditions_or_those_that_share_trials(
    build_recording: Callable[..., Recording],
) -> None:
    plain = metric_units(data_of(build_recording(2)), NAMES, conditions=EVERY)
    assert {u.name for u in plain.values()} == {"conditions"}
    assert not plain["ssim"].shared
    shared = metric_units(data_of(linked(build_recording(2))), NAMES, conditions=EVERY)["ssim"]
    assert shared.name == "groups of conditions that share recorded trials"
    assert shared.labels == ["0", "1", "2", "1"]
