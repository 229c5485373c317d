from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from mua_decode.data import Batch
from mua_decode.scoring.coverage import Coverage, Decode, calibrate, cover, varying_pixels
from mua_decode.statistics import Units

K, SHAPE = 4, (1, 3, 8, 8)
NAMES = [f"c{k}" for k in range(K)]


def videos() -> Tensor:
    found = torch.rand(K, *SHAPE, generator=torch.Generator().manual_seed(1)) * 0.2 + 0.4
    found[..., 4:, :] = 0.5  # half of the pixels never change
    return found


def trials(n: int, seed: int, *, sd: float) -> Callable[[], Iterator[Batch]]:
    """Decoded videos travel as the spikes: the truth plus Gaussian errors where pixels vary."""
    condition = torch.arange(K).repeat_interleave(n)
    true = videos()[condition]
    noise = torch.randn(true.shape, generator=torch.Generator().manual_seed(seed)) * sd
    decoded = true + noise * varying_pixels(videos())
    row = torch.arange(len(true))

    def start() -> Iterator[Batch]:
        for some in row.split(16):
            yield Batch(decoded[some], true[some], condition[some], some)

    return start


def stating(variance: float) -> Decode:
    return lambda batch: (batch.spikes, torch.full_like(batch.spikes, variance))


def counted(decode: Decode, *, test_sd: float = 0.03) -> pd.DataFrame:
    varying = varying_pixels(videos())
    intervals = calibrate(decode, trials(60, 2, sd=0.03), varying)
    assert intervals is not None
    assert intervals.n == 60 * K
    found = cover(decode, trials(40, 3, sd=test_sd)(), intervals, varying)
    return found.table(NAMES, Units.each(K), part="test", seed=0)


def whole(table: pd.DataFrame, pixels: str = "varying") -> pd.DataFrame:
    rows = table[(table["pixels"] == pixels) & (table["condition"] == "all")]
    return rows.set_index("nominal")


def test_a_known_gaussian_error_is_covered_as_often_as_said() -> None:
    table = counted(stating(0.0))
    rows = whole(table)
    np.testing.assert_allclose(rows["covered"], [0.5, 0.8, 0.9, 0.95], atol=0.02)
    np.testing.assert_allclose(rows["gaussian"], [0.5, 0.8, 0.9, 0.95], atol=0.02)
    np.testing.assert_allclose(
        rows["width"], 2 * 0.03 * np.array([0.674, 1.282, 1.645, 1.96]), rtol=0.05
    )
    assert (rows["low"] <= rows["covered"]).all()
    assert (rows["covered"] <= rows["high"]).all()
    assert (rows["n"] == 40 * K).all()
    each = table[(table["pixels"] == "varying") & (table["nominal"] == 0.9)]
    assert set(each["condition"]) == {"all", *NAMES}
    assert each["covered"].between(0.86, 0.94).all()


def test_what_never_varies_neither_helps_nor_is_hidden() -> None:
    """A background decoded exactly would lift any interval to its half of the pixels."""
    everywhere = whole(counted(stating(0.0)), "all")
    np.testing.assert_allclose(everywhere["covered"], [0.75, 0.9, 0.95, 0.975], atol=0.02)
    said = everywhere["below_a_grey_level"].drop(0.95)  # rounding alone is wider than a level there
    np.testing.assert_allclose(said, 0.5, atol=1e-5)
    assert (whole(counted(stating(0.0)))["below_a_grey_level"] == 0).all()


def test_an_underconfident_or_overconfident_spread_is_detected_and_mended() -> None:
    """Errors vary from trial to trial, by a size that the decoder states three times too small."""
    for factor in (1 / 3, 3.0):
        size = torch.rand(60 * K, generator=torch.Generator().manual_seed(5)) * 0.04 + 0.01

        def decode(
            batch: Batch, size: Tensor = size, factor: float = factor
        ) -> tuple[Tensor, Tensor]:
            sd = size[batch.row][:, None, None, None, None]
            error = (batch.spikes - batch.video) / 0.03 * sd
            return batch.video + error, (factor * sd).expand_as(error).square()

        rows = whole(counted(decode))
        np.testing.assert_allclose(rows["covered"], [0.5, 0.8, 0.9, 0.95], atol=0.03)
        if factor > 1:
            assert (rows["gaussian"] > rows.index + 0.04).all()
    sure = whole(counted(stating(0.0), test_sd=0.03))
    claimed = _claimed(0.01)
    assert claimed.covered[:, 2, 0].mean() < 0.5 < sure["covered"][0.9]


def _claimed(sd: float) -> Coverage:
    """Intervals nobody calibrated, for errors of 0.03."""
    from mua_decode.scoring.coverage import PixelIntervals

    reach = {0.5: 0.674, 0.8: 1.282, 0.9: 1.645, 0.95: 1.96}
    intervals = PixelIntervals(torch.full(SHAPE, sd**2), reach, 0)
    varying = varying_pixels(videos())
    return cover(stating(0.0), trials(20, 3, sd=0.03)(), intervals, varying)


def test_test_trials_unlike_the_validation_trials_are_not_covered() -> None:
    rows = whole(counted(stating(0.0), test_sd=0.09))
    assert rows["covered"][0.9] < 0.5


def test_few_validation_trials_calibrate_nothing() -> None:
    varying = varying_pixels(videos())
    assert calibrate(stating(0.0), trials(4, 2, sd=0.03), varying) is None
    constant = torch.full((K, *SHAPE), 0.5)
    assert varying_pixels(constant).all()
