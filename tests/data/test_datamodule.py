from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from mua_decode.data import (
    DecodingData,
    LeakError,
    PseudoTrialPlan,
    SplitPlan,
    Standardiser,
    Window,
    audit_leakage,
)
from mua_decode.types import InputError, LeakState, Recording

Build = Callable[..., Recording]


def make(recording: Recording, **changes: object) -> DecodingData:
    given: dict = {
        "window": None,
        "split": SplitPlan(),
        "pseudo": PseudoTrialPlan(per_condition=30),
        "batch_size": 8,
    }
    return DecodingData(recording, **(given | changes))


def test_batches_hold_standardised_counts_and_the_right_videos(recording: Recording) -> None:
    data = make(recording)
    for batch in data.train_dataloader():
        assert batch.spikes.shape == (8, 6, 9)
        assert batch.video.shape == (8, 1, 6, 12, 12)
        truth = torch.from_numpy(recording.stimuli.videos[batch.condition.numpy()])
        torch.testing.assert_close(batch.video, truth.permute(0, 2, 1, 3, 4).float() / 255)


def test_standardisation_sees_training_trials_only(build_recording: Build) -> None:
    recording = build_recording(1)
    data = make(recording)
    session = recording.sessions[0]
    counts = session.counts.astype(np.float64)
    train = counts[data.split.trials["train"]["s0"]]
    np.testing.assert_allclose(data.standardise.mean, train.mean((0, 1)), rtol=1e-6)
    np.testing.assert_allclose(data.standardise.std, train.std((0, 1)), rtol=1e-6)
    assert not np.allclose(data.standardise.mean, counts.mean((0, 1)), rtol=1e-4)


def test_square_roots_have_a_variance_that_does_not_follow_the_mean() -> None:
    rng = np.random.default_rng(0)
    rate = np.linspace(4, 40, 8)
    counts = rng.poisson(rate, (500, 8)).astype(np.uint8)
    plain = Standardiser(np.zeros(8, np.float32), np.ones(8, np.float32))
    root = Standardiser(np.zeros(8, np.float32), np.ones(8, np.float32), root=True)
    assert plain(counts).var(0)[-1] > 6 * plain(counts).var(0)[0]
    np.testing.assert_allclose(root(counts).var(0), 0.25, atol=0.06)


def test_training_trials_are_fresh_and_a_function_of_seed_and_epoch(recording: Recording) -> None:
    one, two = make(recording), make(recording)
    loader = one.train_dataloader()
    loader.sampler.set_epoch(0)  # type: ignore[union-attr]
    first = next(iter(loader)).spikes
    loader.sampler.set_epoch(3)  # type: ignore[union-attr]
    later = next(iter(loader)).spikes
    other = two.train_dataloader()
    other.sampler.set_epoch(3)  # type: ignore[union-attr]
    assert not torch.equal(first, later)
    torch.testing.assert_close(next(iter(other)).spikes, later, rtol=0, atol=0)
    fixed = make(recording, pseudo=PseudoTrialPlan(per_condition=30, fresh=False))
    before = fixed.dataset("train").pseudo.source_trial.copy()
    fixed.train_dataloader().sampler.set_epoch(3)  # type: ignore[union-attr]
    np.testing.assert_array_equal(fixed.dataset("train").pseudo.source_trial, before)


def test_the_default_split_shares_nothing_in_any_epoch(recording: Recording) -> None:
    data = make(recording)
    for epoch in range(5):
        data.dataset("train").set_epoch(epoch)
        train, test = data.dataset("train").pseudo, data.dataset("test").pseudo
        assert audit_leakage(train, test, state=LeakState.FREE).shared == 0


def test_the_published_order_leaks_and_says_so(recording: Recording) -> None:
    data = make(recording, split=SplitPlan(unit="pseudo_trial"))
    assert data.leaks is LeakState.LEAKING
    assert data.audit.shared > 0.7 * data.audit.test
    assert "LEAKING" in data.audit.line
    assert [len(data.dataset(p)) for p in ("train", "val", "test")] == [84, 12, 24]
    with pytest.raises(LeakError, match="claims to be free of leaks"):
        audit_leakage(
            data.dataset("train").pseudo, data.dataset("test").pseudo, state=LeakState.FREE
        )


def test_parts_have_video_variants_of_their_own(build_recording: Build) -> None:
    data = make(build_recording(variants=20))
    shown = {p: set(data.dataset(p).pseudo.video) for p in ("train", "val", "test")}
    assert not shown["train"] & shown["test"]
    assert not shown["val"] & shown["test"]
    rows = data.dataset("test").pseudo
    np.testing.assert_array_equal(data.stimuli.condition[rows.video], rows.condition)


def test_held_out_conditions(recording: Recording) -> None:
    data = make(recording, split=SplitPlan(unit="condition", held_out=["c2"]))
    assert set(data.dataset("test").pseudo.condition) == {2}
    chosen_by = set(data.dataset("val").pseudo.condition)
    assert len(chosen_by) == 1  # conditions that training has not seen either
    assert set(data.dataset("train").pseudo.condition) == {0, 1, 3} - chosen_by
    assert len(data.dataset("test")) == len(data.dataset("val")) == 30


@pytest.mark.parametrize(
    ("stimuli", "bins"),
    [
        ({"n_frames": 1, "shape": (3, 9, 14)}, 1),
        ({"n_frames": 11, "shape": (1, 32, 20)}, 11),
        ({"n_frames": 7, "shape": (3, 5, 5), "n_conditions": 2}, 7),
    ],
)
def test_any_number_of_frames_channels_and_pixels(
    build_recording: Build, stimuli: dict, bins: int
) -> None:
    data = make(build_recording(**stimuli), batch_size=4)
    batch = next(iter(data.train_dataloader()))
    c, h, w = stimuli["shape"]
    assert batch.video.shape == (4, c, bins, h, w)
    assert batch.spikes.shape == (4, bins, 6)


def test_finer_bins_repeat_frames(build_recording: Build) -> None:
    recording = build_recording(n_frames=6, frame_s=0.1)
    data = make(recording, window=Window(width_s=0.3, step_s=0.1))
    assert data.n_bins == 4
    assert data.stimuli.n_frames == 4
    np.testing.assert_array_equal(data.stimuli.videos, recording.stimuli.videos[:, 1:5])
    assert [(s.start, s.stop) for s in data.stimuli.segments] == [(0, 2), (2, 4)]


def test_sites_without_trials_are_left_out_and_counted(recording: Recording) -> None:
    from dataclasses import replace

    session = recording.sessions[0]
    counts = session.counts.astype(np.float32)
    counts[session.condition == 1, :, 2] = np.nan
    sessions = (replace(session, counts=counts), *recording.sessions[1:])
    data = make(replace(recording, sessions=sessions))
    assert data.n_sites == 8
    assert any("1 of 9 sites left out" in note and "s0-2" in note for note in data.notes)


def test_videos_are_stored_once(build_recording: Build) -> None:
    recording = build_recording(variants=3)
    data = make(recording, pseudo=PseudoTrialPlan(per_condition=500))
    assert np.shares_memory(data.stimuli.videos, recording.stimuli.videos)
    assert np.shares_memory(data.dataset("train").stimuli.videos, recording.stimuli.videos)


def test_impossible_requests(recording: Recording) -> None:
    with pytest.raises(InputError, match="batch_size"):
        make(recording, batch_size=1)
    with pytest.raises(InputError, match="per_condition must be at least 3"):
        make(recording, pseudo=PseudoTrialPlan(per_condition=1))
    with pytest.raises(InputError, match="did you mean 'V4'"):
        make(recording, regions=["v4"])


def test_folds_of_the_published_order_tile_the_pseudo_trials(recording: Recording) -> None:
    pseudo = PseudoTrialPlan(per_condition=30, fresh=False)

    def rows(fold: int, part: str) -> set[bytes]:
        plan = SplitPlan(unit="pseudo_trial", n_folds=5, fold=fold)
        found = make(recording, split=plan, pseudo=pseudo).dataset(part).pseudo
        return {row.tobytes() for row in np.c_[found.condition, found.source_trial]}

    tests = [rows(fold, "test") for fold in range(5)]
    assert [len(t) for t in tests] == [24] * 5
    assert len(set.union(*tests)) == 120  # 30 of each of 4 conditions, none in two folds
    for fold in range(5):
        assert not rows(fold, "train") & tests[fold]
        assert len(rows(fold, "train")) + len(rows(fold, "val")) == 96


def test_folds_without_a_validation_share(recording: Recording) -> None:
    plan = SplitPlan(train=0.8, val=0.0, test=0.2, n_folds=5, fold=1)
    data = make(recording, split=plan)
    assert [len(data.dataset(p)) for p in ("train", "val", "test")] == [96, 0, 24]


def test_fewer_training_trials_leave_val_and_test_as_they_are(recording: Recording) -> None:
    whole = make(recording).split.trials
    few = make(recording, split=SplitPlan(train_trials=2)).split.trials
    more = make(recording, split=SplitPlan(train_trials=5)).split.trials
    for session in ("s0", "s1", "s2"):
        for part in ("val", "test"):
            np.testing.assert_array_equal(few[part][session], whole[part][session])
        assert len(few["train"][session]) == 2 * 4
        assert set(few["train"][session]) < set(more["train"][session])
        assert set(more["train"][session]) < set(whole["train"][session])
    with pytest.raises(InputError, match="train_trials=99, but training has only 7"):
        make(recording, split=SplitPlan(train_trials=99))
    with pytest.raises(InputError, match="at least 1"):
        SplitPlan(train_trials=0)
    with pytest.raises(InputError, match="needs a split of recorded trials"):
        SplitPlan(unit="pseudo_trial", train_trials=2)


def test_fewer_sessions_keep_the_split_of_each(recording: Recording) -> None:
    whole, some = make(recording), make(recording, sessions=["s1"])
    assert set(some.pool.sites.session) == {"s1"}
    assert set(some.split.trials["test"]) == {"s1"}
    for part in ("train", "val", "test"):
        np.testing.assert_array_equal(some.split.trials[part]["s1"], whole.split.trials[part]["s1"])
    with pytest.raises(InputError, match="did you mean 's1'"):
        make(recording, sessions=["s11"])


def test_sites_can_be_drawn_anew_under_one_split(recording: Recording) -> None:
    one, two = (make(recording, sites_per_region=3, sites_seed=s) for s in (0, 1))
    assert set(one.pool.sites.site_id) != set(two.pool.sites.site_id)
    np.testing.assert_array_equal(one.split.trials["test"]["s0"], two.split.trials["test"]["s0"])
