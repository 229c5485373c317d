"""Predict every site's response to a video from features of its frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mua_decode.analyses.likelihood.responses import Responses
from mua_decode.analyses.likelihood.ridge import Ridge, fit_ridge
from mua_decode.features import Components, fit_components


@dataclass(frozen=True, eq=False)
class Encoder:
    """Features of a frame to the responses of N sites in the bins that show it."""

    components: Components  # of the features of the training frames, all there are
    ridge: Ridge

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Responses (K, T, N) to videos with features (K, T, D)."""
        k, t, _ = features.shape
        return self.ridge(self.components(features).reshape(k * t, -1)).reshape(k, t, -1)

    def tensor(self, features: Tensor) -> Tensor:
        """Responses (F, N) to frames with features (F, D), keeping the gradient."""
        x = self.components.tensor(features.double())
        mean, weight, intercept = (
            torch.from_numpy(a) for a in (self.ridge.mean, self.ridge.weight, self.ridge.intercept)
        )
        return (x - mean) @ weight + intercept


def fit_encoder(
    features: np.ndarray, mean: np.ndarray, folds: Sequence[np.ndarray]
) -> tuple[Encoder, np.ndarray]:
    """Fit to the features (K, T, D) and mean responses (K, T, N) of the training videos.

    ``folds`` are rows of videos that choose the penalties of ridge. Also returns what the model
    misses of the mean responses to videos held out there, (K, T, N).
    """
    k, t, n = mean.shape
    flat = features.reshape(k * t, -1)
    components = fit_components(flat, k * t - 1, at_most=True)
    within = [(fold[:, None] * t + np.arange(t)).ravel() for fold in folds]
    ridge = fit_ridge(components(flat), mean.reshape(k * t, n), within)
    return Encoder(components, ridge), ridge.residual.reshape(k, t, n)


def site_correlation(predicted: np.ndarray, responses: Responses, rows: np.ndarray) -> np.ndarray:
    """Pearson's r over videos and bins of predictions (M, T, N) with mean responses, (N,)."""
    n = predicted.shape[-1]
    a, b = (v.reshape(-1, n) - v.reshape(-1, n).mean(0) for v in (predicted, responses.mean[rows]))
    size = np.sqrt(np.square(a).sum(axis=0) * np.square(b).sum(axis=0))
    return np.asarray(np.where(size > 0, (a * b).sum(axis=0) / np.where(size > 0, size, 1), np.nan))
