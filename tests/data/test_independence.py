from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from mua_decode.data import DecodingData, PseudoTrialPlan, SplitPlan
from mua_decode.data.independence import condition_groups, group_means, unit_of
from mua_decode.types import Recording

Build = Callable[..., Recording]


def linked(recording: Recording) -> Recording:
    """Conditions 1 and 3 share the presentations of one session."""
    condition = recording.sessions[0].condition
    repeat = np.concatenate([np.arange(n) for n in np.bincount(condition)])
    name = np.where(condition % 2 == 1, 1, condition)
    labels = [f"{a}-{b}" for a, b in zip(name, repeat, strict=True)]
    first = recording.sessions[0]
    first = replace(first, trials=first.trials.assign(presentation=labels))
    return replace(recording, sessions=(first, *recording.sessions[1:]))


def test_conditions_that_share_presentations_are_one_group(build_recording: Build) -> None:
    recording = build_recording(2)
    assert condition_groups(recording).tolist() == [0, 1, 2, 3]
    assert condition_groups(linked(recording)).tolist() == [0, 1, 2, 1]
    data = DecodingData(
        linked(recording), window=None, split=SplitPlan(), pseudo=PseudoTrialPlan(per_condition=10)
    )
    assert condition_groups(data).tolist() == [0, 1, 2, 1]
    other = DecodingData(
        linked(recording), window=None, split=SplitPlan(), sessions=["s1"],
        pseudo=PseudoTrialPlan(per_condition=10),
    )  # fmt: skip
    assert condition_groups(other).tolist() == [0, 1, 2, 3]


def test_means_of_groups_leave_out_what_is_missing() -> None:
    groups = np.array([0, 1, 2, 1, 2])
    values = np.array([1.0, 2.0, np.nan, 4.0, np.nan])
    np.testing.assert_array_equal(group_means(values, groups), [1, 3, np.nan])
    np.testing.assert_array_equal(group_means(np.eye(2), np.array([1, 1])), [[0.5, 0.5]])
    assert unit_of(np.arange(4)) == "conditions"
    assert unit_of(groups) == "groups of conditions that share recorded trials"
