"""Videos decoded and averaged over the trials of each condition, as they come."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import torch
from torch import Tensor

from mua_decode.data import Batch, DecodingData
from mua_decode.types import InputError

Predict = Callable[[Batch], Tensor]
"""Maps a batch to videos (B, C, T, H, W) in [0, 1]."""


class Averages:
    """Running sums of decoded and shown videos per condition, so that trials need not be kept.

    Parameters
    ----------
    candidates
        Float (K, C, T, H, W): the video of every condition, whose shape the averages take.
    dtype
        Of the sums.
    """

    def __init__(self, candidates: Tensor, *, dtype: torch.dtype = torch.float32) -> None:
        self._decoded, self._shown = (torch.zeros_like(candidates, dtype=dtype) for _ in range(2))
        self._condition: list[Tensor] = []

    def over(self, predict: Predict, batches: Iterable[Batch]) -> Iterator[tuple[Tensor, Batch]]:
        """Decode batches, add them up, and hand out each with what was decoded, on the CPU."""
        for batch in batches:
            video = predict(batch).cpu().float()
            for sums, one in ((self._decoded, video), (self._shown, batch.video.cpu())):
                sums.index_add_(0, batch.condition, one.to(sums.dtype))
            self._condition.append(batch.condition)
            yield video, batch

    @property
    def condition(self) -> Tensor:
        """Condition of every trial, int (P,)."""
        return torch.cat(self._condition)

    @property
    def present(self) -> Tensor:
        """Conditions that had trials, int (Q,), sorted."""
        return torch.unique(self.condition)

    @property
    def decoded(self) -> Tensor:
        """Mean decoded video of the conditions present, float (Q, C, T, H, W)."""
        return self._mean(self._decoded)

    @property
    def shown(self) -> Tensor:
        """Mean of the videos paired with their trials, same shape."""
        return self._mean(self._shown)

    def _mean(self, sums: Tensor) -> Tensor:
        number = torch.bincount(self.condition, minlength=len(sums))[self.present].to(sums.dtype)
        return (sums[self.present] / number.view(-1, 1, 1, 1, 1)).float()


def first_trials(data: DecodingData, part: str, per_condition: int | None) -> np.ndarray:
    """Rows of the first pseudo-trials of every condition; ``None``: of all.

    Raises InputError if the part is empty, or fewer than one trial is asked for.
    """
    condition = data.dataset(part).pseudo.condition
    if len(condition) == 0:
        raise InputError(f"part={part}: the split leaves it empty")
    if per_condition is None:
        return np.arange(len(condition))
    if per_condition < 1:
        raise InputError(f"trials_per_condition: expected >= 1, found {per_condition}")
    rows = [np.flatnonzero(condition == k)[:per_condition] for k in np.unique(condition)]
    return np.sort(np.concatenate(rows))


def batches_of(data: DecodingData, part: str, rows: np.ndarray) -> Iterator[Batch]:
    """Batches of some pseudo-trials of a part, in the order given."""
    dataset = data.dataset(part)
    for start in range(0, len(rows), data.batch_size):
        yield dataset.__getitems__(rows[start : start + data.batch_size].tolist())


def as_bytes(video: Tensor) -> np.ndarray:
    """Videos in [0, 1] as uint8."""
    out: np.ndarray = (video * 255).round().clamp(0, 255).to(torch.uint8).numpy()
    return out


def known_mean(values: np.ndarray) -> tuple[float, int]:
    """Mean of the values that are no NaN, NaN without any, and their number."""
    known = values[~np.isnan(values)]
    return (float(known.mean()) if len(known) else float("nan")), len(known)
