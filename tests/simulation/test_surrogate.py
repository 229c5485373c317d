from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from mua_decode.simulation import noise_surrogate
from mua_decode.types import InputError, Recording, SpikeTimes


def test_rates_trials_and_sites_stay_and_the_conditions_are_forgotten(
    recording: Recording,
) -> None:
    noise = noise_surrogate(recording, seed=0)
    for before, after in zip(recording.sessions, noise.sessions, strict=True):
        assert after.counts.shape == before.counts.shape
        np.testing.assert_array_equal(after.condition, before.condition)
        rate, found = before.counts.mean((0, 1)), after.counts.mean((0, 1))
        np.testing.assert_allclose(found, rate, rtol=0.1)
        tuned = np.stack([before.counts[before.condition == k].mean(0) for k in range(4)])
        blank = np.stack([after.counts[after.condition == k].mean(0) for k in range(4)])
        assert blank.var(0).mean() < 0.2 * tuned.var(0).mean()
        # Poisson: variance as large as the mean.
        assert after.counts.var((0, 1)) / found == pytest.approx(1, rel=0.2)
    assert noise.truth == {}


def test_a_seed_gives_the_same_noise(recording: Recording) -> None:
    a, b, c = (noise_surrogate(recording, seed=s).sessions[0].counts for s in (1, 1, 2))
    np.testing.assert_array_equal(a, b)
    assert (a != c).any()


def test_trials_that_share_data_share_their_noise(recording: Recording) -> None:
    session = recording.sessions[0]
    trials = session.trials.assign(presentation=np.arange(len(session.trials)) // 2)
    shared = replace(recording, sessions=(replace(session, trials=trials),))
    counts = noise_surrogate(shared, seed=0).sessions[0].counts
    np.testing.assert_array_equal(counts[0::2], counts[1::2])
    assert (counts[0] != counts[2]).any()


def test_missing_counts_stay_missing(recording: Recording) -> None:
    session = recording.sessions[0]
    counts = session.counts.astype(np.float32)
    counts[3, :, 1] = np.nan
    holes = replace(recording, sessions=(replace(session, counts=counts),))
    found = noise_surrogate(holes, seed=0).sessions[0].counts
    np.testing.assert_array_equal(np.isnan(found), np.isnan(counts))


def test_spike_times_become_counts_of_the_same_rate(recording: Recording) -> None:
    session = recording.sessions[0]
    rng = np.random.default_rng(0)
    n = 60_000
    times = SpikeTimes(
        time_s=rng.uniform(0, 0.6, n),
        trial=rng.integers(0, session.n_trials, n),
        site=rng.integers(0, 2, n),
        duration_s=0.6,
    )
    spikes = replace(session, counts=None, spike_times=times, bin_s=None, window_s=None)
    only = replace(recording, sessions=(spikes,))
    found = noise_surrogate(only, seed=0, bin_s=0.02).sessions[0]
    assert found.counts.shape[1] == 30
    per_trial = found.counts.sum(axis=1).mean(axis=0)
    expected = np.bincount(times.site, minlength=3) / session.n_trials
    np.testing.assert_allclose(per_trial, expected, rtol=0.02)


def test_fewer_conditions_keep_their_videos(build_recording: Callable[..., Recording]) -> None:
    recording = build_recording(1, n_conditions=6, variants=2)
    small = noise_surrogate(recording, seed=0, n_conditions=3)
    assert small.stimuli.names == ["c0", "c2", "c5"]
    np.testing.assert_array_equal(small.stimuli.videos[2:4], recording.stimuli.videos[4:6])
    assert set(small.sessions[0].condition) == {0, 1, 2}
    with pytest.raises(InputError, match="n_conditions"):
        noise_surrogate(recording, seed=0, n_conditions=1)


def test_sites_not_observed_stay_missing_and_do_not_lower_the_rate(recording: Recording) -> None:
    session = recording.sessions[0]
    observed = np.ones((session.n_trials, len(session.sites)), bool)
    observed[::2, 1] = False
    trial = np.flatnonzero(observed[:, 1]).repeat(40)
    times = SpikeTimes(
        time_s=np.linspace(0, 0.59, len(trial)),
        trial=trial,
        site=np.ones(len(trial), int),
        duration_s=0.6,
        observed=observed,
    )
    spikes = replace(session, counts=None, spike_times=times, bin_s=None, window_s=None)
    counts = noise_surrogate(replace(recording, sessions=(spikes,)), seed=0).sessions[0].counts
    assert (np.isnan(counts).any(axis=1) == ~observed).all()
    assert np.nansum(counts[:, :, 1]) / observed[:, 1].sum() == pytest.approx(40, rel=0.1)


def test_standardised_activity_becomes_normal_noise(recording: Recording) -> None:
    session = recording.sessions[0]
    rng = np.random.default_rng(0)
    activity = rng.normal(0.2, 2.0, session.counts.shape).astype(np.float32)
    given = replace(session, counts=activity, measure="standardised")
    found = noise_surrogate(replace(recording, sessions=(given,)), seed=0).sessions[0]
    assert found.measure == "standardised"
    assert found.counts.std() == pytest.approx(2.0, rel=0.05)
    assert found.counts.min() < 0
