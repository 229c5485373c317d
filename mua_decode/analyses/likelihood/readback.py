"""What is decoded without an encoder: ridge to features and to pixels, lookup."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mua_decode.analyses.likelihood.responses import Responses
from mua_decode.analyses.likelihood.ridge import fit_ridge
from mua_decode.features import fit_components

_MOST = 200  # components read back of features, and of pixels
_TRAINING = 20  # pseudo-trials of a training condition


@dataclass(frozen=True, eq=False)
class Material:
    """Features (K, T, D) and small frames (K, T, P), P = C · h · w, of every video."""

    features: np.ndarray
    pixels: np.ndarray


def read_back(
    material: Material,
    responses: Responses,
    train: np.ndarray,
    test: np.ndarray,
    folds: Sequence[np.ndarray],
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Likeness of the held-out trials (M, R) to each held-out video (M, R, M), by method.

    Also the frames that ridge and lookup return, (M, R, T, P). Ridge takes single trials to the
    principal components of the features or pixels of the frame in the same bin, its penalties
    chosen on ``folds`` of the training videos. Likeness is Pearson's r of what is decoded of the
    whole video with what was shown, for features in standard deviations of the training frames;
    lookup returns the video of the nearest training mean.
    """
    sd = np.where((found := responses.trials[train].std(axis=(0, 1, 2))) > 0, found, 1)
    x = responses.trials / sd
    m, r, t, n = x[test].shape
    used = min(r, _TRAINING)
    flat = x[train, :used].reshape(-1, n)
    rows = [
        ((fold[:, None] * used + np.arange(used)).ravel()[:, None] * t + np.arange(t)).ravel()
        for fold in folds
    ]
    shown, frames = {}, {}
    for name, values in (("features", material.features), ("pixels", material.pixels)):
        own = values[train].reshape(len(train) * t, -1)
        components = fit_components(own, _MOST, at_most=True)
        target = components(values)
        y = np.repeat(target[train, None], used, axis=1).reshape(len(flat), -1)
        decoded = fit_ridge(flat, y, rows)(x[test].reshape(-1, n)).reshape(m * r, t, -1)
        if name == "features":
            unit = np.sqrt(components.variance)
            shown["ridge to features"] = _likeness(decoded / unit, target[test] / unit)
        else:
            frames["ridge"] = decoded @ components.axes.T + components.mean
            shown["ridge to pixels"] = _likeness(frames["ridge"], values[test])
    library = (responses.mean[train] / sd).reshape(len(train), -1)
    near = _nearest(x[test].reshape(m * r, -1), library)
    frames["lookup"] = material.pixels[train][near]
    shown["lookup"] = _likeness(frames["lookup"], material.pixels[test])
    likeness = {name: v.reshape(m, r, m) for name, v in shown.items()}
    return likeness, {name: v.reshape(m, r, t, -1) for name, v in frames.items()}


def _likeness(decoded: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Pearson's r of every decoded (A, T, P) with every true video (B, T, P), (A, B)."""
    a, b = (v.reshape(len(v), -1) for v in (decoded, true))
    a, b = (v - v.mean(axis=1, keepdims=True) for v in (a, b))
    a, b = (v / np.maximum(np.linalg.norm(v, axis=1, keepdims=True), 1e-12) for v in (a, b))
    return np.asarray(a @ b.T)


def _nearest(x: np.ndarray, library: np.ndarray) -> np.ndarray:
    """Row of the library (B, D) nearest to each of (A, D), int (A,)."""
    return np.asarray((np.square(library).sum(axis=1) - 2 * x @ library.T).argmin(axis=1))
