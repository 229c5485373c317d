from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mua_decode.data import SplitPlan, split_recording
from mua_decode.types import PARTS, InputError, LeakState, Recording, Split
from tests.conftest import make_session, make_stimuli


def with_presentations(labels: np.ndarray) -> Recording:
    stimuli = make_stimuli()
    session = make_session("s", stimuli, trials=10)
    session = replace(session, trials=session.trials.assign(presentation=labels))
    return Recording(name="r", sessions=(session,), stimuli=stimuli)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), trials=st.integers(3, 25))
def test_every_trial_lies_in_exactly_one_part(seed: int, trials: int) -> None:
    stimuli = make_stimuli()
    session = make_session("s", stimuli, trials=trials)
    recording = Recording(name="r", sessions=(session,), stimuli=stimuli)
    split = split_recording(recording, SplitPlan(), seed=seed)
    joined = np.concatenate([split.trials[p]["s"] for p in PARTS])
    np.testing.assert_array_equal(np.sort(joined), np.arange(session.n_trials))
    for part in PARTS:  # every condition in every part
        assert set(session.condition[split.trials[part]["s"]]) == {0, 1, 2, 3}


def test_seed_zero_is_a_seed_and_seeds_differ(recording: Recording) -> None:
    def test_part(seed: int) -> list[int]:
        return split_recording(recording, SplitPlan(), seed=seed).trials["test"]["s1"].tolist()

    assert test_part(0) == test_part(0)
    assert test_part(0) != test_part(1)


def test_shared_presentations_stay_together() -> None:
    # Trial i of conditions 0 and 1 share data; so do those of 2 and 3.
    labels = np.concatenate([np.arange(10), np.arange(10), np.arange(20, 30), np.arange(20, 30)])
    recording = with_presentations(labels)
    split = split_recording(recording, SplitPlan(), seed=3)
    owner = {p: set(labels[split.trials[p]["s"]]) for p in PARTS}
    assert not owner["train"] & owner["test"]
    assert not owner["train"] & owner["val"]
    assert not owner["val"] & owner["test"]


def test_folds_tile_the_trials(recording: Recording) -> None:
    tests = [
        split_recording(recording, SplitPlan(n_folds=5, fold=f), seed=0).trials["test"]["s2"]
        for f in range(5)
    ]
    joined = np.sort(np.concatenate(tests))
    np.testing.assert_array_equal(joined, np.arange(recording.sessions[2].n_trials))


def test_fewer_trials_than_folds(recording: Recording) -> None:
    with pytest.raises(InputError, match=r"session 's0', condition 0: 10 trials are fewer"):
        split_recording(recording, SplitPlan(n_folds=12), seed=0)


def conditions_of(split: Split, recording: Recording) -> dict[str, list[int]]:
    found: dict[str, set[int]] = {part: set() for part in PARTS}
    for part in PARTS:
        for session in recording.sessions:
            rows = split.trials[part][session.name]
            found[part] |= set(session.condition[rows].tolist())
    return {part: sorted(ks) for part, ks in found.items()}


def everyone(found: dict[str, list[int]]) -> list[int]:
    return sorted(k for ks in found.values() for k in ks)


def shown_once(n: int = 90) -> Recording:
    stimuli = make_stimuli(n)
    session = make_session("s", stimuli, trials=1)
    return Recording(name="r", sessions=(session,), stimuli=stimuli)


def test_held_out_conditions_are_never_trained_on_nor_chosen_by(recording: Recording) -> None:
    plan = SplitPlan(unit="condition", held_out=["c1", "c3"])
    split = split_recording(recording, plan, seed=0)
    assert split.held_out == (1, 3)
    found = conditions_of(split, recording)
    assert found["test"] == [1, 3]
    assert sorted(found["train"] + found["val"]) == [0, 2]  # validation has one of its own
    for session in recording.sessions:  # all trials of a condition are used
        used = sum(len(split.trials[p][session.name]) for p in PARTS)
        assert used == session.n_trials
    none = SplitPlan(unit="condition", held_out=["c1", "c3"], train=0.8, val=0.0)
    found = conditions_of(split_recording(recording, none, seed=0), recording)
    assert (found["train"], found["val"]) == ([0, 2], [])


def test_a_condition_that_shares_data_with_a_held_out_one_leaves_training() -> None:
    labels = np.concatenate([np.arange(10), np.arange(10), np.arange(20, 30), np.arange(30, 40)])
    recording = with_presentations(labels)
    split = split_recording(recording, SplitPlan(unit="condition", held_out=["c0"]), seed=0)
    found = conditions_of(split, recording)
    assert sorted(found["train"] + found["val"]) == [2, 3]
    assert found["test"] == [0]


def test_conditions_shown_once_are_split_and_folded() -> None:
    recording = shown_once()
    split = split_recording(recording, SplitPlan(unit="condition"), seed=0)
    found = conditions_of(split, recording)
    assert [len(found[p]) for p in PARTS] == [63, 9, 18]
    assert everyone(found) == list(range(90))
    folds = []
    for fold in range(5):
        plan = SplitPlan(unit="condition", n_folds=5, fold=fold)
        folds.append(conditions_of(split_recording(recording, plan, seed=0), recording))
        assert everyone(folds[-1]) == list(range(90))
    assert sorted(k for f in folds for k in f["test"]) == list(range(90))
    with pytest.raises(InputError, match=r"too few for train.*data.split.unit=condition"):
        split_recording(recording, SplitPlan(), seed=0)
    with pytest.raises(InputError, match=r"blocks of time can be held apart .*unit=block"):
        split_recording(recording, SplitPlan(block_s=5.0), seed=0)
    few = SplitPlan(unit="condition", train=0.01, val=0.98, test=0.01)
    with pytest.raises(InputError, match=r"3 conditions .* are too few"):
        split_recording(shown_once(3), few, seed=0)


def test_conditions_that_share_data_lie_in_one_part() -> None:
    labels = np.concatenate([np.arange(10), np.arange(10), np.arange(20, 30), np.arange(30, 40)])
    recording = with_presentations(labels)
    for seed in range(6):
        plan = SplitPlan(unit="condition", train=0.5, val=0.0, test=0.5)
        found = conditions_of(split_recording(recording, plan, seed=seed), recording)
        assert any({0, 1} <= set(ks) for ks in found.values())


def test_so_many_training_trials_of_every_condition(recording: Recording) -> None:
    plan = SplitPlan(unit="condition", held_out=["c1"], train_trials=2)
    split = split_recording(recording, plan, seed=0)
    for session in recording.sessions:
        shown = session.condition[split.trials["train"][session.name]]
        assert np.unique(shown, return_counts=True)[1].tolist() == [2, 2]
    too_many = SplitPlan(unit="condition", held_out=["c1"], train_trials=11)
    with pytest.raises(InputError, match=r"train_trials=11, but training has only 10"):
        split_recording(recording, too_many, seed=0)


def test_the_published_order_says_that_it_leaks(recording: Recording) -> None:
    split = split_recording(recording, SplitPlan(unit="pseudo_trial"), seed=0)
    assert split.leaks is LeakState.LEAKING
    assert len(split.trials["train"]["s0"]) == recording.sessions[0].n_trials


@pytest.mark.parametrize(
    ("given_", "message"),
    [
        ({"train": 0.9}, "sum to 1"),
        ({"n_folds": 1}, "n_folds >= 2"),
        ({"n_folds": 4, "fold": 4}, "fold < n_folds"),
        ({"unit": "condition", "train": 0.9, "val": 0.1, "test": 0.0}, "held_out"),
        ({"unit": "condition", "held_out": ["c0"], "n_folds": 2}, "without n_folds"),
        ({"held_out": ["c0"]}, "held_out"),
    ],
)
def test_impossible_plans(given_: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        SplitPlan(**given_)


def test_misspelt_names(recording: Recording) -> None:
    plan = SplitPlan(unit="condition", held_out=["c9"])
    with pytest.raises(InputError, match="matches no condition"):
        split_recording(recording, plan, seed=0)
    with pytest.raises(InputError, match="split unit 'recorded_trail' is unknown"):
        split_recording(recording, SplitPlan(unit="recorded_trail"), seed=0)
