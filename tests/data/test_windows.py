from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mua_decode.data import Window, frame_of_bin, window_session
from mua_decode.types import InputError, Session, SiteTable, SpikeTimes
from tests.conftest import make_stimuli

SITES = SiteTable(["a", "b"], ["V4", "MT"], ["s", "s"], ["A", "A"])
TRIALS = pd.DataFrame({"condition": [0, 1, 0]})


def counted(counts: np.ndarray, bin_s: float = 0.02) -> Session:
    return Session(name="s", sites=SITES, trials=TRIALS, counts=counts, bin_s=bin_s)


def timed(seed: int = 0, n: int = 400) -> Session:
    rng = np.random.default_rng(seed)
    # Half a base bin away from every edge, so that counting is not a matter of rounding.
    time_s = rng.integers(0, 50, n) * 0.02 + 0.01
    spikes = SpikeTimes(time_s, rng.integers(0, 3, n), rng.integers(0, 2, n), duration_s=1.0)
    return Session(name="s", sites=SITES, trials=TRIALS, spike_times=spikes)


@pytest.mark.parametrize(("width", "step"), [(0.1, 0.1), (0.2, 0.1), (0.1, 0.02), (0.3, 0.2)])
def test_counts_equal_a_direct_count_of_the_spikes(width: float, step: float) -> None:
    session = timed()
    spikes = session.spike_times
    assert spikes is not None
    windowed = window_session(session, Window(width_s=width, step_s=step))
    starts = np.arange(windowed.counts.shape[1]) * step
    for trial in range(3):
        for site in range(2):
            mine = spikes.time_s[(spikes.trial == trial) & (spikes.site == site)]
            expected = [((mine >= s - 1e-9) & (mine < s + width - 1e-9)).sum() for s in starts]
            np.testing.assert_array_equal(windowed.counts[trial, :, site], expected)
    assert starts[-1] + width <= 1.0 + 1e-9 < starts[-1] + width + step


def test_counting_times_and_counting_fine_bins_agree() -> None:
    session = timed()
    fine = window_session(session, Window(width_s=0.02, step_s=0.02)).counts
    window = Window(width_s=0.2, step_s=0.1)
    again = window_session(counted(fine), window).counts
    np.testing.assert_array_equal(again, window_session(session, window).counts)


def test_missing_bins_are_marked_and_never_counted() -> None:
    counts = np.ones((3, 10, 2), np.float32)
    counts[1, 4, 0] = np.nan
    windowed = window_session(counted(counts, 0.1), None)
    assert windowed.observed.tolist() == [[True, True], [False, True], [True, True]]
    assert windowed.counts.dtype.kind == "u"


def test_averaged_counts_stay_fractions() -> None:
    windowed = window_session(counted(np.full((3, 10, 2), 0.25), 0.1), None)
    assert windowed.counts.dtype == np.float32
    assert (windowed.counts == 0.25).all()


@pytest.mark.parametrize(
    ("window", "message"),
    [
        (lambda: Window(width_s=0.05, step_s=0.1), "at least step_s"),
        (lambda: Window(width_s=0.1, step_s=0), "step_s must be > 0"),
        (lambda: Window(width_s=1.5, step_s=0.1), "longer than the trial"),
        (lambda: Window(width_s=0.11, step_s=0.1), "whole number of recorded bins"),
    ],
)
def test_impossible_windows_are_refused(window, message: str) -> None:
    session = counted(np.ones((3, 50, 2), np.uint8))
    with pytest.raises(InputError, match=message):
        window_session(session, window())


def test_spike_times_need_a_window() -> None:
    with pytest.raises(InputError, match="spike times need"):
        window_session(timed(), None)


def test_counts_with_gaps_cannot_be_counted_again() -> None:
    session = Session(
        name="s", sites=SITES, trials=TRIALS, counts=np.ones((3, 11, 2)), bin_s=0.3, window_s=0.2
    )
    with pytest.raises(InputError, match="cannot be counted again"):
        window_session(session, Window(width_s=0.3, step_s=0.3))


def test_each_bin_is_paired_with_the_frame_at_its_centre() -> None:
    stimuli = make_stimuli(n_frames=10, frame_s=0.1)
    equal = frame_of_bin(stimuli, n_bins=10, bin_s=0.1, window_s=0.1)
    np.testing.assert_array_equal(equal, np.arange(10))
    fine = frame_of_bin(stimuli, n_bins=50, bin_s=0.02, window_s=0.02)
    np.testing.assert_array_equal(fine, np.repeat(np.arange(10), 5))
    wide = frame_of_bin(stimuli, n_bins=9, bin_s=0.1, window_s=0.2)
    np.testing.assert_array_equal(wide, np.arange(1, 10))


@pytest.mark.parametrize("n_bins", [5, 8, 12])
def test_trials_of_another_length_than_the_videos_are_refused(n_bins: int) -> None:
    stimuli = make_stimuli(n_frames=10, frame_s=0.1)
    with pytest.raises(InputError, match="frames do not match the bins"):
        frame_of_bin(stimuli, n_bins=n_bins, bin_s=0.1, window_s=0.1)


def test_standardised_activity_keeps_its_sign_and_is_never_counted_again() -> None:
    values = np.array([-2.0, 0.0, 1.0] * 20, np.float32).reshape(3, 10, 2)
    values[1, 4, 0] = np.nan
    session = Session(
        name="s", sites=SITES, trials=TRIALS, counts=values, bin_s=0.1, measure="standardised"
    )
    windowed = window_session(session, None)
    kept = np.where(windowed.observed[:, None], values, 0)
    np.testing.assert_array_equal(windowed.counts, kept)
    assert not windowed.observed[1, 0]
    with pytest.raises(InputError, match=r"standardised before .* set data\.window=null"):
        window_session(session, Window(width_s=0.2, step_s=0.2))


def test_sites_not_recorded_in_a_trial_are_not_silent() -> None:
    observed = np.array([[True, True], [False, True], [True, True]])
    spikes = SpikeTimes(np.array([0.5]), np.array([0]), np.array([1]), 1.0, observed)
    session = Session(name="s", sites=SITES, trials=TRIALS, spike_times=spikes)
    windowed = window_session(session, Window(width_s=0.5, step_s=0.5))
    np.testing.assert_array_equal(windowed.observed, observed)
    wrong = SpikeTimes(np.array([0.5]), np.array([0]), np.array([1]), 1.0, observed.T)
    with pytest.raises(InputError, match=r"observed must be \(trials, sites\) = \(3, 2\)"):
        Session(name="s", sites=SITES, trials=TRIALS, spike_times=wrong)


@pytest.mark.parametrize(
    ("values", "measure", "message"),
    [
        (np.full((3, 4, 2), -1.0), "counts", "counts must be >= 0, found -1"),
        (np.full((3, 4, 2), np.inf), "standardised", "must be finite floats or NaN"),
        (np.full((3, 4, 2), -1), "standardised", "must be finite floats or NaN"),
        (np.zeros((3, 4, 2)), "zscore", "measure must be 'counts', or 'standardised'"),
    ],
)
def test_activity_of_a_wrong_kind_is_named(values: np.ndarray, measure: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Session(name="s", sites=SITES, trials=TRIALS, counts=values, bin_s=0.1, measure=measure)
