"""How much of the recorded activity a prediction explains in a band of frequencies."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import signal

from mua_decode.types import InputError

_ORDER = 4
_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Band:
    """Frequencies from ``low_hz`` to ``high_hz``; ``None`` leaves that end open.

    ``InputError`` if an end is not above 0, the ends are out of order, or both are open.
    """

    low_hz: float | None
    high_hz: float | None

    def __post_init__(self) -> None:
        ends = self._ends
        numbers = all(isinstance(e, int | float) and not isinstance(e, bool) for e in ends)
        possible = ends and numbers and all(0 < e < math.inf for e in ends)
        if not possible or ends != sorted(set(ends)):
            raise InputError(
                "bands: expected [low, high] in Hz with 0 < low < high, one end may be null; "
                f"found [{self.low_hz}, {self.high_hz}]"
            )

    @property
    def _ends(self) -> list[float]:
        return [e for e in (self.low_hz, self.high_hz) if e is not None]

    @property
    def name(self) -> str:
        """``2-10 Hz``, ``above 10 Hz`` or ``below 2 Hz``."""
        if self.low_hz is None:
            return f"below {self.high_hz:g} Hz"
        if self.high_hz is None:
            return f"above {self.low_hz:g} Hz"
        return f"{self.low_hz:g}-{self.high_hz:g} Hz"

    def refusal(self, *, bin_s: float, n_bins: int) -> str | None:
        """Say why this band cannot be measured with a step and a number of bins, or ``None``.

        A band is refused when it reaches above the Nyquist frequency ``1 / (2 bin_s)``, or when
        one period of its lower end is longer than the trial.
        """
        nyquist, low, top = 1 / (2 * bin_s), self._ends[0], self._ends[-1]
        if self.high_hz is None:
            beyond, limit = nyquist <= top * (1 + _TOLERANCE), "below"
        else:
            beyond, limit = nyquist < top * (1 - _TOLERANCE), "of at most"
        if beyond:
            needed = f"a step {limit} {1000 / (2 * top):g} ms"
            found = f"{1000 * bin_s:g} ms (Nyquist {nyquist:g} Hz)"
        elif n_bins * bin_s * low < 1 - _TOLERANCE:
            needed, found = f"trials of at least {1 / low:g} s", f"{n_bins * bin_s:g} s"
        else:
            return None
        return f"band {self.name} needs {needed}; this run has {found}"

    def filter(self, values: np.ndarray, *, bin_s: float, axis: int) -> np.ndarray:
        """Filter forwards and backwards with a fourth-order Butterworth filter (no delay).

        As published (doi 10.1038/s42003-025-09486-7): ``filtfilt`` of order 4, here as
        second-order sections, which are stable where the coefficients of the polynomial are not.
        An open end gives a high-pass or a low-pass, as does a high end at the Nyquist frequency.
        Ends are padded by odd reflection, by as much as a short trial allows.
        """
        nyquist = 1 / (2 * bin_s)
        ends = [e for e in self._ends if e != self.high_hz or e < nyquist]
        if not ends:
            return np.asarray(values, float)
        kind = "lowpass" if self.low_hz is None else "bandpass" if len(ends) == 2 else "highpass"
        where = ends if len(ends) == 2 else ends[0]
        sections = signal.butter(_ORDER, where, kind, fs=1 / bin_s, output="sos")
        padding = min(3 * (2 * len(sections) + 1), values.shape[axis] - 1)
        return np.asarray(signal.sosfiltfilt(sections, values, axis=axis, padlen=padding))


def read_bands(listed: object) -> tuple[Band, ...]:
    """Turn ``[[2, 10], [10, None]]`` into bands; ``None`` is no band.

    ``InputError`` if it is no list of pairs, or a band is impossible or named twice.
    """
    entries = [] if listed is None else listed
    if not isinstance(entries, list | tuple):
        raise InputError(f"bands: expected a list of [low, high] in Hz, found {entries}")
    for entry in entries:
        if not isinstance(entry, list | tuple) or len(entry) != 2:
            raise InputError(f"bands: expected pairs [low, high] in Hz, found {entry}")
    bands = tuple(Band(*entry) for entry in entries)
    if len({b.name for b in bands}) < len(bands):
        raise InputError(f"bands: one is named twice: {', '.join(b.name for b in bands)}")
    return bands


def band_r2(predicted: np.ndarray, recorded: np.ndarray, band: Band, *, bin_s: float) -> np.ndarray:
    """Share of the recorded variance in a band that the prediction explains.

    ``predicted`` and ``recorded``, float (K, T, M), are trial averages of K conditions.

    Returns
    -------
    float (M,), ``1 - SS_residual / SS_total`` over time × conditions of the filtered traces: at
    most 1, below 0 where the prediction is worse than a constant; NaN where the recorded trace is
    constant or a value is NaN.

    Notes
    -----
    Counts in a sliding window of width w are the spike train smoothed by a boxcar, a low-pass
    filter whose gain is ``|sin(πfw) / (πfw)|``: none at 1 / w (10 Hz at 100 ms) and at most 22 %
    above it, whatever the step.
    """
    ours, wanted = (
        band.filter(x, bin_s=bin_s, axis=1).reshape(-1, x.shape[2]) for x in (predicted, recorded)
    )
    return _explained(ours, wanted)


def condition_band_r2(
    predicted: np.ndarray, recorded: np.ndarray, band: Band, *, bin_s: float
) -> np.ndarray:
    """R² in a band over time, within each condition by itself; float (K, M), at most 1.

    As :func:`band_r2`, with the sums over the time of one condition. Its mean over the 64
    conditions is the published quantity (doi 10.1038/s42003-025-09486-7, Fig. 6B); a condition
    whose average hardly varies in the band weighs as much there as any other.
    """
    ours, wanted = (
        band.filter(x, bin_s=bin_s, axis=1).swapaxes(0, 1) for x in (predicted, recorded)
    )
    return _explained(ours, wanted)


def _explained(ours: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Share of the variance of ``wanted`` along the first axis; NaN where it does not vary."""
    residual = ((wanted - ours) ** 2).sum(axis=0)
    total = ((wanted - wanted.mean(axis=0)) ** 2).sum(axis=0)
    varies = total > 1e-12 * (wanted**2).sum(axis=0)
    return np.where(varies, 1 - residual / np.where(varies, total, 1), np.nan)


def window_note(band: Band, *, window_s: float) -> str | None:
    """Say what the counting window itself takes away from a band, or ``None`` if little."""
    if band.high_hz is not None and band.high_hz * window_s < 0.5:
        return None
    return (
        f"{1000 * window_s:g} ms counts are themselves a low-pass filter with its first zero at "
        f"{1 / window_s:g} Hz; band {band.name} holds little of the spikes' own power near and "
        "above it"
    )
