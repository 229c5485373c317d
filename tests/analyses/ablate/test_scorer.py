from collections.abc import Callable

import numpy as np
import pytest
import torch

from mua_decode.analyses.ablate.fill import FILLS, donors, mean_time_course
from mua_decode.analyses.ablate.masks import no_mask, region_masks
from mua_decode.analyses.ablate.plan import AblationPlan
from mua_decode.analyses.ablate.scorer import MaskScorer
from mua_decode.data import DecodingData, PseudoTrialPlan, SplitPlan
from mua_decode.metrics import MSE, Identification
from mua_decode.runs.config import compose
from mua_decode.runs.plan import read_plan
from mua_decode.simulation import noise_surrogate
from mua_decode.types import InputError, Recording


class Probe:
    """A decoder that keeps what it was shown and paints the mean activity of the trial."""

    def __init__(self, shape: tuple[int, int, int]) -> None:
        self.shape, self.seen = shape, []

    def __call__(self, spikes: torch.Tensor) -> torch.Tensor:
        self.seen.append(spikes.clone())
        level = spikes.mean((1, 2)).sigmoid()
        c, h, w = self.shape
        return level[:, None, None, None, None].expand(-1, c, spikes.shape[1], h, w)


@pytest.fixture
def data(recording: Recording) -> DecodingData:
    plan = PseudoTrialPlan(per_condition=30, draw="site", fresh=False)
    return DecodingData(recording, window=None, split=SplitPlan(), pseudo=plan, seed=0)


def scorer(data: DecodingData, fill: str, *, trials: str = "null") -> tuple[MaskScorer, Probe]:
    probe = Probe(data.frame_shape)
    metrics = [MSE(), Identification(similarity="correlation")]
    plan = read_plan(AblationPlan, compose("ablate", [f"trials_per_condition={trials}"]))
    return MaskScorer(probe, data, plan, metrics=metrics, fill=fill), probe


def seen_by(data: DecodingData, fill: str, region: str) -> tuple[np.ndarray, np.ndarray]:
    """What the network sees of the test trials, unmasked and with a region masked."""
    out = []
    masks = {m.name: m for m in region_masks(data.pool.sites)}
    for mask in (no_mask(data.pool.sites), masks[f"without {region}"]):
        one, probe = scorer(data, fill)
        one.score(mask)
        out.append(torch.cat(probe.seen).numpy())
    return out[0], out[1]


def test_shuffled_trials_come_from_one_other_condition_and_no_trial_comes_twice(
    data: DecodingData,
) -> None:
    condition = data.dataset("test").pseudo.condition
    rings = donors(condition, 3, seed=0)
    for donor in rings:
        assert len(np.unique(donor)) == len(donor)
        for k in np.unique(condition):
            (source,) = set(condition[donor[condition == k]])
            assert source != k
    first, second = (condition[d] for d in rings[:2])
    assert (first != second).all()  # regions masked together do not agree


def test_shuffling_noise_costs_averages_nothing(build_recording: Callable[..., Recording]) -> None:
    """Averages under a mask are as noisy as without: trials of a condition stay together."""
    losses = []
    for seed in range(12):
        noise = noise_surrogate(build_recording(1, trials=10, n_conditions=8), seed=seed)
        plan = PseudoTrialPlan(per_condition=100, fresh=False)
        data = DecodingData(noise, window=None, split=SplitPlan(), pseudo=plan, seed=seed)
        one, _ = scorer(data, "shuffle")
        without = one.score(region_masks(data.pool.sites)[0]).average["mse"]
        losses.append((without - one.score(no_mask(data.pool.sites)).average["mse"]).mean())
    assert abs(np.mean(losses)) < 2.5 * np.std(losses) / np.sqrt(len(losses))


@pytest.mark.parametrize("fill", FILLS)
def test_a_mask_leaves_other_regions_untouched_and_removes_its_own(
    data: DecodingData, fill: str
) -> None:
    before, after = seen_by(data, fill, "MT")
    masked = data.pool.sites.in_regions(["MT"])
    np.testing.assert_array_equal(before[:, :, ~masked], after[:, :, ~masked])
    if fill == "zero":
        assert (after[:, :, masked] == 0).all()
    elif fill == "mean":
        course = mean_time_course(data)[:, masked]
        np.testing.assert_allclose(
            after[:, :, masked], np.broadcast_to(course, after[:, :, masked].shape)
        )
    else:  # whole trials of the same part, jointly for all masked sites
        there = {row.tobytes() for row in before[:, :, masked]}
        assert {row.tobytes() for row in after[:, :, masked]} <= there
        assert (before != after).any()


def test_the_unmasked_network_sees_what_it_was_tested_on(data: DecodingData) -> None:
    before, _ = seen_by(data, "shuffle", "V4")
    direct = torch.cat([b.spikes for b in data.batches("test")]).numpy()
    np.testing.assert_array_equal(before, direct)


def test_the_mean_time_course_is_that_of_training_trials(data: DecodingData) -> None:
    course = mean_time_course(data)
    pool, n = data.pool, 2
    rows = data.split.trials["train"][pool.sites.session[n]]
    direct = data.standardise(pool.counts[rows].transpose(0, 2, 1)).mean(0)[:, n]
    np.testing.assert_allclose(course[:, n], direct, rtol=1e-4, atol=1e-5)
    assert abs(course.mean()) < 1e-4  # standardised over training trials and bins


def test_scores_are_by_condition_and_averages_come_from_all_trials(data: DecodingData) -> None:
    one, probe = scorer(data, "zero")
    found = one.score(no_mask(data.pool.sites))
    predicted, shown, condition = [], [], []
    for batch in data.batches("test"):
        predicted.append(Probe(data.frame_shape)(batch.spikes))
        shown.append(batch.video)
        condition.append(batch.condition)
    p, v, k = torch.cat(predicted), torch.cat(shown), torch.cat(condition)
    error = (p - v).square().mean((1, 2, 3, 4))
    for i, c in enumerate(k.unique()):
        assert found.single["mse"][i] == pytest.approx(float(error[k == c].mean()), rel=1e-5)
        mean = (p[k == c].mean(0) - v[k == c].mean(0)).square().mean()
        assert found.average["mse"][i] == pytest.approx(float(mean), rel=1e-4)
    assert sum(map(len, probe.seen)) == len(data.dataset("test"))
    # A constant video is nearest to none: every candidate gets its share of the credit.
    assert found.single["identification"] == pytest.approx(1 / data.stimuli.n_conditions)


def test_fewer_trials_and_dear_metrics_can_be_left_out(data: DecodingData) -> None:
    one, probe = scorer(data, "zero", trials="2")
    found = one.score(no_mask(data.pool.sites), average_only=["mse"])
    assert sum(map(len, probe.seen)) == 2 * data.stimuli.n_conditions
    assert "mse" not in found.single
    assert np.isfinite(found.average["mse"]).all()


def test_wrong_options_are_named(data: DecodingData) -> None:
    with pytest.raises(InputError, match="fill=nothing"):
        scorer(data, "nothing")
    with pytest.raises(InputError, match="trials_per_condition"):
        scorer(data, "zero", trials="0")


def test_root_counts_have_the_mean_of_their_roots(
    build_recording: Callable[..., Recording],
) -> None:
    plan = PseudoTrialPlan(per_condition=10, fresh=False)
    data = DecodingData(
        build_recording(1), window=None, split=SplitPlan(), pseudo=plan, root=True, seed=0
    )
    assert abs(mean_time_course(data).mean()) < 1e-4
