"""The batched solution against the plain one, site by site."""

import numpy as np
import pytest

from mua_decode.analyses.axis.permutation import permutation_p
from mua_decode.analyses.axis.ridge import RidgeDesign, make_blocks
from mua_decode.types import InputError

PENALTIES = (0.01, 1.0, 100.0)


def _plain(x, y, blocks):
    """Ridge of one site with the penalty chosen by cross-validation, written out."""

    def solve(rows, alpha):
        mx, my = x[rows].mean(axis=0), y[rows].mean()
        gram = (x[rows] - mx).T @ (x[rows] - mx)
        penalty = alpha * np.linalg.eigvalsh(gram).mean()
        w = np.linalg.solve(gram + penalty * np.eye(len(gram)), (x[rows] - mx).T @ (y[rows] - my))
        return w, my - mx @ w

    error = []
    for alpha in PENALTIES:
        total = 0.0
        for k, held in enumerate(blocks.inner):
            rows = np.concatenate([b for j, b in enumerate(blocks.inner) if j != k])
            w, c = solve(rows, alpha)
            total += np.square(y[held] - x[held] @ w - c).sum()
        error.append(total)
    alpha = PENALTIES[int(np.argmin(error))]
    return *solve(blocks.train, alpha), alpha


def _data(seed=0, m=80, n=12, p=6, strength=1.0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((m, p)) * np.linspace(3, 0.3, p) + 2
    w = rng.standard_normal((p, n)) * rng.choice([0.02, 0.3, 3], n)
    y = strength * x @ w + rng.standard_normal((m, n)) + 5
    return x, y, make_blocks(m, test_fraction=0.25, inner_folds=4, rng=rng)


def test_equals_plain_ridge_with_the_same_penalties():
    x, y, blocks = _data()
    fit = RidgeDesign(x, blocks, penalties=PENALTIES).fit(y, blocks)
    assert len(set(fit.penalty)) > 1
    for site in range(y.shape[1]):
        w, c, alpha = _plain(x, y[:, site], blocks)
        assert fit.penalty[site] == alpha
        np.testing.assert_allclose(fit.weight[:, site], w, rtol=1e-8)
        np.testing.assert_allclose(fit.intercept[site], c, rtol=1e-8)
        r = np.corrcoef(x[blocks.test] @ w, y[blocks.test, site])[0, 1]
        np.testing.assert_allclose(fit.correlation[site], r, rtol=1e-8)


def test_held_out_responses_do_not_reach_the_fit():
    x, y, blocks = _data()
    changed = y.copy()
    changed[blocks.test] += 100 * np.random.default_rng(1).standard_normal(y[blocks.test].shape)
    a, b = (RidgeDesign(x, blocks).fit(v, blocks) for v in (y, changed))
    np.testing.assert_array_equal(a.weight, b.weight)
    np.testing.assert_array_equal(a.penalty, b.penalty)


def test_p_values_are_uniform_without_tuning_and_small_with_it():
    x, y, blocks = _data(n=600, strength=0.0)
    p = permutation_p(x, y, blocks, n_permutations=99, rng=np.random.default_rng(0))
    # Sites are independent: 600 draws of a uniform, within three standard errors.
    assert abs((p <= 0.05).mean() - 0.05) < 3 * np.sqrt(0.05 * 0.95 / 600)
    assert abs(p.mean() - 0.5) < 3 * np.sqrt(1 / 12 / 600)
    x, y, blocks = _data(strength=30.0)
    p = permutation_p(x, y, blocks, n_permutations=99, rng=np.random.default_rng(0))
    assert (p <= 0.03).all()


def test_p_values_do_not_depend_on_units_and_constant_sites_have_none():
    x, y, blocks = _data()
    y[:, 0] = 7.0
    given = {"n_permutations": 50}
    a = permutation_p(x, y, blocks, rng=np.random.default_rng(0), **given)
    b = permutation_p(x, 1000 * y + 3, blocks, rng=np.random.default_rng(0), **given)
    assert np.isnan(a[0])
    np.testing.assert_allclose(a[1:], b[1:], atol=0.021)  # float32: a tie may fall either way


def test_bins_of_a_condition_stay_together():
    blocks = make_blocks(
        20, test_fraction=0.2, inner_folds=3, rng=np.random.default_rng(0), per_condition=4
    )
    rows = np.concatenate([blocks.train, blocks.test])
    assert sorted(rows) == list(range(80))
    assert not set(blocks.train // 4) & set(blocks.test // 4)


def test_too_few_images_is_said():
    with pytest.raises(InputError, match="8 images are too few"):
        make_blocks(8, test_fraction=0.2, inner_folds=5, rng=np.random.default_rng(0))
