from __future__ import annotations

import numpy as np
import pytest
from scipy import signal

from mua_decode.analyses.encode.bands import (
    Band,
    band_r2,
    condition_band_r2,
    read_bands,
    window_note,
)
from mua_decode.types import InputError

STEP = 0.02
TIME = np.arange(221) * STEP


def waves(*hz: float) -> np.ndarray:
    return sum(np.sin(2 * np.pi * f * TIME) for f in hz)[None, :, None]


def test_a_band_keeps_its_own_and_removes_the_rest() -> None:
    for band, kept, lost in (
        (Band(2, 10), 5.0, 20.0),
        (Band(2, 10), 5.0, 0.3),
        (Band(10, None), 20.0, 3.0),
        (Band(None, 1), 0.5, 5.0),
    ):
        out = band.filter(waves(kept, lost), bin_s=STEP, axis=1)
        middle = slice(50, 170)
        assert np.abs(out - waves(kept))[:, middle].max() < 0.1


def test_the_filter_is_fourth_order_butterworth_forwards_and_backwards() -> None:
    noise = np.random.default_rng(0).normal(size=(3, 221, 2))
    b, a = signal.butter(4, [2, 10], "bandpass", fs=1 / STEP)
    # 27 samples: what both pad by default for eight poles.
    expected = signal.filtfilt(b, a, noise, axis=1, padlen=27)
    found = Band(2, 10).filter(noise, bin_s=STEP, axis=1)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_r2_counts_only_the_band() -> None:
    recorded = waves(5, 20)
    assert band_r2(recorded, recorded, Band(2, 10), bin_s=STEP)[0] == pytest.approx(1)
    assert band_r2(waves(5), recorded, Band(2, 10), bin_s=STEP)[0] > 0.98
    assert abs(band_r2(waves(5), recorded, Band(10, None), bin_s=STEP)[0]) < 0.05
    assert band_r2(-waves(5), recorded, Band(2, 10), bin_s=STEP)[0] < -2.5
    assert np.isnan(band_r2(recorded, 0 * recorded, Band(2, 10), bin_s=STEP)[0])


def test_the_published_r2_is_of_each_condition_by_itself() -> None:
    scale = np.array([10.0, 1.0, 1.0, 1.0])[:, None, None]
    recorded = scale * (waves(5, 20) + np.zeros((4, 1, 1)))
    predicted = scale * waves(5)
    low, high = (
        condition_band_r2(predicted, recorded, band, bin_s=STEP)
        for band in (Band(2, 10), Band(10, None))
    )
    assert low.shape == (4, 1)
    assert low.min() > 0.98  # the planted band
    assert np.abs(high).max() < 0.05  # the other
    # Only the strongest of four conditions is predicted: pooled says all, the mean a quarter.
    predicted[1:] = 0
    pooled = band_r2(predicted, recorded, Band(2, 10), bin_s=STEP)[0]
    each = condition_band_r2(predicted, recorded, Band(2, 10), bin_s=STEP)
    assert pooled > 0.95
    assert each.mean() == pytest.approx(0.25, abs=0.02)
    assert np.isnan(condition_band_r2(recorded, 0 * recorded, Band(2, 10), bin_s=STEP)).all()


@pytest.mark.parametrize(
    ("band", "step", "said"),
    [
        (Band(2, 10), 0.1, "band 2-10 Hz needs a step of at most 50 ms; this run has 100 ms "
         "(Nyquist 5 Hz)"),
        (Band(10, None), 0.1, "band above 10 Hz needs a step below 50 ms; this run has 100 ms "
         "(Nyquist 5 Hz)"),
        (Band(10, None), 0.05, "band above 10 Hz needs a step below 50 ms; this run has 50 ms "
         "(Nyquist 10 Hz)"),
        (Band(2, 10), 0.05, None),
        (Band(2, 10), 0.02, None),
        (Band(0.5, 2), 0.1, None),
        (Band(None, 5), 0.1, None),
        (Band(0.1, 2), 0.1, "band 0.1-2 Hz needs trials of at least 10 s; this run has 4.5 s"),
    ],
)  # fmt: skip
def test_a_band_above_nyquist_is_refused_in_words(band: Band, step: float, said: str) -> None:
    assert band.refusal(bin_s=step, n_bins=45) == said if step > 0.05 or said else True
    if said is None:
        n_bins = round(4.5 / step)
        assert band.refusal(bin_s=step, n_bins=n_bins) is None
        values = np.random.default_rng(0).normal(size=(2, n_bins, 3))
        assert np.isfinite(band.filter(values, bin_s=step, axis=1)).all()


@pytest.mark.parametrize("n_bins", [2, 5, 9, 27, 28])
def test_short_trials_are_padded_by_what_they_have(n_bins: int) -> None:
    values = np.random.default_rng(0).normal(size=(2, n_bins, 3))
    for band in (Band(2, 4), Band(2, None), Band(None, 2)):
        assert np.isfinite(band.filter(values, bin_s=0.1, axis=1)).all()


@pytest.mark.parametrize(
    "listed", [3, [3], [[2]], [[10, 2]], [[None, None]], [[0, 2]], [["a", 2]], [[2, 4], [2, 4]]]
)
def test_impossible_bands_are_refused(listed: object) -> None:
    with pytest.raises(InputError, match="bands: "):
        read_bands(listed)


def test_bands_are_named_and_the_window_is_owned_up_to() -> None:
    bands = read_bands([[2, 10], [10, None], [None, 1.5]])
    assert [b.name for b in bands] == ["2-10 Hz", "above 10 Hz", "below 1.5 Hz"]
    assert read_bands(None) == ()
    assert "first zero at 10 Hz" in str(window_note(bands[1], window_s=0.1))
    assert window_note(bands[2], window_s=0.1) is None
