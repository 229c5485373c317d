from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mua_decode.data import window_session
from mua_decode.data.pooling import build_pool, choose_sites, draw_pseudo_trials, find_candidates
from mua_decode.types import InputError, Recording, TrialPool


@pytest.fixture
def pool(recording: Recording) -> TrialPool:
    return build_pool([window_session(s, None) for s in recording.sessions])


def all_trials(recording: Recording) -> dict[str, np.ndarray]:
    return {s.name: np.arange(s.n_trials) for s in recording.sessions}


@pytest.mark.parametrize("draw", ["site", "session"])
def test_counts_are_those_of_the_source_trial(
    recording: Recording, pool: TrialPool, draw: str
) -> None:
    candidates = find_candidates(pool, all_trials(recording), n_conditions=4, draw=draw)
    condition = np.repeat(np.arange(4), 25)
    pseudo = draw_pseudo_trials(
        pool, candidates, condition=condition, video=condition, draw=draw,
        rng=np.random.default_rng(0),
    )  # fmt: skip
    counts = pseudo.counts(np.arange(100))
    site = 0
    for session in recording.sessions:
        for n in range(len(session.sites)):
            source = pseudo.source_trial[:, site]
            np.testing.assert_array_equal(counts[:, :, site], session.counts[source, :, n])
            np.testing.assert_array_equal(session.condition[source], condition)
            assert len(np.unique(source)) > 20  # many trials are used, not one
            site += 1
    same = np.array_equal(pseudo.source_trial[:, 0], pseudo.source_trial[:, 1])
    assert same == (draw == "session")  # sites 0 and 1 lie in one session


def test_candidates_stay_inside_the_part(recording: Recording, pool: TrialPool) -> None:
    part = {s.name: np.arange(0, s.n_trials, 3) for s in recording.sessions}
    candidates = find_candidates(pool, part, n_conditions=4, draw="site")
    condition = np.repeat(np.arange(4), 200)
    pseudo = draw_pseudo_trials(
        pool, candidates, condition=condition, video=condition, draw="site",
        rng=np.random.default_rng(1),
    )  # fmt: skip
    assert (pseudo.source_trial % 3 == 0).all()


def test_unrecorded_trials_are_never_drawn(recording: Recording) -> None:
    session = recording.sessions[0]
    counts = session.counts.astype(np.float32)
    counts[::2, 2, 1] = np.nan
    pool = build_pool([window_session(replace(session, counts=counts), None)])
    everything = {"s0": np.arange(session.n_trials)}
    condition = np.repeat(np.arange(4), 300)
    each = find_candidates(pool, everything, n_conditions=4, draw="site").number
    anew = find_candidates(pool, everything, n_conditions=4, draw="random_sites").number
    np.testing.assert_array_equal(anew, each)  # a site's own trials, whatever others missed
    for draw in ("site", "session"):
        candidates = find_candidates(pool, everything, n_conditions=4, draw=draw)
        pseudo = draw_pseudo_trials(
            pool, candidates, condition=condition, video=condition, draw=draw,
            rng=np.random.default_rng(1),
        )  # fmt: skip
        assert (pseudo.source_trial[:, 1] % 2 == 1).all()
        assert (pseudo.source_trial[:, 0] % 2 == 0).any() == (draw == "site")


def test_no_trial_of_a_condition_names_the_site(recording: Recording, pool: TrialPool) -> None:
    part = {s.name: np.flatnonzero(s.condition != 2) for s in recording.sessions}
    candidates = find_candidates(pool, part, n_conditions=4, draw="site")
    np.testing.assert_array_equal(candidates.conditions, [0, 1, 3])
    with pytest.raises(InputError, match=r"site 's0-0' .* no recorded trial of condition 2"):
        draw_pseudo_trials(
            pool, candidates, condition=np.array([2]), video=np.array([2]), draw="site",
            rng=np.random.default_rng(0),
        )  # fmt: skip


def test_choice_of_sites(pool: TrialPool) -> None:
    sites = pool.sites
    assert len(choose_sites(sites, regions=None, sites_per_region=None, seed=0)) == 9
    two = choose_sites(sites, regions=None, sites_per_region={"V4": 3, "MT": 1}, seed=0)
    assert sorted(sites.region[two]) == ["MT", "V4", "V4", "V4"]
    only = choose_sites(sites, regions=["MT"], sites_per_region=2, seed=0)
    assert set(sites.region[only]) == {"MT"}
    with pytest.raises(InputError, match=r"'MTT' .*did you mean 'MT'"):
        choose_sites(sites, regions=["MTT"], sites_per_region=None, seed=0)
    with pytest.raises(InputError, match="has 3 sites, fewer than the 4"):
        choose_sites(sites, regions=["MT"], sites_per_region=4, seed=0)
    with pytest.raises(InputError, match="use site, session, random_sites or recorded"):
        find_candidates(pool, {}, n_conditions=4, draw="sites")


def test_fewer_sites_are_a_subset_of_more_whatever_the_other_regions(pool: TrialPool) -> None:
    def chosen(regions: list[str] | None, number: int) -> set[int]:
        index = choose_sites(pool.sites, regions=regions, sites_per_region=number, seed=4)
        return set(index.tolist())

    assert chosen(["V4"], 2) < chosen(["V4"], 5)
    assert chosen(["MT"], 2) <= chosen(["V4", "MT"], 2) == chosen(None, 2)
