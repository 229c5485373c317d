"""Predicted activity of many pseudo-trials, correlated with the recorded one as it comes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mua_decode.analyses.encode.correlation import moments_r
from mua_decode.data import Batch
from mua_decode.metrics.pixel_correlation import pearson

Predict = Callable[[Batch], Tensor]


@dataclass(frozen=True, eq=False)
class Prediction:
    """What one predictor of activity does on a part of the split, of ``n_trials`` pseudo-trials.

    Parameters
    ----------
    average
        float64 (Q, T, N): prediction averaged over the pseudo-trials of each condition.
    site_r
        float (N,): correlation with single trials over time × pseudo-trials.
    region_r
        float (G,): the same of averages over regions.
    region_time_r
        float (G,): averages over regions correlated over time in each pseudo-trial, then averaged.
    """

    average: np.ndarray
    site_r: np.ndarray
    region_r: np.ndarray
    region_time_r: np.ndarray
    n_trials: int


@torch.inference_mode()
def predict_part(
    predictors: Mapping[str, Predict],
    batches: Iterable[Batch],
    *,
    conditions: np.ndarray,
    weight: np.ndarray,
) -> dict[str, Prediction]:
    """Run every predictor over the batches once; no trial is kept.

    Each maps a batch to activity (B, T, N), standardised like the recorded one; ``conditions``,
    int (Q,), are those in the batches, sorted; ``weight``, float (N, G), as of ``Averages``.
    """
    place = torch.from_numpy(conditions)
    running = {name: _Running(len(conditions), torch.from_numpy(weight)) for name in predictors}
    for batch in batches:
        row = torch.searchsorted(place, batch.condition)
        recorded = batch.spikes.double()
        for name, predict in predictors.items():
            running[name].add(predict(batch).cpu().double(), recorded, row)
    return {name: r.finish() for name, r in running.items()}


class _Running:
    """Sums from which correlations over all time × trials follow."""

    def __init__(self, n_conditions: int, weight: Tensor) -> None:
        self._weight = weight
        self._moments = torch.zeros((), dtype=torch.float64)
        self._total = torch.zeros(0)
        self._number = torch.zeros(n_conditions, dtype=torch.float64)
        self._time_r, self._time_n = torch.zeros(2, weight.shape[1], dtype=torch.float64)
        self._points = 0

    def add(self, predicted: Tensor, recorded: Tensor, row: Tensor) -> None:
        if not self._points:
            self._total = predicted.new_zeros(len(self._number), *predicted.shape[1:])
        self._total.index_add_(0, row, predicted)
        self._number += torch.bincount(row, minlength=len(self._number))
        by_region = predicted @ self._weight, recorded @ self._weight
        r = pearson(*(x.transpose(1, 2).flatten(0, 1) for x in by_region)).view(len(predicted), -1)
        self._time_r += r.nan_to_num().sum(0)
        self._time_n += (~r.isnan()).sum(0)
        x, y = (
            torch.cat((site, region), dim=2).flatten(0, 1)
            for site, region in zip((predicted, recorded), by_region, strict=True)
        )
        self._moments = self._moments + torch.stack([s.sum(0) for s in (x, y, x * x, y * y, x * y)])
        self._points += len(x)

    def finish(self) -> Prediction:
        r, n_sites = moments_r(*(self._moments / self._points).numpy()), len(self._weight)
        return Prediction(
            average=(self._total / self._number.view(-1, 1, 1)).numpy(),
            site_r=r[:n_sites],
            region_r=r[n_sites:],
            region_time_r=(self._time_r / self._time_n).numpy(),
            n_trials=int(self._number.sum()),
        )
