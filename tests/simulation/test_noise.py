import numpy as np
import pytest

from mua_decode.simulation import NoiseParameters
from mua_decode.simulation.noise import draw_counts
from mua_decode.types import InputError

NONE = {"shared_gain_sd": 0.0, "private_gain_sd": 0.0, "shared_dimensions": 0, "shared_sd": 0.0}


def counts(seed: int = 0, **options: float) -> np.ndarray:
    """Counts of 600 trials of a constant 40 Hz, 50 bins of 20 ms, 6 sites, as float."""
    drawn = draw_counts(
        np.full((1, 50, 6), 40.0, np.float32),
        condition=np.zeros(600, int),
        baseline_hz=np.full(6, 40.0),
        bin_s=0.02,
        noise=NoiseParameters(**{**NONE, **options}),
        seed=np.random.SeedSequence(seed),
    )
    assert drawn.dtype == np.uint8
    return drawn.astype(float)


def fano(x: np.ndarray) -> float:
    return float((x.var(axis=0, ddof=1) / x.mean(axis=0)).mean())


def test_without_noise_it_is_poisson() -> None:
    total = counts().sum(axis=1)
    assert total.mean() == pytest.approx(40, rel=0.01)
    assert fano(total) == pytest.approx(1, abs=0.08)
    off_diagonal = np.corrcoef(total.T)[~np.eye(6, dtype=bool)]
    assert np.abs(off_diagonal).max() < 0.15


def test_private_gain_raises_the_fano_factor_without_correlation() -> None:
    total = counts(private_gain_sd=0.2).sum(axis=1)
    assert total.mean() == pytest.approx(40, rel=0.02)
    assert fano(total) == pytest.approx(1 + 40 * 0.2**2, rel=0.15)
    assert np.corrcoef(total.T)[~np.eye(6, dtype=bool)].mean() < 0.1


def test_shared_gain_correlates_sites() -> None:
    total = counts(shared_gain_sd=0.2).sum(axis=1)
    expected = 1.6 / 2.6
    assert np.corrcoef(total.T)[~np.eye(6, dtype=bool)].mean() == pytest.approx(expected, abs=0.1)


def test_shared_signals_have_the_planted_size() -> None:
    x = counts(shared_dimensions=1, shared_sd=0.3, shared_tau_s=0.2)
    centred = x - x.mean(axis=0)
    neighbours = (centred[:, :-1] * centred[:, 1:]).mean(axis=(0, 1))
    planted = (0.3 * 0.8) ** 2 * np.exp(-0.02 / 0.2)
    assert neighbours.mean() == pytest.approx(planted, rel=0.15)


def test_fano_of_a_bin_is_what_is_asked() -> None:
    assert fano(counts(fano=1.8).reshape(-1, 6)) == pytest.approx(1.8, rel=0.05)


def test_seeds() -> None:
    assert (counts(0) == counts(0)).all()
    assert (counts(0) != counts(1)).any()


def test_errors() -> None:
    with pytest.raises(InputError, match=r"fano must be >= 1, found 0.5"):
        NoiseParameters(fano=0.5)
    with pytest.raises(InputError, match="shared_dimensions must be a whole number"):
        NoiseParameters(shared_dimensions=-1)
