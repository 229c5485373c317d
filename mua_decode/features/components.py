"""Principal components of features, fitted on training images only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mua_decode.types import InputError


@dataclass(frozen=True, eq=False)
class Components:
    """An affine map from D features to P principal components; arrays are float64."""

    mean: np.ndarray  # (D,), of the training rows
    axes: np.ndarray  # (D, P): orthonormal columns, by falling variance
    variance: np.ndarray  # (P,): of the training rows along each
    explained: float  # share of the training variance that the P components carry

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """Project (..., D) features, float64 (..., P)."""
        return (features - self.mean) @ self.axes

    def first(self, n: int) -> Components:
        """Keep the first ``n``."""
        kept = self.variance[:n].sum() / self.variance.sum()
        return Components(self.mean, self.axes[:, :n], self.variance[:n], self.explained * kept)

    def tensor(self, features: Tensor) -> Tensor:
        """Project a tensor (..., D), keeping its gradient."""
        mean, axes = (torch.from_numpy(a).to(features) for a in (self.mean, self.axes))
        return (features - mean) @ axes


def fit_components(features: np.ndarray, n_components: int, *, at_most: bool = False) -> Components:
    """Fit ``n_components`` principal components to the rows of ``features`` (M, D).

    The small side of the problem is decomposed: (M, M) or (D, D). Raises InputError if there are
    fewer rows, or fewer independent features, than components; with ``at_most`` only if there are
    none.
    """
    m, d = features.shape
    if n_components < 1:
        raise InputError(f"n_components must be at least 1, found {n_components}")
    if at_most:
        n_components = max(1, min(n_components, m - 1, d))
    if m - 1 < n_components:
        raise InputError(
            f"n_components={n_components}: {m} training images give at most {max(0, m - 1)} "
            "components; give more images or fewer components"
        )
    if d < n_components:
        raise InputError(f"n_components={n_components}: the feature space has {d} dimensions")
    x = features.astype(np.float64)
    mean = x.mean(axis=0)
    x -= mean
    wide = d > m
    value, vector = np.linalg.eigh(x @ x.T if wide else x.T @ x)
    value, vector = value[::-1], vector[:, ::-1]
    kept = int((value > value[0] * max(m, d) * np.finfo(np.float64).eps).sum()) if value[0] else 0
    n_components = max(1, min(n_components, kept)) if at_most else n_components
    if kept < n_components:
        raise InputError(
            f"n_components={n_components}: the training images differ along {kept} directions of "
            "the feature space only"
        )
    total = float(value[:kept].sum())
    value, vector = value[:n_components], vector[:, :n_components]
    axes = x.T @ vector / np.sqrt(value) if wide else vector
    return Components(
        mean=mean,
        axes=np.ascontiguousarray(axes),
        variance=value / (m - 1),
        explained=float(value.sum()) / total,
    )
