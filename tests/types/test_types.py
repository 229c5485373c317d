from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mua_decode.types import (
    InputError,
    Recording,
    ResultTable,
    Segment,
    Session,
    SiteTable,
    SpikeTimes,
    Split,
    StimulusSet,
    nearest_name,
    only,
    region_of,
)
from tests.conftest import make_session, make_stimuli


def test_nearest_name() -> None:
    assert nearest_name("pixel_corelation", ["ssim", "pixel_correlation"]).endswith(
        "'pixel_correlation'?)"
    )
    assert nearest_name("xyz", ["ssim"]) == ""


def test_site_tables_are_checked() -> None:
    with pytest.raises(InputError, match="duplicate site id 'a'"):
        SiteTable(["a", "a"], ["V4", "V4"], ["s", "s"], ["A", "A"])
    with pytest.raises(InputError, match="site 'b' has no region"):
        SiteTable(["a", "b"], ["V4", ""], ["s", "s"], ["A", "A"])
    with pytest.raises(InputError, match="share one shape"):
        SiteTable(["a", "b"], ["V4"], ["s", "s"], ["A", "A"])


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        (np.ones((40, 6, 2)), r"\(trials, bins, sites\) = \(40, 6, 3\), found \(40, 6, 2\)"),
        (np.full((40, 6, 3), -1.0), "must be >= 0, found -1"),
        (np.full((40, 6, 3), np.inf), r"must be < 2\^31 or NaN"),
        (np.full((40, 6, 3), "x"), "must be numbers"),
        (np.ones((40, 6)), "trials, bins, sites"),
    ],
)
def test_sessions_name_what_is_wrong_with_counts(counts: np.ndarray, message: str) -> None:
    session = make_session("s", make_stimuli())
    with pytest.raises(InputError, match=f"session 's': counts {message}|{message}"):
        replace(session, counts=counts)


def test_sessions_need_trials_and_conditions() -> None:
    session = make_session("s", make_stimuli())
    with pytest.raises(InputError, match="no column 'condition'"):
        replace(session, trials=pd.DataFrame({"x": np.zeros(40)}))
    with pytest.raises(InputError, match="no usable trial"):
        replace(session, trials=session.trials[:0], counts=session.counts[:0])
    with pytest.raises(InputError, match="either counts or spike times"):
        replace(session, counts=None)


def test_spike_times_are_checked() -> None:
    with pytest.raises(InputError, match=r"negative time -0\.1 s"):
        SpikeTimes(np.array([-0.1]), np.array([0]), np.array([0]), 1.0)
    with pytest.raises(InputError, match="NaN"):
        SpikeTimes(np.array([np.nan]), np.array([0]), np.array([0]), 1.0)
    session = make_session("s", make_stimuli())
    spikes = SpikeTimes(np.array([0.1]), np.array([99]), np.array([0]), 1.0)
    with pytest.raises(InputError, match="trial 99"):
        Session(name="s", sites=session.sites, trials=session.trials, spike_times=spikes)


def test_stimuli_are_checked() -> None:
    good = make_stimuli()
    with pytest.raises(InputError, match="must be uint8"):
        replace(good, videos=good.videos.astype(float))
    with pytest.raises(InputError, match="without gaps"):
        replace(good, segments=(Segment("a", 0, 2), Segment("b", 3, 6)))
    with pytest.raises(InputError, match=r"condition 4 \('c4'\) has no video"):
        replace(good, conditions=pd.DataFrame({"name": [f"c{k}" for k in range(5)]}))
    np.testing.assert_array_equal(good.frame_weights, [1, 1, 1, 2, 2, 2])


def test_mean_videos_average_variants() -> None:
    stimuli = make_stimuli(2, variants=3)
    mean = stimuli.mean_videos()
    np.testing.assert_allclose(mean[1], stimuli.videos[3:].mean(0) / 255, rtol=1e-6)
    only = stimuli.mean_videos(np.array([0, 4]))
    np.testing.assert_allclose(only[1], stimuli.videos[4] / 255, rtol=1e-6)


def test_recordings_know_their_conditions_and_sessions() -> None:
    stimuli = make_stimuli()
    session = make_session("s", stimuli)
    wrong = replace(session, trials=session.trials.assign(condition=7))
    with pytest.raises(InputError, match="condition 7 has no video"):
        Recording(name="r", sessions=(wrong,), stimuli=stimuli)
    recording = Recording(name="r", sessions=(session,), stimuli=stimuli)
    with pytest.raises(InputError, match="session 't' is not in recording 'r'"):
        recording.select_sessions(["t"])


def test_splits_that_share_trials_are_refused() -> None:
    parts = {"train": {"s": np.arange(5)}, "val": {"s": np.arange(5, 6)}}
    with pytest.raises(InputError, match="session 's' has a trial in two parts"):
        Split(trials={**parts, "test": {"s": np.arange(4, 8)}}, unit="recorded_trial", seed=0)


def test_result_tables_have_fixed_columns() -> None:
    with pytest.raises(InputError, match="missing columns"):
        ResultTable(pd.DataFrame({"run": ["decoder"]}))


def test_stimulus_set_with_one_frame() -> None:
    still = make_stimuli(3, n_frames=1, shape=(3, 5, 7))
    assert isinstance(still, StimulusSet)
    assert still.frame_shape == (3, 5, 7)
    assert still.n_frames == 1


def test_regions_come_back_from_tables() -> None:
    for regions in ("MT", "only MT", "MT+V4, 5 sites, draw 0"):
        assert only(regions) == f"only {regions}"
        assert region_of(only(regions)) == regions
    assert region_of("none") == "all"
