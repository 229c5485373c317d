"""Images from the population, and stimuli for a site."""

import numpy as np
import pytest
import torch

from mua_decode.analyses.axis.climb import NaturalPrior, climb
from mua_decode.analyses.axis.effective import line_along_axis, rank_library
from mua_decode.analyses.axis.pixels import fit_pixel_decoder, train_image_decoder
from mua_decode.analyses.axis.reconstruction import (
    _accuracy,
    _all_ranks,
    reconstruct,
    standardised,
)
from mua_decode.analyses.axis.ridge import make_blocks
from mua_decode.models import InvertedVideoUNet, VideoUNet
from mua_decode.statistics import rank_p
from mua_decode.types import InputError


def _population(noise: float, m=120, n=40, p=6):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((m, p))
    y = x @ rng.standard_normal((p, n)) + noise * rng.standard_normal((m, n))
    return x, y, make_blocks(m, test_fraction=0.25, inner_folds=4, rng=rng), rng


def test_images_are_identified_from_a_good_population_and_not_from_noise():
    x, y, blocks, rng = _population(0.3)
    good = reconstruct(y, x, blocks, n_permutations=99, rng=rng)
    assert good.rank.mean() > 0.99
    assert good.p == 0.01
    assert not set(good.nearest) & set(blocks.test)
    chance = reconstruct(rng.standard_normal(y.shape), x, blocks, n_permutations=99, rng=rng)
    assert abs(chance.rank.mean() - 0.5) < 0.2
    assert chance.p > 0.02
    assert (good.table["accuracy"] >= good.table["chance"]).all()


def test_a_population_that_always_says_the_same_has_p_one():
    """Means of the same ranks in another order: rounding must not tell them apart."""
    x, y, blocks, rng = _population(0.3)
    same = reconstruct(np.ones_like(y), x, blocks, n_permutations=99, rng=rng)
    assert same.p == 1
    ranks = _all_ranks(np.tile(rng.standard_normal(7), (7, 1)))
    assert ranks.diagonal().mean() == pytest.approx(0.5)
    null = [ranks[np.arange(7), rng.permutation(7)].mean() for _ in range(99)]
    assert float(rank_p(np.array(null), ranks.diagonal().mean())) == 1


def test_accuracy_with_distractors_is_the_chance_that_all_are_beaten():
    rng = np.random.default_rng(0)
    beaten = np.arange(20) < 15  # 15 of 20 candidates are less similar
    drawn = [beaten[rng.choice(20, 3, replace=False)].all() for _ in range(4000)]
    assert _accuracy(np.array([15]), 20, 3)[0] == pytest.approx(np.mean(drawn), abs=0.03)
    assert _accuracy(np.array([2]), 20, 3)[0] == 0


def test_linear_pixel_decoder_recovers_images_of_a_linear_population():
    x, _, blocks, rng = _population(0.0)
    images = 0.5 + 0.05 * (x @ rng.standard_normal((6, 3 * 8 * 8))).reshape(-1, 3, 8, 8)
    images = images.clip(0, 1)
    y = x @ rng.standard_normal((6, 40)) + 10
    decode = fit_pixel_decoder(y, images, blocks, n_components=6)
    found = decode(standardised(y, blocks)[blocks.test])
    assert np.abs(found - images[blocks.test]).mean() < 0.01


class _Linear(torch.nn.Module):
    def __init__(self, n_sites: int, shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.shape = shape
        self.map = torch.nn.Linear(n_sites, int(np.prod(shape)))

    def forward(self, spikes):
        c, h, w = self.shape
        return self.map(spikes[:, 0]).view(-1, c, 1, h, w)


def test_image_decoder_learns_and_keeps_the_best_epoch():
    x, y, blocks, _ = _population(0.0, p=2)
    images = np.zeros((len(x), 1, 4, 4), np.float32)
    images[:, :, :2] = (0.5 + 0.15 * x[:, 0])[:, None, None, None]
    images[:, :, 2:] = (0.5 + 0.15 * x[:, 1])[:, None, None, None]
    torch.manual_seed(0)
    given = {"epochs": 40, "seed": 0, "learning_rate": 0.03}
    loss = torch.nn.functional.mse_loss
    decode = train_image_decoder(_Linear(40, (1, 4, 4)), loss, y, images, blocks, **given)
    found = decode(standardised(y, blocks)[blocks.test])
    mean = images[blocks.train].mean(axis=0)
    error = np.square(found - images[blocks.test]).mean()
    assert error < 0.2 * np.square(mean - images[blocks.test]).mean()


def test_the_video_decoder_takes_one_bin():
    _, y, blocks, rng = _population(0.0)
    images = rng.random((len(y), 3, 16, 16)).astype(np.float32)
    model = VideoUNet(y.shape[1], 1, (3, 16, 16), width=4)
    loss = torch.nn.functional.mse_loss
    decode = train_image_decoder(model, loss, y, images, blocks, epochs=1, seed=0)
    found = decode(standardised(y, blocks)[blocks.test])
    assert found.shape == images[blocks.test].shape
    assert ((found >= 0) & (found <= 1)).all()


def test_climbing_raises_the_response_within_the_natural_bounds():
    rng = np.random.default_rng(0)
    library = rng.random((20, 1, 16, 16)).astype(np.float32) * 0.6 + 0.2
    prior = NaturalPrior.from_library(library, smoothness=0.01)
    template = torch.zeros(1, 16, 16)
    template[:, 4:12, 4:12] = 1

    def response(images):
        return ((images - 0.5) * template).flatten(1).sum(1)

    start = torch.full((1, 1, 16, 16), 0.5)
    best = climb(response, start, prior=prior, steps=40)
    assert float(response(best)) > float(response(prior.project(start))) + 2
    assert float(response(best)) > np.max(response(torch.from_numpy(library)).numpy())
    assert prior.contrast[0] * 0.9 <= float(best.std()) <= prior.contrast[1] * 1.1
    assert best.min() >= 0
    assert best.max() <= 1
    with pytest.raises(InputError, match="no gradient"):
        climb(lambda v: v.detach().flatten(1).sum(1), start, prior=prior, steps=1)


def test_climbing_works_on_videos_through_the_encoding_model():
    torch.manual_seed(0)
    model = InvertedVideoUNet(5, 6, (1, 16, 16), width=4).eval().requires_grad_(False)
    library = np.random.default_rng(0).random((8, 1, 6, 16, 16)).astype(np.float32)
    prior = NaturalPrior.from_library(library)
    start = torch.from_numpy(library[:2])

    def response(videos):
        return model(videos)[:, :, 3].mean(1)

    best = climb(response, start, prior=prior, steps=10)
    assert best.shape == start.shape
    assert (response(best) > response(prior.project(start))).all()


def test_library_ranking_and_the_curve_along_an_axis():
    predicted = np.array([[3.0], [1.0], [2.0], [5.0]])
    best, worst = rank_library(predicted, 0, 2)
    assert best.tolist() == [3, 0]
    assert worst.tolist() == [1, 2]
    x = np.random.default_rng(0).standard_normal((50, 3))
    w = np.array([2.0, 0, 0])
    at, response, rows = line_along_axis(x, w, 1.0, n=5)
    np.testing.assert_allclose(np.diff(response), np.diff(at) * 2)
    np.testing.assert_allclose(response[[0, -1]], 1 + 2 * np.sort(x[:, 0])[[0, -1]], atol=0.7)
    assert (np.diff(x[rows, 0]) > 0).all()
