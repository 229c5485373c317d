from collections.abc import Iterator

import torch
from torch import Tensor

from mua_decode.models.floor import Batches, Repeats
from mua_decode.models.held_out import HeldOutRates, learn_gains
from mua_decode.models.posterior import PosteriorDecoder

K, T, N, R = 3, 4, 6, 8


def batches(spikes: Tensor, condition: Tensor) -> Batches:
    def start() -> Iterator[tuple[Tensor, Tensor]]:
        yield from zip(spikes.split(16), condition.split(16), strict=True)

    return start


def recorded(seed: int, n: int = R) -> tuple[Tensor, Tensor]:
    rates = torch.rand(K, T, N, generator=torch.Generator().manual_seed(5)) * 2 + 0.3
    condition = torch.arange(K).repeat(n)
    return torch.poisson(rates[condition], generator=torch.Generator().manual_seed(seed)), condition


def of(spikes: Tensor, condition: Tensor) -> Repeats:
    mean = torch.stack([spikes[condition == k].mean(0) for k in range(K)])
    number = torch.bincount(condition, minlength=K).float()
    return Repeats(mean, number[:, None].expand(K, N).contiguous())


def fitted(spikes: Tensor, condition: Tensor) -> PosteriorDecoder:
    floor = PosteriorDecoder(shrinks=[0.1], temperatures=[1])
    videos = torch.rand(K, 1, T, 2, 2)
    floor.fit(batches(spikes, condition), batches(*recorded(2)), videos, of(spikes, condition))
    return floor


def test_a_trial_is_left_out_of_its_rates_exactly() -> None:
    spikes, condition = recorded(1)
    floor = fitted(spikes, condition)
    rates = floor.held_out(of(spikes, condition))
    above = (spikes.double() - floor.smallest).clamp(min=0)
    change = rates.own(above, condition)
    for trial in range(0, len(spikes), 5):
        k = int(condition[trial])
        others = (condition == k) & (torch.arange(len(spikes)) != trial)
        rate = 0.9 * above[others].mean(0) + 0.1 * rates.common
        ours = above[trial] * rate.log() - rate
        seen = above[trial] * rates.rate[k].log() - rates.rate[k]
        torch.testing.assert_close(change[trial], (ours - seen).sum(0), rtol=1e-4, atol=1e-5)
    assert (change.sum(1) < 0).float().mean() > 0.9  # its own counts spoke for its condition


def test_a_trial_without_others_leaves_what_is_common_and_an_unknown_one_changes_nothing() -> None:
    shape = torch.rand(1, T, N).double() + 0.5
    common = shape[0] * 0 + 0.7
    one = HeldOutRates(shape, common, torch.tensor(0.1), torch.ones(N), torch.ones(1, N))
    above = torch.ones(2, T, N).double()
    row = torch.zeros(2, dtype=torch.long)
    expected = ((common / shape[0]).log() + shape[0] - common).sum(0).expand(2, N)
    torch.testing.assert_close(one.own(above, row), expected)
    unknown = HeldOutRates(shape, common, torch.tensor(0.1), torch.ones(N), torch.zeros(1, N))
    assert not unknown.own(above, row).any()


def gains(*, repeated: int, val_seed: int) -> Tensor:
    """Gains where the first site is recorded ``repeated`` times over."""
    spikes, condition = recorded(1, 40)
    new = recorded(val_seed, 60)
    wide = [torch.cat([s[..., :1].repeat(1, 1, repeated), s[..., 1:]], 2) for s in (spikes, new[0])]
    number = torch.full((K, wide[0].shape[2]), 40.0)
    mean = torch.stack([wide[0][condition == k].mean(0) for k in range(K)])
    floor = PosteriorDecoder(shrinks=[0.05], temperatures=[1])
    train, val = batches(wide[0], condition), batches(wide[1], new[1])
    floor.fit(train, val, torch.rand(K, 1, T, 2, 2), Repeats(mean, number))
    rates = floor.held_out(Repeats(mean, number))
    return learn_gains(rates, floor.smallest, torch.arange(K), train, val)


def test_a_site_that_repeats_another_counts_for_less() -> None:
    found = gains(repeated=8, val_seed=2)
    assert found[:8].mean() < 0.6 * found[8:].mean()


def test_gains_that_validation_trials_do_not_agree_with_are_not_kept() -> None:
    spikes, condition = recorded(1, 40)
    floor = fitted(spikes, condition)
    rates = floor.held_out(of(spikes, condition))
    swapped = batches(recorded(2, 60)[0], (recorded(2, 60)[1] + 1) % K)
    train = batches(spikes[..., :], condition)
    sharper = HeldOutRates(rates.rate, rates.common, rates.shrink, rates.unit / 20, rates.number)
    found = learn_gains(sharper, floor.smallest, torch.arange(K), train, swapped)
    torch.testing.assert_close(found, torch.ones_like(found))
