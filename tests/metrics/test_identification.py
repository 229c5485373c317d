import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf

from mua_decode.metrics import Identification, Shown

K = 6


def _videos(seed: int = 0, n: int = K) -> torch.Tensor:
    return torch.rand(n, 3, 4, 5, 5, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("similarity", ["correlation", "mse"])
def test_it_agrees_with_a_loop_over_trials_and_candidates(similarity):
    candidates = _videos()
    candidates[1] = candidates[0] + 0.01 * _videos(3)[0]  # two that differ little
    condition = torch.arange(40) % K
    generator = torch.Generator().manual_seed(1)
    noise = torch.randn(40, *candidates.shape[1:], generator=generator)
    predicted = (candidates[condition] + 1.5 * noise).clamp(0, 1)
    shown = Shown(candidates[condition], condition, candidates)
    metric = Identification(similarity=similarity)
    for b in range(len(condition)):
        p = predicted[b].flatten().double()
        rows = candidates.flatten(1).double()
        if similarity == "mse":
            best = (rows - p).square().sum(1).argmin()
        else:
            best = torch.stack([torch.corrcoef(torch.stack([p, c]))[0, 1] for c in rows]).argmax()
        assert metric.predicted_condition(predicted, candidates)[b] == best
        assert metric(predicted, shown)[b] == float(best == condition[b])
    assert 0.3 < metric(predicted, shown).mean() < 1


@pytest.mark.parametrize("similarity", ["correlation", "mse"])
def test_equal_candidates_share_the_credit(similarity):
    candidates = _videos()
    candidates[1] = candidates[4] = candidates[0]
    candidates[4] *= 1 + 6e-8  # a last digit apart is not a difference
    condition = torch.arange(K)
    metric = Identification(similarity=similarity)
    value = metric(candidates, Shown(candidates, condition, candidates))
    torch.testing.assert_close(value, torch.tensor([1 / 3, 1 / 3, 1, 1, 1 / 3, 1]))
    assert metric.predicted_condition(candidates, candidates).tolist() == [0, 0, 2, 3, 0, 5]
    same = _videos(n=1).expand(K, -1, -1, -1, -1)
    value = metric(_videos(2), Shown(same, condition, same))
    torch.testing.assert_close(value, torch.full((K,), 1 / K))


def test_constant_and_broken_predictions():
    candidates = _videos()
    predicted = candidates.clone()
    predicted[0] = 0.3
    predicted[1, 0, 0, 0, 0] = float("nan")
    metric = Identification(similarity="correlation")
    value = metric(predicted, Shown(candidates, torch.arange(K), candidates))
    assert value[0].item() == pytest.approx(1 / K)
    assert value[1].isnan()
    assert (value[2:] == 1).all()
    assert metric.predicted_condition(predicted, candidates).tolist() == [-1, -1, 2, 3, 4, 5]


def test_blank_candidates_are_chance_and_never_win_against_a_likeness():
    blank = torch.full((K, 1, 2, 4, 4), 0.5)
    condition = torch.arange(K)
    metric = Identification(similarity="correlation")
    predicted = torch.rand(K, 1, 2, 4, 4)
    value = metric(predicted, Shown(blank, condition, blank))
    torch.testing.assert_close(value, torch.full((K,), 1 / K))
    mixed = torch.cat([blank[:1], predicted[1:]])
    assert metric(predicted, Shown(mixed, condition, mixed))[1:].sum() == K - 1


def test_the_cache_sees_a_change_in_place_and_a_slice():
    candidates = _videos()
    shown = Shown(candidates.clone(), torch.arange(K), candidates)
    metric = Identification(similarity="correlation")
    assert metric(shown.video, shown).mean() == 1
    part = shown.frames(1, 3)
    assert metric(part.video, part).mean() == 1
    candidates[0].copy_(candidates[1])
    assert metric(shown.video, shown).tolist()[1] == 0.5
    with torch.inference_mode():
        copy = candidates.clone()
        assert metric(shown.video, Shown(shown.video, shown.condition, copy))[1] == 0.5


def test_config_and_unknown_similarity():
    metric = instantiate(OmegaConf.load("conf/metric/identification.yaml"))
    assert (metric.name, metric.similarity) == ("identification", "correlation")
    with pytest.raises(ValueError, match="correlation, mse"):
        Identification(similarity="cosine")
