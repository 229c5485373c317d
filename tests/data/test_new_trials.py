from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

import numpy as np
import pytest

from mua_decode.data import (
    DecodingData,
    NewTrials,
    Population,
    PseudoTrialPlan,
    SplitPlan,
    Window,
    match_sites,
    read_population,
)
from mua_decode.limits import read_json
from mua_decode.recordings.nwb.write import as_spike_times
from mua_decode.types import InputError, Recording


@pytest.fixture
def data(recording: Recording) -> DecodingData:
    return DecodingData(
        recording,
        window=Window(width_s=0.2, step_s=0.1),
        split=SplitPlan(),
        pseudo=PseudoTrialPlan(per_condition=10),
    )


def test_a_population_comes_back_exactly(data: DecodingData, tmp_path: Path) -> None:
    population = Population.of(data)
    path = tmp_path / "population.json"
    path.write_text(json.dumps(population.to_json()))
    again = read_population(path)
    np.testing.assert_array_equal(again.standardise.mean, population.standardise.mean)
    np.testing.assert_array_equal(again.standardise.std, population.standardise.std)
    assert again.to_json() == population.to_json()
    counts = data.dataset("test").pseudo.counts(np.arange(5))
    np.testing.assert_array_equal(again.activity(counts), data.standardise(counts))
    values = population.to_json()
    for spoilt in ({"version": 9}, {"mean": values["mean"][1:]}, {"std": [0.0] * 9}, {"n_bins": 0}):
        with pytest.raises(InputError, match="population"):
            Population.from_json(values | spoilt)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1, 1e300, 10**400, 0, "x", None])
@pytest.mark.parametrize("name", ["n_bins", "bin_s", "window_s", "frame_shape", "mean", "std"])
def test_a_number_that_cannot_be_names_the_population(
    data: DecodingData, tmp_path: Path, name: str, value: object
) -> None:
    values = Population.of(data).to_json()
    if (name, value) in (("mean", 0), ("mean", -1)):
        return  # which means may be
    if isinstance(values[name], list):
        values[name] = [*values[name][:-1], value]
    else:
        values[name] = value
    path = tmp_path / "population.json"
    path.write_text(json.dumps(values))
    with pytest.raises(InputError, match=r"population\.json: population: ") as found:
        read_population(path)
    assert len(str(found.value).splitlines()) == 1


@pytest.mark.parametrize("kind", ["nested", "large"])
def test_a_population_without_end_is_named(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "population.json"
    path.write_text("[" * 100_000)
    if kind == "large":
        os.truncate(path, 1 << 40)  # takes no room on the disk
    with pytest.raises(InputError, match=r"population\.json: is not readable JSON"):
        read_population(path)
    with pytest.raises(ValueError, match=r"nested without end|over 64 MiB of JSON"):
        read_json(path)


@pytest.mark.parametrize(
    "spoilt",
    [
        {"frame_shape": [1, 2**30, 2**30]},
        {"n_bins": 1.5},
        {"n_bins": True},
        {"root": "false"},
        {"conditions": "green"},
        {"measure": "rates"},
        *({"segments": [["cue", a, b, w]]} for a, b, w in ((0, 0, 1), (0, 1, 1e999), (-1, 1, 1))),
    ],
    ids=str,
)
def test_a_population_that_would_mean_something_else_is_refused(
    data: DecodingData, spoilt: dict[str, object]
) -> None:
    with pytest.raises(InputError, match="population: "):
        Population.from_json(Population.of(data).to_json() | spoilt)


def test_spike_times_and_counts_give_the_same_trials(
    recording: Recording, data: DecodingData
) -> None:
    population = Population.of(data)
    timed = dataclasses.replace(
        recording,
        sessions=tuple(
            dataclasses.replace(s, counts=None, bin_s=None, spike_times=as_spike_times(s))
            for s in recording.sessions
        ),
    )
    found = [
        np.concatenate(list(NewTrials(population, r, trials="assembled").blocks(7)))
        for r in (recording, timed)
    ]
    np.testing.assert_array_equal(found[0], found[1])
    # Against the pool the run itself made of the recording.
    trials = NewTrials(population, recording, trials="assembled")
    sources = np.array([[int(r) for r in t.split()] for t in trials.table["trial"]])
    rows = np.repeat(sources, 3, axis=1)
    counts = data.pool.counts[rows, np.arange(rows.shape[1])].transpose(0, 2, 1)
    np.testing.assert_array_equal(found[0], data.standardise(counts))


def test_recorded_trials_are_blank_where_other_sessions_lie(
    recording: Recording, data: DecodingData
) -> None:
    trials = NewTrials(Population.of(data), recording, least_share=0.3)
    blocks = list(trials.blocks(16))
    assert max(map(len, blocks)) == 16
    activity = np.concatenate(blocks)
    assert len(activity) == len(trials) == sum(s.n_trials for s in recording.sessions)
    own = data.pool.sites.session == trials.table["session"].to_numpy()[:, None]
    assert (activity[~np.broadcast_to(own[:, None], activity.shape)] == 0).all()
    assert (activity[np.broadcast_to(own[:, None], activity.shape)] != 0).any()
    assert (trials.recorded_sites() == 3).all()


def test_what_does_not_fit_is_refused(recording: Recording, data: DecodingData) -> None:
    population = Population.of(data)
    with pytest.raises(InputError, match="its smallest session has 3 \\(33%\\)"):
        NewTrials(population, recording)
    longer = dataclasses.replace(
        recording.sessions[0], counts=np.zeros((40, 9, 3), np.uint8), bin_s=0.1, window_s=None
    )
    new = dataclasses.replace(recording, sessions=(longer,))
    with pytest.raises(InputError, match="give 8 bins of 0\\.1 s, the run has 5"):
        next(NewTrials(population, new, least_share=0.3).blocks())
    coarse = dataclasses.replace(
        recording.sessions[0], counts=np.zeros((40, 3, 3), np.uint8), bin_s=0.15, window_s=None
    )
    new = dataclasses.replace(recording, sessions=(coarse,))
    with pytest.raises(InputError, match="not a whole number of recorded bins"):
        next(NewTrials(population, new, least_share=0.3).blocks())


def test_sites_in_another_region_are_named(recording: Recording) -> None:
    sites = recording.sites
    region = np.where(sites.site_id == "s1-2", "V4", sites.region)
    match = match_sites(sites, dataclasses.replace(sites, region=region))
    assert match.found.all()
    assert match.moved == ("s1-2",)
    assert match.line == "9 of 9 sites of the run found; 1 in another region (s1-2)"
