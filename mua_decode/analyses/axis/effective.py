"""Stimuli that should drive a site most: ranked in a library, or climbed to by gradient."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mua_decode.types import InputError

Response = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class NaturalPrior:
    """What keeps a synthesised stimulus like a natural one.

    Parameters
    ----------
    smoothness
        Weight of the mean squared difference of neighbouring pixels (and frames, for videos),
        relative to that of the library.
    contrast
        (low, high): bounds of the standard deviation over pixels.
    brightness
        (low, high): bounds of the mean over pixels.
    roughness
        Mean squared difference of neighbouring pixels in the library.
    """

    smoothness: float
    contrast: tuple[float, float]
    brightness: tuple[float, float]
    roughness: float

    @classmethod
    def from_library(cls, images: np.ndarray, *, smoothness: float = 1.0) -> NaturalPrior:
        """Take the bounds (5th to 95th percentile) from natural images (M, ..., H, W)."""
        flat = images.reshape(len(images), -1)
        contrast = np.quantile(flat.std(axis=1), [0.05, 0.95])
        bright = np.quantile(flat.mean(axis=1), [0.05, 0.95])
        steps = [np.square(np.diff(images, axis=axis)).mean() for axis in (-1, -2)]
        return cls(
            smoothness=smoothness,
            contrast=(float(contrast[0]), float(contrast[1])),
            brightness=(float(bright[0]), float(bright[1])),
            roughness=max(float(np.mean(steps)), 1e-8),
        )

    def penalty(self, stimuli: Tensor) -> Tensor:
        """Roughness relative to the library's times its weight, one value per stimulus (B,)."""
        axes = [-1, -2] + ([-3] if stimuli.ndim == 5 else [])
        steps = [stimuli.diff(dim=a).square().flatten(1) for a in axes if stimuli.shape[a] > 1]
        rough = torch.stack([s.mean(1) for s in steps]).mean(0)
        return self.smoothness * rough / self.roughness

    @torch.no_grad()
    def project(self, stimuli: Tensor) -> Tensor:
        """Bring mean and standard deviation of each stimulus into bounds, pixels into [0, 1]."""
        flat = stimuli.flatten(1)
        mean, sd = flat.mean(1, keepdim=True), flat.std(1, keepdim=True).clamp(min=1e-6)
        flat = (flat - mean) * (sd.clamp(*self.contrast) / sd) + mean.clamp(*self.brightness)
        return flat.clamp(0, 1).view_as(stimuli)


def climb(
    response: Response,
    start: Tensor,
    *,
    prior: NaturalPrior,
    steps: int = 100,
    step_size: float = 0.02,
) -> tuple[Tensor, np.ndarray]:
    """Gradient ascent on pixels.

    Parameters
    ----------
    response
        Maps stimuli (B, C, H, W) or videos (B, C, T, H, W) in [0, 1] to the B predicted
        responses to be raised, through anything that passes gradients (a feature space and an
        axis, or an encoding model). In units such that 1 is a natural step, say standard
        deviations.
    start
        Stimuli to start from.
    prior
        Smoothness and bounds.
    steps
        Number of steps of the Adam optimiser.
    step_size
        Its learning rate, in pixel units.

    Returns
    -------
    Best stimuli found, same shape, and the predicted response before every step and at the end,
    (steps + 1, B).

    Raises
    ------
    InputError
        If no gradient reaches the pixels.
    """
    x = prior.project(start.detach().clone()).requires_grad_(True)
    optimiser = torch.optim.Adam([x], lr=step_size)
    curve = []
    best, best_value = x.detach().clone(), torch.full((len(x),), -torch.inf)
    for step in range(steps + 1):
        driven = response(x)
        if not driven.requires_grad:
            raise InputError("effective stimuli: this feature space passes no gradient to pixels")
        value = (driven - prior.penalty(x)).detach()
        better = value > best_value
        best[better], best_value = x.detach()[better], torch.maximum(value, best_value)
        curve.append(driven.detach().numpy().copy())
        if step == steps:
            break
        optimiser.zero_grad()
        (prior.penalty(x) - driven).sum().backward()
        optimiser.step()
        with torch.no_grad():
            x.copy_(prior.project(x))
    return best, np.stack(curve)


def rank_library(predicted: np.ndarray, site: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Library images that should drive a site most and least, strongest first.

    Parameters
    ----------
    predicted
        Predicted responses (M, N) to the library.
    site
        Column.
    n
        How many of each.
    """
    order = np.argsort(-predicted[:, site], kind="stable")
    return order[:n], order[::-1][:n]


def line_along_axis(
    x: np.ndarray, weight: np.ndarray, intercept: float, n: int = 9
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The predicted response curve: library images nearest to points along an axis.

    Points run through the mean of the library along the axis, from its smallest to its largest
    projection; for each the library image with the nearest projection is named.

    Parameters
    ----------
    x
        Components (M, P) of the library.
    weight, intercept
        Axis (P,) and intercept of the site.

    Returns
    -------
    Projections (n,), predicted responses (n,), rows of the library (n,).
    """
    length = float(np.linalg.norm(weight)) or 1.0
    projection = (x - x.mean(axis=0)) @ weight / length
    points = np.linspace(projection.min(), projection.max(), n)
    rows = np.abs(projection[:, None] - points).argmin(axis=0)
    response = intercept + x.mean(axis=0) @ weight + points * length
    return points, response, rows
