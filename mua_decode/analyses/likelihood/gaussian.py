"""How likely a response is, given the response that is predicted for a video."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg


@dataclass(frozen=True, eq=False)
class ResponseNoise:
    """Gaussian deviations of a response (T, N) from its prediction, over bins and over sites.

    The covariance of a response is ``bins ⊗ sites + trial_bins ⊗ trial_sites``: what the model
    misses, and how single trials scatter about their mean. ``bin_axes`` and ``site_axes`` turn both
    diagonal at once, so that ``bin_axes.T @ deviation @ site_axes`` has independent entries of
    variance ``variance``.
    """

    bin_axes: np.ndarray  # (T, T)
    site_axes: np.ndarray  # (N, N)
    variance: np.ndarray  # (T, N)

    def turn(self, response: np.ndarray) -> np.ndarray:
        """Responses (..., T, N) in units of independent standard deviations."""
        turned = np.swapaxes(self.bin_axes, 0, 1) @ response @ self.site_axes
        return np.asarray(turned / np.sqrt(self.variance))

    def log_likelihood(self, response: np.ndarray, predicted: np.ndarray) -> np.ndarray:
        """Of responses (M, T, N) under each of the predictions (C, T, N), (M, C).

        Up to what all predictions share.
        """
        z, q = (self.turn(v).reshape(len(v), -1) for v in (response, predicted))
        return np.asarray(z @ q.T - 0.5 * np.square(q).sum(axis=1))


def fit_noise(
    residual: np.ndarray, trial_variance: np.ndarray, over_bins: np.ndarray
) -> ResponseNoise:
    """Fit from residuals (K, T, N) of training means out of fold, and noise of single trials.

    Covariances over sites and over bins are shrunk to the identity after Ledoit and Wolf 2004 (doi
    10.1016/S0047-259X(03)00096-4), sites in units of their scatter. ``trial_variance`` (N,) and
    ``over_bins`` (T, T), a correlation, describe single trials; zero variance where there are none.
    """
    t, n = residual.shape[1:]
    sd = np.sqrt(np.square(residual).mean(axis=(0, 1)) + trial_variance)
    sd = np.where(sd > 0, sd, 1)
    scaled = residual / sd
    sites = shrunk_covariance(scaled.reshape(-1, n))
    bins = shrunk_covariance(scaled.transpose(0, 2, 1).reshape(-1, t)) if t > 1 else np.eye(1)
    bins *= t / np.trace(bins)
    of_bins, bin_axes = linalg.eigh((over_bins + over_bins.T) / 2, bins)
    of_sites, site_axes = linalg.eigh(np.diag(trial_variance / sd**2), sites)
    variance = 1 + np.clip(np.outer(of_bins, of_sites), 0, None)
    return ResponseNoise(bin_axes, site_axes / sd[:, None], variance)


def shrunk_covariance(x: np.ndarray) -> np.ndarray:
    """Covariance (D, D) of rows (M, D) about zero, shrunk to a multiple of the identity."""
    m, d = x.shape
    sample = x.T @ x / m
    mean = max(np.trace(sample) / d, 1e-12)
    target = mean * np.eye(d)
    distance = np.square(sample - target).sum()
    spread = (np.square(x).T @ np.square(x) / m - np.square(sample)).sum() / m
    share = min(1.0, max(spread / distance, 1e-6)) if distance > 0 else 1.0
    return np.asarray((1 - share) * sample + share * target)
