from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf

from mua_decode.models.floor import Batches, Floor
from mua_decode.models.lookup import LookupDecoder
from mua_decode.models.mean_video import MeanVideo
from mua_decode.models.posterior import PosteriorDecoder
from mua_decode.models.ridge import RidgeDecoder, log_grid

K, T, N, FRAME = 5, 4, 7, (3, 4, 3)
FLOORS: list[Callable[[], Floor]] = [
    MeanVideo,
    LookupDecoder,
    lambda: RidgeDecoder(context="bin", alphas=[1e-3, 0.1]),
    lambda: RidgeDecoder(context="trial", alphas=[1e-3, 0.1]),
    lambda: PosteriorDecoder(shrinks=[0.1, 0.01], temperatures=[1, 4]),
]


def _videos() -> torch.Tensor:
    return torch.rand(K, FRAME[0], T, *FRAME[1:], generator=torch.Generator().manual_seed(0))


def _trials(seed: int, conditions: list[int], noise: float = 0.5) -> tuple[torch.Tensor, ...]:
    rates = 3 + torch.randn(K, T, N, generator=torch.Generator().manual_seed(9))
    generator = torch.Generator().manual_seed(seed)
    condition = torch.tensor(conditions * 12)
    condition = condition[torch.randperm(len(condition), generator=generator)]
    shape = (len(condition), T, N)
    return rates[condition] + noise * torch.randn(shape, generator=generator), condition


def _batches(spikes: torch.Tensor, condition: torch.Tensor, size: int = 16) -> Batches:
    def start() -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        yield from zip(spikes.split(size), condition.split(size), strict=True)

    return start


def _plain_ridge(x: np.ndarray, y: np.ndarray, alpha: float, x_new: np.ndarray) -> np.ndarray:
    """Ridge on centred rows as in a textbook; predictions for ``x_new``."""
    dx, dy = x - x.mean(0), y - y.mean(0)
    penalty = alpha * np.trace(dx.T @ dx) / dx.shape[1]
    weight = np.linalg.solve(dx.T @ dx + penalty * np.eye(dx.shape[1]), dx.T @ dy)
    return (x_new - x.mean(0)) @ weight + y.mean(0)


@pytest.mark.parametrize("context", ["bin", "trial"])
@pytest.mark.parametrize(
    ("trained", "validated"),
    [(list(range(K)), [0, 0, 1, 3]), ([0, 1, 2], [3, 4])],  # the latter: conditions of its own
)
def test_ridge_equals_the_textbook_for_every_penalty(context, trained, validated):
    videos = _videos()
    train, val = _trials(1, trained), _trials(2, validated)
    alphas = log_grid(1e-3, 10.0, 5)
    floor = RidgeDecoder(context=context, alphas=alphas)
    floor.fit(_batches(*train), _batches(*val, size=7), videos)

    def rows(spikes: torch.Tensor) -> np.ndarray:
        x = spikes.double().numpy()
        return x.reshape(len(x), -1) if context == "trial" else x.reshape(-1, N)

    def targets(condition: torch.Tensor) -> np.ndarray:
        y = videos[condition].double().transpose(1, 2).numpy()  # (B, T, C, H, W)
        return y.reshape(len(y), -1) if context == "trial" else y.reshape(len(y) * T, -1)

    found = [_plain_ridge(rows(train[0]), targets(train[1]), a, rows(val[0])) for a in alphas]
    expected = [np.square(y - targets(val[1])).mean() for y in found]
    np.testing.assert_allclose(floor.val_mse, expected, rtol=1e-6)
    best = int(np.argmin(expected))
    assert floor.alpha == alphas[best]
    out = floor.predict(val[0])
    assert out.shape == (len(val[0]), FRAME[0], T, *FRAME[1:])
    flat = torch.tensor(found[best]).view(len(val[0]), T, FRAME[0], *FRAME[1:]).transpose(1, 2)
    torch.testing.assert_close(out, flat.clamp(0, 1).float(), atol=1e-5, rtol=0)


def test_lookup_finds_the_nearest_standardised_mean():
    videos, (spikes, condition) = _videos(), _trials(1, list(range(K)), noise=2.0)
    spikes = spikes * torch.logspace(-2, 2, N)  # sites of very different scale
    spikes[..., 0] = 5.0  # a site that never varies
    floor = LookupDecoder()
    floor.fit(_batches(spikes, condition), _batches(spikes, condition), videos)
    flat = spikes.flatten(1).double()
    z = (flat - flat.mean(0)) / flat.std(0, unbiased=False).where(flat.std(0) > 0, 1)
    means = torch.stack([z[condition == k].mean(0) for k in range(K)])
    expected = torch.cdist(z, means).argmin(1)
    assert (floor.predict_condition(spikes) == expected).all()
    assert (expected == condition).float().mean() > 0.6
    torch.testing.assert_close(floor.predict(spikes), videos[expected])


def _counts(seed: int, n: int, level: float = 1.0) -> tuple[torch.Tensor, torch.Tensor]:
    """Poisson counts (n*K, T, N)."""
    rates = level * (torch.rand(K, T, N, generator=torch.Generator().manual_seed(5)) * 2 + 0.3)
    condition = torch.arange(K).repeat(n)
    generator = torch.Generator().manual_seed(seed)
    return torch.poisson(rates[condition], generator=generator), condition


def _plain_posterior(
    train: tuple[torch.Tensor, torch.Tensor], new: torch.Tensor, *, shrink: float
) -> torch.Tensor:
    """Poisson naive Bayes as in a textbook, on counts of unit 1."""
    spikes, condition = (x.numpy() for x in train)
    rates = np.stack([spikes[condition == k].mean(0) for k in range(K)]).astype(float)
    rates = (1 - shrink) * rates + shrink * rates.mean(0)
    new = new.double().numpy()[:, None]
    logits = (new * np.log(rates) - rates).sum((2, 3))
    return torch.tensor(logits).softmax(1)


def test_posterior_is_that_of_poisson_counts_and_does_not_change_when_sites_are_standardised():
    train, val, videos = _counts(1, 4000), _counts(2, 20), _videos()
    expected = _plain_posterior(train, val[0], shrink=0.01)
    assert 0.5 < expected.max(1).values.mean() < 0.99  # neither blind nor sure
    mean, sd = train[0].mean((0, 1)), train[0].std((0, 1))
    for shift, scale in ((torch.zeros(N), torch.ones(N)), (mean, sd)):
        given = [_batches((x - shift) / scale, k, 512) for x, k in (train, val)]
        floor = PosteriorDecoder(shrinks=[0.01], temperatures=[1])
        floor.fit(*given, videos)
        found = floor.posterior((val[0] - shift) / scale)
        assert (found.double() - expected).abs().max() < 0.03
        torch.testing.assert_close(
            floor.predict((val[0] - shift) / scale),
            torch.einsum("bk,kcthw->bcthw", found, videos),
        )


def test_posterior_is_as_sure_as_it_is_right():
    """Bins that repeat one another would make it three times too sure; validation trials tell."""
    train, val, test = (_counts(i, n, level=0.3) for i, n in ((1, 2000), (2, 400), (3, 2000)))
    train, val, test = ((x.repeat(1, 3, 1), k) for x, k in (train, val, test))
    videos = torch.rand(K, 1, 3 * T, 2, 2)
    sure, right = {}, {}
    for heats in ([1.0], [1.0, 2.0, 3.0, 4.0]):
        floor = PosteriorDecoder(shrinks=[0.01], temperatures=heats)
        floor.fit(_batches(*train), _batches(*val), videos)
        p, guess = floor.posterior(test[0]).max(1)
        sure[len(heats)] = float(p.mean())
        right[len(heats)] = float((guess == test[1]).float().mean())
    assert right[1] == right[4]
    assert sure[1] > right[1] + 0.1
    assert abs(sure[4] - right[4]) < 0.02
    assert floor.temperature == 3.0


def test_posterior_beats_lookup_where_rates_tell_the_variance():
    """Sites of low rate are reliable about silence, which one variance a feature cannot know."""
    rates = 0.15 * (1.2 * torch.randn(K, T, N, generator=torch.Generator().manual_seed(4))).exp()
    condition = torch.arange(K).repeat(400)
    draw = torch.poisson(rates[condition], generator=torch.Generator().manual_seed(1))
    train, test = (draw[::2], condition[::2]), (draw[1::2], condition[1::2])
    posterior = PosteriorDecoder(shrinks=[0.01], temperatures=[1])
    lookup, videos = LookupDecoder(), _videos()
    for floor in (posterior, lookup):
        floor.fit(_batches(*train), _batches(*train), videos)
    ours = (posterior.posterior(test[0]).argmax(1) == test[1]).float().mean()
    theirs = (lookup.predict_condition(test[0]) == test[1]).float().mean()
    assert ours > theirs + 0.02


def test_posterior_without_validation_trials_takes_the_first_of_each():
    train, videos = _counts(1, 30), _videos()
    floor = PosteriorDecoder(shrinks=[0.3, 0.01], temperatures=[2, 1])
    floor.fit(_batches(*train), lambda: [], videos)
    assert (floor.shrink, floor.temperature) == (0.3, 2)
    for wrong in ({"shrinks": [1.0], "temperatures": [1]}, {"shrinks": [0.1], "temperatures": []}):
        with pytest.raises(ValueError, match="posterior: "):
            PosteriorDecoder(**wrong)


def test_mean_video_weighs_conditions_by_their_training_trials():
    videos, trials = _videos(), _trials(1, [0, 0, 0, 2])
    floor = MeanVideo()
    floor.fit(_batches(*trials), _batches(*trials), videos)
    out = floor.predict(trials[0][:2])
    torch.testing.assert_close(out[1], 0.75 * videos[0] + 0.25 * videos[2])


@pytest.mark.parametrize("make", FLOORS)
def test_videos_of_held_out_conditions_have_no_influence(make):
    train, val, test = _trials(1, [0, 2, 3]), _trials(2, [0, 2, 3, 4]), _trials(3, [1, 4])[0]
    outputs = []
    for fill in (0.0, float("nan")):
        videos = _videos()
        videos[[1, 4]] = fill
        floor = make()
        floor.fit(_batches(*train), _batches(*val), videos)
        outputs.append(floor.predict(test))
    assert outputs[0].isfinite().all()
    torch.testing.assert_close(outputs[0], outputs[1], atol=0, rtol=0)
    if isinstance(floor, LookupDecoder):
        assert set(floor.predict_condition(test).tolist()) <= {0, 2, 3}


@pytest.mark.parametrize("make", FLOORS)
def test_results_do_not_depend_on_the_batch_size(make):
    videos, train = _videos(), _trials(1, list(range(K)))
    outputs = []
    for size in (3, 60):
        floor = make()
        floor.fit(_batches(*train, size=size), _batches(*train, size=size), videos)
        outputs.append(floor.predict(train[0]))
    torch.testing.assert_close(outputs[0], outputs[1], atol=1e-5, rtol=0)


@pytest.mark.parametrize("make", FLOORS)
def test_bad_input_is_refused(make):
    spikes, condition = _trials(1, list(range(K)))
    good, videos = _batches(spikes, condition), _videos()
    with pytest.raises(RuntimeError, match="call fit"):
        make().predict(spikes)
    with pytest.raises(ValueError, match="no training trial"):
        make().fit(lambda: [], good, videos)
    with pytest.raises(ValueError, match=r"conditions .* found, videos 0\.\.2"):
        make().fit(good, good, videos[:3])
    with pytest.raises(ValueError, match="condition must be"):
        make().fit(lambda: [(spikes, condition[:2])], good, videos)


def test_constant_spikes_and_identical_videos_are_survived():
    videos = _videos()[:1].expand(K, -1, -1, -1, -1)
    spikes, condition = _trials(1, list(range(K)))
    for make in FLOORS:
        for constant in (spikes, torch.zeros_like(spikes)):
            floor = make()
            floor.fit(_batches(constant, condition), _batches(constant, condition), videos)
            assert floor.predict(constant).isfinite().all()


@pytest.mark.parametrize("name", ["mean_video", "ridge", "lookup", "posterior"])
def test_config(name):
    assert instantiate(OmegaConf.load(f"conf/floor/{name}.yaml")).name == name


def test_ridge_refuses_unknown_options():
    with pytest.raises(ValueError, match="context"):
        RidgeDecoder(context="both", alphas=[1.0])
    with pytest.raises(ValueError, match="positive"):
        RidgeDecoder(context="bin", alphas=[0.0])
    trials, floor = _batches(*_trials(1, [0])), RidgeDecoder(context="bin", alphas=[1.0])
    with pytest.raises(ValueError, match="one frame per bin"):
        floor.fit(trials, trials, _videos()[:, :, :2])
