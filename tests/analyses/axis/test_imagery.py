"""Planted reactivation is found at its size, and nothing where nothing was planted."""

import dataclasses

import numpy as np
import pytest

from mua_decode.analyses.axis.cross_decoding import measure_cross_decoding
from mua_decode.analyses.axis.imagery import measure_imagery
from mua_decode.analyses.axis.plan import RealityPlan, ResponsePlan, SignificancePlan
from mua_decode.analyses.axis.reality import measure_reality
from mua_decode.analyses.axis.responses import collect_responses
from mua_decode.analyses.axis.ridge import make_blocks
from mua_decode.analyses.axis.trials import state_trials
from mua_decode.analyses.axis.tuning import fit_axes
from mua_decode.simulation import ImageryParameters, simulate_imagery
from mua_decode.statistics import share
from mua_decode.types import InputError

PLAN = SignificancePlan(n_permutations=300, alpha=0.05, correction="fdr_bh", flat_fraction=0.5)
RESPONSE = ResponsePlan(
    window_s=(0.5, 1.0), baseline_s=(0.0, 0.5), baseline_segment=None, per="window", bin_s=None
)


def _trials(recording):
    return [state_trials(recording, s, RESPONSE) for s in ("imagery", "perception")]


def _measure(seed=0, **planted):
    parameters = ImageryParameters(
        **{"regions": {"VTC": 60}, "images": 150, "sessions": 2, "latents": 8} | planted
    )
    recording = simulate_imagery(imagery=parameters, seed=seed)
    responses = collect_responses(recording, RESPONSE)
    rng = np.random.default_rng(seed)
    blocks = make_blocks(150, test_fraction=0.25, inner_folds=4, rng=rng)
    latent = recording.truth["images"].filter(like="latent").to_numpy()
    model = fit_axes("latent", latent, responses, blocks, plan=PLAN, rng=rng)
    names, trials = recording.stimuli.names, _trials(recording)
    imagery = measure_imagery(*trials, model, responses.condition, names=names, plan=PLAN, rng=rng)
    return recording, model, imagery


@pytest.fixture(scope="module")
def measured():
    return _measure()


def test_planted_shares_lie_in_their_intervals(measured):
    recording, model, imagery = measured
    truth = recording.truth["sites"].set_index("site_id").loc[model.sites["site_id"]]
    assert truth["tuned"].mean() == 0.8
    _, low, high = share(model.tuned)
    assert low <= 0.8 <= high
    _, low, high = share(imagery.sites["reactivated"].to_numpy()[model.tuned])
    assert low <= 0.4 <= high
    assert (truth["reactivates"].to_numpy() == imagery.sites["reactivated"]).mean() > 0.95


def test_imagined_responses_follow_the_axis_at_their_scale(measured):
    *_, imagery = measured
    again = imagery.sites[imagery.sites["reactivated"]]
    assert imagery.median_correlation > 0.7
    assert imagery.median_p < 0.01
    assert again["follows_axis"].mean() > 0.8
    assert again["imagery_scale"].median() == pytest.approx(0.5, abs=0.1)
    assert again["imagery_axis_slope"].median() == pytest.approx(0.5, abs=0.15)
    silent = imagery.sites[~imagery.sites["reactivated"]]["imagery_axis_correlation"]
    assert abs(silent.mean()) < 0.15


def test_without_reactivation_only_false_positives_remain():
    raw, corrected = [], []
    for seed in range(3):
        _, model, imagery = _measure(seed, share_reactivating=0.0)
        raw += imagery.sites["reactivated_p"][model.tuned].tolist()
        corrected += imagery.sites["reactivated"][model.tuned].tolist()
    assert np.mean(corrected) <= 0.05
    assert np.mean(np.array(raw) <= 0.05) < 0.05 + 3 * np.sqrt(0.05 * 0.95 / len(raw))


def test_objects_and_states_are_decoded_where_planted_and_not_otherwise(measured):
    recording = measured[0]
    trials = _trials(recording)
    given = {"trained_on_perception": {}, "n_permutations": 199}
    table, note = measure_cross_decoding(*trials, **given, rng=np.random.default_rng(0))
    assert set(table["direction"]) == {"perception to imagery", "imagery to perception"}
    assert (table["accuracy"] > 2 * table["chance"]).all()
    assert (table["p"] < 0.02).all()
    assert "permutation" in note.test
    plan = RealityPlan(sizes=(1, 8, 1000), draws=10, n_permutations=60)
    reality, _ = measure_reality(*trials, plan=plan, rng=np.random.default_rng(0))
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
    plan = dataclasses.replace(plan, sizes=(60,), draws=1)
    null, _ = measure_reality(*halves, plan=plan, rng=np.random.default_rng(0))
    assert abs(null["accuracy"].iloc[0] - 0.5) < 0.15


def test_no_imagery_trials_is_said(recording):
    with pytest.raises(InputError, match="no imagery trials"):
        state_trials(recording, "imagery", dataclasses.replace(RESPONSE, window_s=None))


@pytest.mark.slow
@pytest.mark.parametrize("planted", [0.4, 0.0])
def test_planted_shares_over_twenty_seeds(planted):
    covered = {"tuned": 0, "reactivated": 0}
    raw: list[bool] = []
    for seed in range(20):
        _, model, imagery = _measure(
            seed, regions={"VTC": 120, "MTL": 60}, share_reactivating=planted
        )
        _, low, high = share(model.tuned)
        covered["tuned"] += low <= 0.8 <= high
        _, low, high = share(imagery.sites["reactivated"].to_numpy()[model.tuned])
        covered["reactivated"] += low <= planted <= high
        raw += (imagery.sites["reactivated_p"][model.tuned] <= 0.05).tolist()
    assert min(covered.values()) >= 18
    if planted == 0:
        assert abs(np.mean(raw) - 0.05) < 3 * np.sqrt(0.05 * 0.95 / len(raw))
