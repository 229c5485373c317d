from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mua_decode.data import (
    Cut,
    DecodingData,
    FramePlan,
    LeakError,
    PseudoTrialPlan,
    SplitPlan,
    Window,
    audit_leakage,
    cut_film,
    shift_responses,
    split_recording,
    window_session,
)
from mua_decode.data.blocks import Neighbours, Stretches
from mua_decode.data.videos import one_frame_at
from mua_decode.simulation import FilmParameters, simulate_film
from mua_decode.types import PARTS, InputError, LeakState, Recording, SpikeTimes

SMALL = FilmParameters(
    duration_s=12.0,
    frame_s=0.04,
    bin_s=0.05,
    size=4,
    smooth_px=1.0,
    smooth_s=0.2,
    sites=3,
    sessions=2,
    repeats=6,
    baseline_hz=20.0,
    drive=0.5,
    lag_s=0.1,
)
WIDE = Window(width_s=0.2, step_s=0.05)
LAGGED = FramePlan(frames="linear", lag_s=0.1)
CUT = Cut(length_s=0.5)
BLOCKS = SplitPlan(unit="block", block_s=2.0, test=0.2, val=0.2, train=0.6)


@pytest.fixture(scope="module")
def film() -> Recording:
    return simulate_film(SMALL, seed=0)


def data_of(film: Recording, **changes: object) -> DecodingData:
    options: dict = {
        "window": WIDE,
        "split": BLOCKS,
        "pseudo": PseudoTrialPlan(per_condition=8),
        "lag_s": 0.1,
        "cut": CUT,
    }
    return DecodingData(film, **(options | changes))


def test_stretches_have_the_windows_and_frames_of_the_whole_film(film: Recording) -> None:
    cut = cut_film(film, CUT, WIDE, LAGGED)
    whole = window_session(film.sessions[1], WIDE).counts
    n_bins = whole.shape[1]
    shown, _ = one_frame_at(film.stimuli, LAGGED, n_bins=n_bins, bin_s=0.05, window_s=0.2)
    n = cut.stimuli.n_conditions
    assert n == n_bins // 10
    first = cut.sessions[1].counts[:n]  # every stretch of the first repeat
    np.testing.assert_array_equal(first.reshape(n * 10, -1), whole[0, : n * 10])
    np.testing.assert_array_equal(
        cut.stimuli.videos.reshape(n * 10, -1), shown.videos[0, : n * 10].reshape(n * 10, -1)
    )
    films = Stretches.of(cut.stimuli)
    np.testing.assert_allclose(films.stop_s - films.start_s, 9 * 0.05 + 0.2)
    assert cut.sessions[0].trials["presentation"].nunique() == SMALL.repeats


def test_data_pair_every_bin_of_wide_windows_with_its_frame(film: Recording) -> None:
    data = data_of(film)
    cut = cut_film(film, CUT, WIDE, FramePlan(lag_s=0.1))
    np.testing.assert_array_equal(data.stimuli.videos, cut.stimuli.videos)


def test_stretches_may_overlap_and_sites_may_be_missing(film: Recording) -> None:
    counts = film.sessions[0].counts.astype(np.float32)
    counts[2, :, 1] = np.nan
    film = replace(film, sessions=(replace(film.sessions[0], counts=counts),))
    cut = cut_film(film, Cut(length_s=1.0, step_s=0.25), None, FramePlan())
    assert cut.stimuli.n_conditions == 45
    lost = np.isnan(cut.sessions[0].counts).any(axis=1)
    np.testing.assert_array_equal(np.flatnonzero(lost[:, 1]), np.arange(90, 135))


@settings(max_examples=8, deadline=None)
@given(
    seed=st.integers(0, 99),
    guard_s=st.floats(0.3, 1.2),
    step_s=st.sampled_from([0.25, 0.5]),
)
def test_parts_are_a_guard_apart(seed: int, guard_s: float, step_s: float) -> None:
    film = simulate_film(replace(SMALL, repeats=1, sessions=1, sites=1), seed=0)
    cut = cut_film(film, Cut(length_s=0.5, step_s=step_s), WIDE, LAGGED)
    split = split_recording(cut, replace(BLOCKS, guard_s=guard_s), seed=seed)
    films = Stretches.of(cut.stimuli)
    session = cut.sessions[0]
    parts = {p: np.unique(session.condition[split.trials[p][session.name]]) for p in PARTS}
    assert all(len(k) for k in parts.values())
    for one, other in (("train", "test"), ("train", "val"), ("val", "test")):
        assert films.gap_s(parts[one], parts[other]).min() >= guard_s - 1e-6
    assert split.held_out == tuple(parts["test"])


def test_folds_test_every_block_once(film: Recording) -> None:
    cut = cut_film(film, CUT, None, FramePlan())
    tested = [
        split_recording(cut, replace(BLOCKS, guard_s=0.3, n_folds=6, fold=f), seed=0).held_out
        for f in range(6)
    ]
    assert sorted(k for fold in tested for k in fold) == list(range(24))


def test_the_audit_counts_neighbours_in_time(film: Recording) -> None:
    data = data_of(film)
    assert data.leaks is LeakState.FREE
    assert (data.audit.shared, data.audit.guard_s) == (0, pytest.approx(0.3))
    assert "lie within 0.3 s of it" in data.audit.line
    train, test = map(data.pseudo_trials, ("train", "test"))
    films = Stretches.of(data.stimuli)
    # The same stretches asked for a longer gap than they have: what lies near is counted.
    near = films.gap_s(data.conditions("test"), data.conditions("train")).min()
    far = audit_leakage(train, test, state=LeakState.LEAKING, films=films, guard_s=near + 0.01)
    assert 0 < far.shared <= far.test
    with pytest.raises(LeakError, match="lie within"):
        audit_leakage(train, test, state=LeakState.FREE, films=films, guard_s=near + 0.01)
    with pytest.raises(LeakError, match="feed both"):
        audit_leakage(test, test, state=LeakState.FREE, films=films, guard_s=0.0)


def test_the_audit_counts_neighbours_before_and_behind() -> None:
    start = np.array([0.0, 1.0, 2.0, 3.0, 4.0, 0.0])
    films = Stretches(np.array([0, 0, 0, 0, 0, 1]), start, start + 1.1)  # windows of 0.2, bins 0.1
    about = {"bin_s": 0.1, "n_bins": 10}
    count = lambda *trained, guard_s=0.3: films.neighbours(  # noqa: E731
        np.array([2]), np.array(trained), guard_s=guard_s, **about
    )
    # A window and the guard reach 0.5 s: the four bins next to a stretch of training.
    assert count(1) == Neighbours(10, 0, 4, 0, 0.3)
    assert count(3) == Neighbours(10, 0, 0, 4, 0.3)
    assert count(1, 3) == Neighbours(10, 0, 4, 4, 0.3)
    assert count(0, 4, 5) == Neighbours(10, 0, 0, 0, 0.3)
    assert count(0, guard_s=1.0) == Neighbours(10, 0, 1, 0, 1.0)
    assert count(2).seen == 10
    assert "before 4 and behind 0" in count(1).line


def test_frames_are_counted_whatever_the_split(film: Recording) -> None:
    blocks, repeats = data_of(film).audit, data_of(film, split=SplitPlan()).audit
    near = blocks.neighbours
    assert near.frames >= 10
    assert (near.seen, near.before, near.behind) == (0, 0, 0)
    assert repeats.shared == 0
    assert repeats.neighbours.seen == repeats.neighbours.frames == 230
    assert "of 230 frames of the test part training has 230" in repeats.line


def test_repeats_are_held_out_whole(film: Recording) -> None:
    data = data_of(film, split=SplitPlan())
    of = {p: {int(r) // 23 for r in data.split.trials[p]["film-1"]} for p in PARTS}
    assert not of["train"] & of["test"]
    assert data.conditions("test").tolist() == list(range(23))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"split": replace(BLOCKS, guard_s=0.2)}, "shorter than the counting window plus the lag"),
        ({"split": replace(BLOCKS, block_s=7.0)}, "2 blocks of 7 s are too few"),
        ({"split": replace(BLOCKS, guard_s=5.0)}, "leaves the .* part nothing"),
        ({"cut": None}, "cut it with data.cut.length_s|needs block_s and guard_s"),
        ({"cut": Cut(length_s=0.33)}, "not a whole number of bins"),
        ({"cut": Cut(length_s=7.0)}, "not cut into two"),
    ],
)
def test_what_cannot_be_cut_or_split_is_said(film: Recording, changes: dict, said: str) -> None:
    with pytest.raises(InputError, match=said):
        data_of(film, **changes)


def test_blocks_need_a_length_and_a_test_share() -> None:
    with pytest.raises(InputError, match="seconds of a block"):
        SplitPlan(unit="block")
    with pytest.raises(InputError, match="test share above 0"):
        SplitPlan(unit="block", block_s=1.0, train=0.8, val=0.2, test=0.0)


def test_shifted_responses_are_turned_round_and_kept(film: Recording) -> None:
    turned = shift_responses(film, 1.0).sessions[0].counts
    np.testing.assert_array_equal(turned[:, 20:], film.sessions[0].counts[:, :-20])
    np.testing.assert_array_equal(turned[:, :20], film.sessions[0].counts[:, -20:])
    spikes = SpikeTimes(
        time_s=np.array([0.5, 11.5]),
        trial=np.array([0, 1]),
        site=np.array([0, 2]),
        duration_s=12.0,
    )
    timed = replace(film.sessions[0], counts=None, bin_s=None, window_s=None, spike_times=spikes)
    moved = shift_responses(replace(film, sessions=(timed,)), 1.0).sessions[0].spike_times
    np.testing.assert_allclose(moved.time_s, [1.5, 0.5])
