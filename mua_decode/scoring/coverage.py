"""Intervals of decoded pixels, calibrated on validation trials, and how often they hold."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from mua_decode.data import Batch
from mua_decode.statistics import Units, unit_interval
from mua_decode.types import Stream

LEVELS = (0.5, 0.8, 0.9, 0.95)
STEP = 1 / 255  # of an 8-bit video: nothing shown is finer
FEWEST = 20  # validation trials that intervals are calibrated on
Decode = Callable[[Batch], tuple[Tensor, Tensor]]
"""Maps a batch to videos in [0, 1] and the variance the decoder states, (B, C, T, H, W) both."""
_SETS = ("varying", "all")
_LOG_LOW, _LOG_HIGH, _PER_OCTAVE = -40, 24, 128  # of |error| / s.d., powers of 2


def varying_pixels(videos: Tensor) -> Tensor:
    """Pixels that differ by a grey level or more among videos (K, C, T, H, W): bool (C, T, H, W).

    The rest, a constant background say, is no question to a decoder. All, where none varies.
    """
    varies = videos.amax(0) - videos.amin(0) >= STEP * (1 - 1e-3)
    return varies if varies.any() else torch.ones_like(varies)


@dataclass(frozen=True, eq=False)
class PixelIntervals:
    """Decoded value plus and minus a multiple of a standard deviation, pixel by pixel.

    Parameters
    ----------
    residual
        Float (C, T, H, W): variance beyond what the decoder states.
    reach
        Multiple of the standard deviation by nominal coverage.
    n
        Validation trials that gave them.
    """

    residual: Tensor
    reach: Mapping[float, float]
    n: int

    def sd(self, stated: Tensor) -> Tensor:
        """Standard deviation of every pixel from the variance stated, same shape."""
        return (stated + self.residual).sqrt()

    def ends(self, video: Tensor, stated: Tensor, level: float) -> tuple[Tensor, Tensor]:
        """Ends of the intervals of nominal coverage ``level``, within [0, 1]."""
        half = self.reach[level] * self.sd(stated)
        return (video - half).clamp(min=0), (video + half).clamp(max=1)


@torch.inference_mode()
def calibrate(
    decode: Decode,
    batches: Callable[[], Iterable[Batch]],
    varying: Tensor,
    *,
    levels: Sequence[float] = LEVELS,
) -> PixelIntervals | None:
    """Fit intervals on validation trials; ``None`` with fewer than 20 of them.

    Every other trial gives the variance of each pixel beyond the stated one: the mean squared
    error less the stated variance, at least a twentieth of the former, and never less than
    rounding to 8 bits makes. The other half gives the multiples: the quantiles of absolute errors
    over standard deviations, over trials and varying pixels together, for n trials at a share
    (n + 1)/n larger (split conformal prediction, Papadopoulos et al. 2002,
    doi 10.1007/3-540-36755-1_29; Lei et al. 2018, doi 10.1080/01621459.2017.1307116). They hold on
    average over trials like these, not for every pixel or condition.

    Parameters
    ----------
    batches
        Starts a pass over the validation trials.
    varying
        bool (C, T, H, W), see :func:`varying_pixels`.
    """
    square, stated, n, other = torch.zeros(()), torch.zeros(()), 0, 0
    for error, variance, row in _errors(decode, batches()):
        mine = row % 2 == 0
        square = square + error[mine].square().sum(0, dtype=torch.float64)
        stated = stated + variance[mine].sum(0, dtype=torch.float64)
        n, other = n + int(mine.sum()), other + int((~mine).sum())
    if min(n, other) * 2 < FEWEST:
        return None
    found = torch.maximum((square - stated) / n, square / n / 20) + STEP**2 / 12
    residual, counts = found.float(), torch.zeros((), dtype=torch.long)
    for error, variance, row in _errors(decode, batches()):
        mine = row % 2 == 1
        ratio = (error[mine] / (variance[mine] + residual).sqrt())[:, varying]
        place = (ratio.clamp(min=2.0**_LOG_LOW).log2() - _LOG_LOW) * _PER_OCTAVE
        most = (_LOG_HIGH - _LOG_LOW) * _PER_OCTAVE
        place = place.ceil().clamp(0, most).long().flatten()
        counts = counts + torch.bincount(place, minlength=most + 1)
    share = counts.double().cumsum(0) / counts.sum()
    reach = {}
    for level in levels:
        wanted = min(1.0, level * (other + 1) / other)
        at = int(torch.searchsorted(share, share.new_tensor(wanted - 1e-12)))
        reach[level] = 2 ** (_LOG_LOW + min(at, len(share) - 1) / _PER_OCTAVE)
    return PixelIntervals(residual, reach, n + other)


def _errors(decode: Decode, batches: Iterable[Batch]) -> Iterable[tuple[Tensor, Tensor, Tensor]]:
    for batch in batches:
        video, stated = decode(batch)
        yield (batch.video.cpu() - video.cpu()).abs(), stated.cpu(), batch.row.cpu()


@dataclass(frozen=True, eq=False)
class Coverage:
    """How often intervals held, trial by trial; L levels, two sets of pixels (varying, all).

    Parameters
    ----------
    condition
        int (B,): condition of every trial.
    covered, gaussian
        Float (B, L, 2): share of pixels inside the interval, and inside that of a Gaussian with
        the same standard deviation, which no trial has calibrated.
    width, unresolved
        Float (B, L, 2): mean width, and share of intervals narrower than one grey level.
    example
        Float (Q, C, T, H, W): width of the 90 % interval (or the level next to it) in the first
        trial of every condition that had trials, by their number.
    """

    levels: tuple[float, ...]
    condition: np.ndarray
    covered: np.ndarray
    gaussian: np.ndarray
    width: np.ndarray
    unresolved: np.ndarray
    example: Tensor

    def table(self, names: Sequence[str], units: Units, *, part: str, seed: int) -> pd.DataFrame:
        """One row per level, set of pixels and condition, and one over all conditions.

        Parameters
        ----------
        names
            Of all conditions.
        units
            What is independent among the conditions that had trials, for the interval of the mean.
        """
        present, rows = np.unique(self.condition), []
        for i, level in enumerate(self.levels):
            for j, pixels in enumerate(_SETS):
                means = [self.covered[self.condition == k, i, j].mean() for k in present]
                rng = Stream.COVERAGE.rng(seed)
                found = unit_interval(np.array(means), units, rng=rng)
                groups = {"all": np.ones(len(self.condition), bool)}
                groups |= {names[k]: self.condition == k for k in present}
                for name, inside in groups.items():
                    whole = name == "all"
                    rows.append({
                        "part": part, "pixels": pixels, "condition": name, "nominal": level,
                        "covered": self.covered[inside, i, j].mean(),
                        "low": found.low if whole else math.nan,
                        "high": found.high if whole else math.nan,
                        "units": units.name if whole else "",
                        "gaussian": self.gaussian[inside, i, j].mean(),
                        "width": self.width[inside, i, j].mean(),
                        "below_a_grey_level": self.unresolved[inside, i, j].mean(),
                        "n": int(inside.sum()), "n_unit": "pseudo-trials",
                    })  # fmt: skip
        return pd.DataFrame(rows)


@torch.inference_mode()
def cover(
    decode: Decode, batches: Iterable[Batch], intervals: PixelIntervals, varying: Tensor
) -> Coverage:
    """Count how many pixels of the videos shown lie inside the intervals, trial by trial."""
    masks = torch.stack([varying.flatten(), torch.ones(varying.numel(), dtype=torch.bool)], 1)
    inside, number = masks.float(), masks.sum(0)
    levels = tuple(intervals.reach)
    drawn = min(levels, key=lambda level: abs(level - 0.9))
    found: list[list[Tensor]] = []
    condition: list[Tensor] = []
    example: dict[int, Tensor] = {}
    for batch in batches:
        video, stated = (v.cpu() for v in decode(batch))
        sd = intervals.sd(stated)
        ratio = ((batch.video.cpu() - video).abs() / sd).flatten(1)
        columns: list[list[Tensor]] = [[], [], [], []]
        for level in levels:
            low, high = intervals.ends(video, stated, level)
            width = (high - low).flatten(1)
            claimed = NormalDist().inv_cdf((1 + level) / 2)
            counted = (ratio <= intervals.reach[level], ratio <= claimed, width, width < STEP)
            for column, one in zip(columns, counted, strict=True):
                column.append(one.float() @ inside / number)
            if level == drawn:
                for row, k in enumerate(batch.condition.tolist()):
                    if k not in example:
                        example[k] = width[row].view(varying.shape).clone()
        found.append([torch.stack(c, 1) for c in columns])
        condition.append(batch.condition.cpu())
    counts = (torch.cat(c).double().numpy() for c in zip(*found, strict=True))
    covered, gaussian, widths, narrow = counts
    shown = torch.stack([example[k] for k in sorted(example)])
    trials = torch.cat(condition).numpy()
    return Coverage(levels, trials, covered, gaussian, widths, narrow, shown)
