"""Principal components of the training rows."""

import numpy as np
import pytest

from mua_decode.features import fit_components
from mua_decode.types import InputError


@pytest.mark.parametrize("shape", [(40, 12), (12, 40)])
def test_equal_to_a_singular_value_decomposition(shape):
    x = np.random.default_rng(0).standard_normal(shape) + 3
    found = fit_components(x, 5)
    _, s, vt = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)
    np.testing.assert_allclose(found.variance, s[:5] ** 2 / (len(x) - 1))
    np.testing.assert_allclose(np.abs((vt[:5] @ found.axes).diagonal()), 1)
    np.testing.assert_allclose(found(x).var(axis=0, ddof=1), found.variance)
    assert found.explained == pytest.approx((s[:5] ** 2).sum() / (s**2).sum())


def test_fewer_images_than_components_is_said():
    with pytest.raises(InputError, match="30 training images give at most 29 components"):
        fit_components(np.random.default_rng(0).standard_normal((30, 100)), 50)
    with pytest.raises(InputError, match="has 3 dimensions"):
        fit_components(np.random.default_rng(0).standard_normal((30, 3)), 5)
    with pytest.raises(InputError, match="along 1 directions"):
        fit_components(np.outer(np.arange(30.0), np.ones(9)), 5)
