import itertools

import numpy as np
import pytest

from mua_decode.analyses.ablate.shapley import shapley_values


def by_orders(scores: np.ndarray, n: int) -> np.ndarray:
    """The definition: mean gain over all orders of adding players."""
    values = np.zeros((n, *scores.shape[1:]))
    orders = list(itertools.permutations(range(n)))
    for order in orders:
        subset = 0
        for player in order:
            values[player] += scores[subset | 1 << player] - scores[subset]
            subset |= 1 << player
    return values / len(orders)


@pytest.mark.parametrize("n", [1, 2, 4])
def test_values_equal_the_mean_over_all_orders(n: int) -> None:
    scores = np.random.default_rng(n).normal(size=(2**n, 3))
    np.testing.assert_allclose(shapley_values(scores), by_orders(scores, n), atol=1e-12)


def test_values_sum_to_full_minus_nothing_and_spare_a_dummy() -> None:
    rng = np.random.default_rng(0)
    scores = rng.normal(size=64)
    bits = np.arange(64)
    scores = scores[bits & ~4]  # region 2 changes nothing
    values = shapley_values(scores)
    assert abs(values.sum() - (scores[-1] - scores[0])) < 1e-9
    assert abs(values[2]) < 1e-12


def test_a_number_of_subsets_that_is_no_power_of_two_is_refused() -> None:
    with pytest.raises(ValueError, match="found 6"):
        shapley_values(np.zeros(6))
    with pytest.raises(ValueError, match="found 1"):
        shapley_values(np.zeros(1))
