"""Planted reactivation is found at its size, and nothing where nothing was planted."""

import dataclasses
import functools

import numpy as np
import pandas as pd
import pytest

from mua_decode.analyses.axis.alignment import along_axis, correlation_interval
from mua_decode.analyses.axis.amplitude import across_halves
from mua_decode.analyses.axis.cross_decoding import measure_cross_decoding
from mua_decode.analyses.axis.held_out import hold_out
from mua_decode.analyses.axis.imagery import measure_imagery
from mua_decode.analyses.axis.plan import AxisPlan, RealityPlan, ResponsePlan
from mua_decode.analyses.axis.reality import measure_reality, ventral_sites
from mua_decode.analyses.axis.responses import collect_responses
from mua_decode.analyses.axis.ridge import RidgeDesign, make_blocks
from mua_decode.analyses.axis.trials import StateTrials, state_trials
from mua_decode.analyses.axis.units import unit_correlation, unit_share
from mua_decode.runs.config import compose
from mua_decode.runs.plan import read_plan
from mua_decode.simulation import ImageryParameters, SiteKinds, simulate_imagery
from mua_decode.statistics import adjust
from mua_decode.types import InputError, SiteTable

RESPONSE = ResponsePlan(
    window_s=(0.5, 1.0), baseline_s=(0.0, 0.5), baseline_segment=None, per="window", bin_s=None
)
REALITY = RealityPlan(regions="all", sizes=(1, 8, 1000), draws=10, n_permutations=60)


@functools.cache
def _default() -> AxisPlan:
    return read_plan(AxisPlan, compose("axis", ["inner_folds=4"]))


def _plan(n_permutations=300, n_components=8) -> AxisPlan:
    plan = _default()
    test = dataclasses.replace(plan.test, n_permutations=n_permutations)
    return dataclasses.replace(plan, test=test, n_components=n_components)


def _trials(recording):
    return [state_trials(recording, s, RESPONSE) for s in ("imagery", "perception")]


@dataclasses.dataclass
class Found:
    truth: pd.DataFrame
    recording: object
    responses: object
    latent: np.ndarray
    imagery: object

    @property
    def tuned(self):
        return self.imagery.held.tuned

    def test(self, metric, group="all"):
        frame = self.imagery.tests.frame
        chosen = frame[(frame["metric"] == metric) & (frame["group"] == group)]
        assert len(chosen) == 1
        return chosen.iloc[0]


def _measure(seed=0, n_permutations=300, **planted) -> Found:
    parameters = ImageryParameters(
        **{"regions": {"VTC": 60}, "images": 150, "sessions": 4, "latents": 8} | planted
    )
    plan = _plan(n_permutations, parameters.latents)
    recording = simulate_imagery(imagery=parameters, seed=seed)
    responses = collect_responses(recording, RESPONSE)
    rng, sites = np.random.default_rng(seed), responses.sites
    latent = recording.truth["images"].filter(like="latent").to_numpy()
    trials, seen = _trials(recording)
    objects = np.unique(trials[0].condition)
    names = recording.stimuli.names
    held = hold_out(objects, latent, responses, names=names, plan=plan, rng=rng)
    silent = adjust(responses.responsive_p, "fdr_bh") > 0.05
    imagery = measure_imagery(
        trials, seen, held, sites=sites, silent=silent, plan=plan.test, rng=rng
    )
    truth = recording.truth["sites"].set_index("site_id").loc[sites.site_id]
    return Found(truth, recording, responses, latent, imagery)


@pytest.fixture(scope="module")
def measured():
    return _measure()


def test_planted_shares_lie_in_their_intervals(measured):
    imagery, truth = measured.imagery, measured.truth
    assert truth["tuned"].mean() == 0.8
    _, low, high = unit_share(measured.tuned, imagery.units.label)
    assert low <= 0.8 <= high
    again = imagery.sites["reactivated"].to_numpy()
    for value, low, high in (
        unit_share(again[measured.tuned], imagery.units.label[measured.tuned]),
        imagery.estimated_share(measured.tuned, "raised"),
    ):
        assert low <= 0.4 <= high
        assert value == pytest.approx(0.4, abs=0.1)
    assert (truth["reactivates"].to_numpy() == again).mean() > 0.95
    assert imagery.estimated_share(measured.tuned, "lowered").estimate < 0.1


def test_imagined_responses_follow_the_axis_at_their_scale(measured):
    imagery = measured.imagery
    again = imagery.sites[imagery.sites["reactivated"]]
    assert imagery.median_correlation > 0.7
    assert imagery.median_p < 0.01
    assert again["follows_axis"].mean() > 0.8
    assert again["imagery_scale"].median() == pytest.approx(0.5, abs=0.1)
    assert again["imagery_axis_slope"].median() == pytest.approx(0.5, abs=0.15)
    silent = imagery.sites[~imagery.sites["reactivated"]]["imagery_axis_correlation"]
    assert abs(silent.mean()) < 0.15


def test_imagery_is_weaker_than_perception_where_it_is_planted_so(measured):
    row = measured.test("mean change from baseline of reactivated sites, spikes/s")
    assert row["n"] == 4
    assert row["n_unit"] == "subjects"
    assert row["effect"] == pytest.approx(-3, abs=0.8)  # half of 6 spikes/s
    assert row["p_corrected"] < 0.05
    assert row["correction"].startswith("Holm")
    equal = _measure(imagery_scale=1.0, n_permutations=199)
    row = equal.test("mean change from baseline of reactivated sites, spikes/s")
    assert row["low"] < 0 < row["high"]


def test_shares_are_tested_against_permutations_and_untuned_sites(measured):
    assert measured.test("share reactivated")["p"] < 0.01
    many = _measure(regions={"VTC": 240}, share_tuned=0.5, n_permutations=99)
    against = many.test("estimated share reactivated, tuned less untuned sites")
    assert against["p"] < 0.05
    assert against["effect"] == pytest.approx(0.4, abs=0.2)
    assert against["n_unit"] == "subjects"
    everywhere = _measure(
        share_reactivating=1.0, kinds=SiteKinds(share_untuned_replaying=1.0), n_permutations=99
    )
    assert everywhere.test("share reactivated")["p"] == 0.01
    against = everywhere.test("estimated share reactivated, tuned less untuned sites")
    assert abs(against["effect"]) < 0.15


def test_imagined_objects_are_held_out_of_components_and_axes(measured):
    """What is planted on the imagined objects alone changes no axis."""
    held, responses = measured.imagery.held, measured.responses
    rows = held.blocks.test
    assert not set(rows) & set(held.blocks.train)
    assert set(rows) | set(held.blocks.train) == set(range(150))
    changed = responses.mean.copy()
    changed[rows] += 100
    other = dataclasses.replace(responses, mean=changed)
    given = {"names": measured.recording.stimuli.names, "plan": _plan(300)}
    same, moved = (
        hold_out(held.objects, f, r, **given, rng=np.random.default_rng(3))
        for f, r in ((measured.latent, responses), (measured.latent, other))
    )
    np.testing.assert_array_equal(same.projected, moved.projected)
    np.testing.assert_array_equal(same.tuned, moved.tuned)
    features = measured.latent.copy()
    features[rows] *= 3
    scaled = hold_out(held.objects, features, responses, **given, rng=np.random.default_rng(3))
    others = held.blocks.train
    np.testing.assert_allclose(scaled.x[others], same.x[others], atol=1e-9)


def test_images_that_test_for_an_axis_do_not_choose_its_components(measured):
    """What is planted on the test images alone would ask for all components."""
    plan = dataclasses.replace(_plan(19), n_components=(1, 40))
    rng = np.random.default_rng(4)
    noise = rng.standard_normal((150, 40)) * np.array([10.0, *[3.0] * 39])
    mean = 0.1 * noise[:, :1, None] + rng.standard_normal(measured.responses.mean.shape)
    names, objects = measured.recording.stimuli.names, measured.imagery.held.objects

    def held(mean):
        responses = dataclasses.replace(measured.responses, mean=mean)
        given = {"names": names, "plan": plan, "rng": np.random.default_rng(3)}
        return hold_out(objects, noise, responses, **given)

    first = held(mean)
    assert first.tested_components == 1
    test = first.tested.test
    mean = mean.copy()
    mean[test] += 100 * noise[test][:, 1:2, None]
    again = held(mean)
    assert again.x.shape[1] == 40  # chosen on all images that were not imagined
    assert again.tested_components == 1


def _shared_effect(seed, *, effect, along=0.0, n_objects=12, n_units=8, per_unit=12):
    """Imagery with an effect of the object that all sites share, and axes alike in part."""
    rng = np.random.default_rng(seed)
    latent, common = rng.standard_normal((n_objects, 8)), rng.standard_normal(8)
    axes = rng.standard_normal((8, n_units * per_unit))
    axes = axes / np.linalg.norm(axes, axis=0) + (common / np.linalg.norm(common))[:, None]
    projected = latent @ axes / np.sqrt(2)
    noise = rng.standard_normal(projected.shape)
    vivid = rng.standard_normal((n_objects, 1))
    imagined = np.sqrt(effect) * vivid + np.sqrt(1 - effect) * noise + along * projected
    units = np.repeat(np.arange(n_units), per_unit)
    every = np.ones(len(units), bool)
    naive = unit_correlation(along_axis(imagined, projected, every, 0, rng)[0], units)
    return correlation_interval(imagined, projected, every, units), naive


@pytest.mark.parametrize("effect", [0.0, 0.1, 0.5])
def test_interval_of_the_correlation_holds_under_an_effect_of_the_object(effect):
    found = [_shared_effect(seed, effect=effect) for seed in range(60)]
    inside, naive = np.mean([[i.low <= 0 <= i.high for i in pair] for pair in found], axis=0)
    assert inside > 0.87  # 95 % less three standard errors of 60 seeds
    if effect == 0.5:  # the spread over units alone does not show it
        assert naive < 0.6


def test_interval_of_the_correlation_still_finds_an_axis():
    found = [_shared_effect(seed, effect=0.1, along=2.0)[0] for seed in range(20)]
    assert min(i.low for i in found) > 0.3
    assert all(i.low <= i.estimate <= i.high <= 1 for i in found)


def test_amplitude_is_measured_on_trials_that_did_not_choose_the_site(measured):
    """Sites that noise alone raised seem to respond on the trials that chose them."""
    assert len(measured.imagery.halves) > 1.5 * measured.truth["reactivates"].sum()
    assert measured.imagery.halves["imagery_scale"].median() == pytest.approx(0.5, abs=0.1)
    chosen, other = [], []
    plan = dataclasses.replace(_plan(99).test, correction="none")
    for seed in range(3):
        found = _measure(seed, share_reactivating=0.0, n_permutations=99, regions={"VTC": 240})
        sites, rng = found.imagery.sites, np.random.default_rng(seed)
        by_noise = (sites["reactivated_p"] <= 0.05) & sites["tuned"]
        chosen += sites["imagined_change"][by_noise].tolist()
        trials, seen = _trials(found.recording)[0], sites["perceived_change"].to_numpy()
        halves = across_halves(trials, found.imagery.held, seen, plan=plan, rng=rng)
        other += halves["imagined_change"].tolist()
    error = np.std(other) / np.sqrt(len(other))
    assert len(other) > 30
    assert np.mean(chosen) > 5 * error
    assert abs(np.mean(other)) < 3 * error


def test_idiosyncratic_replay_follows_the_axis_only_where_it_was_fitted_on_the_objects():
    inside, outside, ps = [], [], []
    for seed in range(3):
        found = _measure(
            seed,
            n_permutations=99,
            regions={"VTC": 96},
            latents=30,
            image_size=24,
            share_reactivating=0.5,
            kinds=SiteKinds(idiosyncratic=0.5, replays="idiosyncratic"),
        )
        group, rng = found.truth["reactivates"].to_numpy(), np.random.default_rng(0)
        held, imagined = found.imagery.held, found.imagery.imagined
        _, p, median, _ = along_axis(imagined, held.projected, group, 99, rng)
        outside.append(median)
        ps += p[group].tolist()
        blocks = make_blocks(150, test_fraction=0.2, inner_folds=4, rng=rng)
        fit = RidgeDesign(found.latent, blocks).fit(found.responses.rows, blocks)
        projected = fit.predict(found.latent[held.blocks.test])
        inside.append(along_axis(imagined, projected, group, 1, rng)[2])
        assert found.tuned[group].mean() > 0.6  # tuned they are
    assert np.mean(inside) > 0.08
    assert abs(np.mean(outside)) < 0.06
    assert np.mean(np.array(ps) <= 0.05) < 0.05 + 3 * np.sqrt(0.05 * 0.95 / len(ps))


def test_untuned_and_imagery_only_sites_follow_no_axis():
    found = _measure(
        share_tuned=0.4,
        regions={"VTC": 100},
        kinds=SiteKinds(share_untuned_replaying=0.5, share_imagery_only=0.5),
    )
    sites, truth = found.imagery.sites, found.truth
    only = truth["imagery_only"].to_numpy()
    assert sites["imagery_only"][only].mean() > 0.9
    assert not sites["imagery_only"][~only].any()
    assert sites["reactivated_p"][~only & ~truth["tuned"].to_numpy()].max() < 0.05
    assert found.tuned[~truth["tuned"].to_numpy()].mean() < 0.1
    r = sites["imagery_axis_correlation"]
    for kind in ("untuned_replaying", "imagery_only"):
        mine = r[truth[kind].to_numpy()]
        assert abs(mine.median()) < 3 * 1.25 * mine.std() / np.sqrt(len(mine))


@pytest.mark.parametrize("hz", [1.0, 3.0])
def test_suppression_does_not_count_as_reactivation(hz):
    kinds = SiteKinds(share_suppressed=0.4, suppression_hz=hz)
    found = _measure(share_reactivating=0.0, kinds=kinds, regions={"VTC": 120})
    imagery = found.imagery
    assert imagery.sites["reactivated"].sum() <= 1
    value, low, high = imagery.estimated_share(found.tuned, "lowered")
    assert low <= 0.4 <= high
    assert value == pytest.approx(0.4, abs=0.13)
    assert imagery.estimated_share(found.tuned, "raised").low == 0
    assert found.test("share reactivated")["p"] > 0.05
    if hz > 1:
        suppressed = imagery.sites["suppressed"].to_numpy()
        assert (suppressed == found.truth["suppressed"].to_numpy()).mean() > 0.95


def test_changes_of_both_signs_do_not_cancel():
    found = _measure(imagery_shift_hz=0.0, imagery_scale=1.0, regions={"VTC": 120})
    assert abs(found.imagery.sites["imagined_change"].mean()) < 0.5
    value, low, high = found.imagery.estimated_share(found.tuned, "raised")
    assert low <= 0.4 <= high
    assert value > 0.25
    assert found.test("share reactivated")["p"] < 0.01


def test_small_shifts_are_counted_though_few_sites_are_significant():
    found = _measure(imagery_shift_hz=1.0, imagery_scale=0.1, regions={"VTC": 120})
    value, low, high = found.imagery.estimated_share(found.tuned, "raised")
    assert low <= 0.4 <= high
    significant = found.imagery.sites["reactivated"].to_numpy()[found.tuned].mean()
    assert significant < 0.3 < value


def test_without_reactivation_only_false_positives_remain():
    raw, corrected, ps = [], [], []
    for seed in range(3):
        found = _measure(seed, share_reactivating=0.0)
        raw += found.imagery.sites["reactivated_p"][found.tuned].tolist()
        corrected += found.imagery.sites["reactivated"][found.tuned].tolist()
        ps.append(found.test("share reactivated")["p"])
    assert np.mean(corrected) <= 0.05
    assert np.mean(np.array(raw) <= 0.05) < 0.05 + 3 * np.sqrt(0.05 * 0.95 / len(raw))
    assert max(ps) > 0.05


def test_one_session_gives_no_interval_and_says_so():
    found = _measure(sessions=1, n_permutations=49)
    assert np.isnan(found.imagery.estimated_share(found.tuned, "raised").low)
    assert "no interval" in found.imagery.units.said
    against = found.test("estimated share reactivated, tuned less untuned sites")
    assert np.isnan(against["p"])
    assert "fewer than 2 pairs" in against["note"]


def test_without_a_baseline_objects_must_differ(measured):
    trials, seen = _trials(measured.recording)
    bare = [dataclasses.replace(t, change=None) for t in trials]
    found = measure_imagery(
        bare,
        seen,
        measured.imagery.held,
        sites=measured.responses.sites,
        silent=np.zeros(60, bool),
        plan=_plan().test,
        rng=np.random.default_rng(0),
    )
    truth = measured.truth["reactivates"].to_numpy()
    assert (found.sites["reactivated"].to_numpy() == truth).mean() > 0.9
    assert not found.sites["suppressed"].any()
    assert found.sites["imagery_scale"].isna().all()


def test_objects_and_states_are_decoded_where_planted_and_not_otherwise(measured):
    trials = _trials(measured.recording)
    given = {"trained_on_perception": {}, "n_permutations": 199}
    table, tests = measure_cross_decoding(*trials, **given, rng=np.random.default_rng(0))
    assert set(table["direction"]) == {"perception to imagery", "imagery to perception"}
    assert (table["accuracy"] > 2 * table["chance"]).all()
    assert (table["p"] < 0.02).all()
    np.testing.assert_allclose(table["p_corrected"], adjust(table["p"].to_numpy(), "holm"))
    assert (tests.frame["correction"] == "Holm over 2").all()
    assert (tests.frame["n_unit"] == "objects").all()
    sites = measured.responses.sites
    given = {"plan": REALITY, "rng": np.random.default_rng(0)}
    reality, _ = measure_reality(*trials, sites, **given)
    assert reality["n_sites"].tolist() == [1, 8, 60]
    assert reality["accuracy"].is_monotonic_increasing
    assert reality["accuracy"].iloc[-1] > 0.95
    # Both "states" are perception: nothing tells them apart.
    halves = [
        [
            dataclasses.replace(
                t, rate=t.rate[half::2], change=None, condition=t.condition[half::2]
            )
            for t in trials[1]
        ]
        for half in (0, 1)
    ]
    given["plan"] = dataclasses.replace(REALITY, sizes=(60,), draws=1)
    null, _ = measure_reality(*halves, sites, **given)
    assert abs(null["accuracy"].iloc[0] - 0.5) < 0.15


def _two_states(rng, *, shift, n_objects=8, n=6, n_sites=10):
    """Trials of both states with an object signal six times the noise."""
    object_mean = 6 * rng.standard_normal((n_objects, n_sites))
    condition = np.repeat(np.arange(n_objects), n)
    states = []
    for s in (0.0, shift):
        rate = object_mean[condition] + rng.standard_normal((len(condition), n_sites))
        states.append([StateTrials(rate + s, None, condition)])
    return states


def test_a_strong_object_signal_neither_hides_nor_makes_a_difference_of_states():
    """At p ≤ .05: about 1 in 20 without a difference, nearly all with one."""
    sites = SiteTable([f"s{i}" for i in range(10)], ["IT"] * 10, ["a"] * 10, ["m"] * 10)
    plan = dataclasses.replace(REALITY, sizes=(10,), n_permutations=99)
    rates = {}
    for shift, runs in ((0.0, 120), (0.45, 25)):
        p = []
        for seed in range(runs):
            rng = np.random.default_rng(seed)
            states = _two_states(rng, shift=shift)
            p.append(measure_reality(*states, sites, plan=plan, rng=rng)[0]["p"].iloc[0])
        rates[shift] = np.mean(np.array(p) <= 0.05)
    assert 0.01 <= rates[0.0] <= 0.12
    assert rates[0.45] > 0.8


def test_states_are_told_from_ventral_sites_where_they_are_known():
    sites = SiteTable(list("abcd"), ["V1", "IT", "vtc", "MTL"], ["s"] * 4, ["m"] * 4)
    assert ventral_sites(sites, "auto")[0].tolist() == [False, True, True, False]
    assert ventral_sites(sites, "all")[0].all()
    assert ventral_sites(sites, ["MTL"])[0].tolist() == [False, False, False, True]
    unknown = SiteTable(list("ab"), ["A", "B"], ["s"] * 2, ["m"] * 2)
    chosen, said = ventral_sites(unknown, "auto")
    assert chosen.all()
    assert "no ventral region" in said
    with pytest.raises(InputError, match="region 'IT' is not in this recording"):
        ventral_sites(unknown, ["IT"])


def test_no_imagery_trials_is_said(recording):
    with pytest.raises(InputError, match="no imagery trials"):
        state_trials(recording, "imagery", dataclasses.replace(RESPONSE, window_s=None))


def test_axes_need_images_that_were_not_imagined(measured):
    given = {"names": measured.recording.stimuli.names, "plan": _plan()}
    with pytest.raises(InputError, match="5 perceived images were not imagined"):
        hold_out(
            np.arange(145),
            measured.latent,
            measured.responses,
            **given,
            rng=np.random.default_rng(0),
        )
    with pytest.raises(InputError, match="was imagined but never perceived"):
        hold_out(
            np.array([1, 2, 3]),
            measured.latent[5:],
            dataclasses.replace(measured.responses, condition=np.arange(5, 150)),
            **given,
            rng=np.random.default_rng(0),
        )


@pytest.mark.slow
@pytest.mark.parametrize("planted", [0.4, 0.0])
def test_planted_shares_over_twenty_seeds(planted):
    covered = {"tuned": 0, "reactivated": 0, "estimated": 0}
    raw: list[bool] = []
    for seed in range(20):
        found = _measure(seed, regions={"VTC": 120, "MTL": 60}, share_reactivating=planted)
        unit, tuned = found.imagery.units.label, found.tuned
        _, low, high = unit_share(tuned, unit)
        covered["tuned"] += low <= 0.8 <= high
        again = found.imagery.sites["reactivated"].to_numpy()[tuned]
        _, low, high = unit_share(again, unit[tuned])
        covered["reactivated"] += low <= planted <= high
        _, low, high = found.imagery.estimated_share(tuned, "raised")
        covered["estimated"] += low <= planted <= high
        raw += (found.imagery.sites["reactivated_p"][tuned] <= 0.05).tolist()
    assert min(covered.values()) >= 18
    if planted == 0:
        assert abs(np.mean(raw) - 0.05) < 3 * np.sqrt(0.05 * 0.95 / len(raw))
