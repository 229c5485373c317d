import numpy as np
import pytest
from scipy import stats

from mua_decode.statistics import cluster_bootstrap, median_interval, share
from mua_decode.types import InputError


def clustered(
    rng: np.random.Generator, n_clusters: int = 20, size: int = 10
) -> tuple[np.ndarray, np.ndarray]:
    labels = np.repeat(np.arange(n_clusters), size)
    return rng.normal(size=n_clusters)[labels] + 0.3 * rng.normal(size=len(labels)), labels


def test_intervals_cover_the_truth_where_those_over_values_do_not() -> None:
    rng = np.random.default_rng(0)
    covered = {"clusters": 0, "values": 0}
    for _ in range(200):
        values, labels = clustered(rng)
        for name, unit in (("clusters", labels), ("values", np.arange(len(labels)))):
            _, low, high = cluster_bootstrap(values, unit, n=300, rng=rng)
            covered[name] += low <= 0 <= high
    assert covered["clusters"] / 200 == pytest.approx(0.93, abs=0.05)
    assert covered["values"] / 200 < 0.7


def test_nan_single_clusters_and_wrong_labels() -> None:
    rng = np.random.default_rng(0)
    values = np.array([1.0, np.nan, 3.0, 5.0])
    assert cluster_bootstrap(values, np.array(["a", "a", "b", "c"]), rng=rng, n=50).estimate == 3
    alone = cluster_bootstrap(values, np.zeros(4), rng=rng)
    assert alone.estimate == 3
    assert np.isnan(alone[1:]).all()
    assert np.isnan(cluster_bootstrap(np.full(2, np.nan), np.arange(2), rng=rng)).all()
    with pytest.raises(InputError, match=r"\(4,\) and \(3,\)"):
        cluster_bootstrap(values, np.arange(3), rng=rng)


def test_same_generator_gives_the_same_interval() -> None:
    values, labels = clustered(np.random.default_rng(1))
    one, two = (cluster_bootstrap(values, labels, rng=np.random.default_rng(0)) for _ in range(2))
    assert one == two


def test_share_has_an_exact_interval_and_none_of_nothing() -> None:
    found = share(np.arange(20) < 16)
    assert found == pytest.approx((0.8, 0.5851, 0.9330), abs=1e-3)
    # Half of what was found counts on either side, .025 in all; counted whole it would be too wide.
    for k, end in ((15, found.low), (16, found.high)):
        beyond = stats.binom.sf(k, 20, end) if k == 15 else stats.binom.cdf(k, 20, end)
        assert beyond - stats.binom.pmf(16, 20, end) / 2 == pytest.approx(0.025, abs=1e-9)
    assert share(np.ones(8, bool)) == pytest.approx((1, 0.05 ** (1 / 8), 1))
    assert share(np.zeros(8, bool)) == pytest.approx((0, 0, 1 - 0.05 ** (1 / 8)))
    assert np.isnan(share(np.zeros(0, bool))).all()


def test_median_interval_covers_and_ignores_nan() -> None:
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(150):
        values = np.append(rng.normal(size=40), np.nan)
        found = median_interval(values, rng=rng, draws=300)
        hits += found.low <= 0 <= found.high
    assert hits / 150 == pytest.approx(0.94, abs=0.05)
