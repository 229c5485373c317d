from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from mua_decode.data import AtMost, DecodingData, Population, PseudoTrialPlan, SplitPlan
from mua_decode.data.places import draw_places, mean_by_place, place_table
from mua_decode.types import InputError, LeakState, Recording, SiteTable

RANDOM = PseudoTrialPlan(per_condition=60, draw="random_sites", fresh=False)


def make(recording: Recording, **changes: object) -> DecodingData:
    given: dict = {"window": None, "split": SplitPlan(), "pseudo": RANDOM, "batch_size": 8}
    return DecodingData(recording, **(given | changes))


def table(**number: int) -> SiteTable:
    region = [r for r, n in number.items() for _ in range(n)]
    ids = [f"s{n}" for n in range(len(region))]
    return SiteTable(site_id=ids, region=region, session=["a"] * len(ids), subject=["x"] * len(ids))


def with_rates(recording: Recording, gain: np.ndarray) -> Recording:
    """Plant a rate of 10 (1 + gain of the site) in even conditions, 10 (1 - gain) in odd ones."""
    rng = np.random.default_rng(0)
    sessions, first = [], 0
    for s in recording.sessions:
        own = gain[first : first + len(s.sites)]
        first += len(s.sites)
        sign = np.where(s.condition % 2, -1, 1)[:, None, None]
        rate = np.broadcast_to(10 * (1 + sign * own), s.counts.shape)
        sessions.append(replace(s, counts=rng.poisson(rate).astype(np.uint16)))
    return replace(recording, sessions=tuple(sessions))


def test_sites_are_drawn_evenly_within_the_region_of_the_place_and_never_twice() -> None:
    sites = table(PFC=7, MT=3)
    places = place_table(sites, {"PFC": 4, "MT": 3})
    assert places.region.tolist() == ["PFC"] * 4 + ["MT"] * 3
    chosen = draw_places(sites, places, number=5000, rng=np.random.default_rng(0))
    assert all(len(set(row)) == len(row) for row in chosen.tolist())
    assert set(sites.region[chosen[:, :4]].ravel()) == {"PFC"}
    assert set(sites.region[chosen[:, 4:]].ravel()) == {"MT"}
    for place in range(7):
        share = np.bincount(chosen[:, place], minlength=10)[sites.region == places.region[place]]
        assert np.abs(share / 5000 - 1 / len(share)).max() < 0.03
    values = np.arange(10.0)
    assert mean_by_place(values, sites, places).tolist() == [3] * 4 + [8] * 3


def test_every_count_is_standardised_by_the_site_it_comes_from(recording: Recording) -> None:
    data = make(recording, sites_per_region=2)
    assert (data.n_sites, len(data.pool.sites)) == (4, 9)
    pseudo = data.pseudo_trials("train")
    assert len(np.unique(pseudo.sites()[:, 0])) > 2
    batch = next(data.batches("train"))
    for row in range(4):
        for place in range(4):
            site, trial = pseudo.sites()[row, place], pseudo.source_trial[row, place]
            assert data.pool.sites.region[site] == data.sites.region[place]
            assert data.pool.condition[trial, site] == batch.condition[row]
            counts = data.pool.counts[trial, site].astype(np.float32)
            expected = (counts - data.standardise.mean[site]) / data.standardise.std[site]
            np.testing.assert_allclose(batch.spikes[row, :, place], expected, rtol=1e-6)


def test_split_and_audit_follow_the_sites_that_were_drawn(recording: Recording) -> None:
    data = make(recording, sites_per_region=2)
    assert data.audit.shared == 0
    test = data.dataset("test").pseudo
    pairs = {
        (int(s), int(data.pool.presentation[t, s]))
        for s, t in zip(test.sites().ravel(), test.source_trial.ravel(), strict=True)
    }
    assert data.audit.test == len(pairs) > 4
    pooled = make(recording, split=SplitPlan(unit="pseudo_trial"))
    assert pooled.audit.state is LeakState.LEAKING
    assert pooled.audit.shared > 0.5 * pooled.audit.test


def test_data_kept_on_the_device_give_the_same_batches(recording: Recording) -> None:
    for root in (False, True):
        plain, resident = (make(recording, resident=r, root=root) for r in (False, True))
        loaders = plain.train_dataloader(), resident.train_dataloader()
        for loader in loaders:
            loader.sampler.set_epoch(1)
        n = 0
        for a, b in zip(*loaders, strict=True):
            exact = {} if root else {"rtol": 0.0, "atol": 0.0}  # square roots differ by one bit
            torch.testing.assert_close(a.spikes, b.spikes, **exact)
            n += 1
        assert n > 3


def test_what_single_sites_say_is_lost_and_what_their_region_says_is_kept(
    recording: Recording,
) -> None:
    def by_place(gain: np.ndarray, draw: str) -> np.ndarray:
        plan = PseudoTrialPlan(per_condition=400, draw=draw, fresh=False)
        data = make(with_rates(recording, gain), pseudo=plan)
        pseudo = data.pseudo_trials("train")
        spikes = data.standardise.trials(pseudo, np.arange(len(pseudo))).mean(axis=1)
        even = pseudo.condition % 2 == 0
        return spikes[even].mean(axis=0) - spikes[~even].mean(axis=0)

    n = 9
    region = make(recording).pool.sites.region
    signed = np.zeros(n)
    for r in ("V4", "MT"):  # half of a region fires more, half less, none on balance
        own = np.flatnonzero(region == r)
        half = len(own) // 2
        signed[own[:half]], signed[own[half : 2 * half]] = 0.4, -0.4
    fixed, drawn = by_place(signed, "site"), by_place(signed, "random_sites")
    assert np.abs(fixed[signed != 0]).min() > 0.8
    assert np.abs(drawn).max() < 0.2
    assert by_place(np.full(n, 0.4), "random_sites").min() > 0.8


def test_a_cap_keeps_what_a_region_has_and_says_so(recording: Recording) -> None:
    cap = AtMost(V4=4, MT=30, PFC=30)
    data = make(recording, pseudo=PseudoTrialPlan(per_condition=30), sites_per_region=cap)
    assert [(data.sites.region == r).sum() for r in ("V4", "MT")] == [4, 3]
    assert any("MT 3 of 30" in note and "V4" not in note for note in data.notes)
    other = make(recording, sites_per_region=AtMost(PFC=1))
    assert other.n_sites == 9
    assert not any("fewer sites" in note for note in other.notes)
    with pytest.raises(InputError, match="PFC"):
        make(recording, sites_per_region={"PFC": 30})


def test_a_place_of_the_population_stands_at_the_mean_of_its_region(recording: Recording) -> None:
    data = make(recording, sites_per_region=2)
    about = Population.of(data)
    own = data.pool.sites.region == data.sites.region[0]
    assert about.n_sites == 4
    assert about.standardise.mean[0] == pytest.approx(data.standardise.mean[own].mean())
    again = Population.from_json(about.to_json())
    assert again.sites.site_id.tolist() == data.sites.site_id.tolist()


def test_eight_to_two_without_validation(recording: Recording) -> None:
    plan = SplitPlan(train=0.8, val=0.0, test=0.2)
    for unit in ("recorded_trial", "pseudo_trial"):
        data = make(recording, split=replace(plan, unit=unit))
        sizes = [len(data.dataset(part)) for part in ("train", "val", "test")]
        assert sizes == [4 * 48, 0, 4 * 12]
        assert len(list(data.val_dataloader())) == 0
