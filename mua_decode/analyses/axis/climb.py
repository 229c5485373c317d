"""Gradient ascent on images that keeps them like natural ones."""

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
    """What keeps a synthesised stimulus like a natural one."""

    # Weight of the mean squared difference of neighbouring pixels (and frames, for videos),
    # relative to that of the library.
    smoothness: float
    contrast: tuple[float, float]  # (low, high): bounds of the standard deviation over pixels
    brightness: tuple[float, float]  # (low, high): bounds of the mean over pixels
    roughness: float  # mean squared difference of neighbouring pixels in the library
    # float32 (H, W // 2 + 1): mean amplitude of the library at every spatial frequency, relative to
    # white noise of variance 1. Steps are taken in proportion to it.
    spectrum: np.ndarray

    @classmethod
    def from_library(cls, images: np.ndarray, *, smoothness: float = 1.0) -> NaturalPrior:
        """Take the bounds (5th to 95th percentile) from natural images (M, ..., H, W)."""
        flat = images.reshape(len(images), -1)
        sd, mean = (np.quantile(v, [0.05, 0.95]) for v in (flat.std(axis=1), flat.mean(axis=1)))
        steps = [np.square(np.diff(images, axis=axis)).mean() for axis in (-1, -2)]
        away = images - images.mean(axis=0)
        power = np.square(np.abs(np.fft.rfft2(away, norm="ortho")))
        amplitude = np.sqrt(power.reshape(-1, *power.shape[-2:]).mean(axis=0))
        return cls(
            smoothness=smoothness,
            contrast=(float(sd[0]), float(sd[1])),
            brightness=(float(mean[0]), float(mean[1])),
            roughness=max(float(np.mean(steps)), 1e-8),
            spectrum=np.maximum(amplitude, 1e-3 * amplitude.max() + 1e-8).astype(np.float32),
        )

    def penalty(self, stimuli: Tensor) -> Tensor:
        """Roughness relative to the library's times its weight, one value per stimulus (B,)."""
        axes = [-1, -2] + ([-3] if stimuli.ndim == 5 else [])
        steps = [stimuli.diff(dim=a).square().flatten(1) for a in axes if stimuli.shape[a] > 1]
        rough = torch.stack([s.mean(1) for s in steps]).mean(0)
        return self.smoothness * rough / self.roughness

    def shaped(self, noise: Tensor) -> Tensor:
        """White noise (..., H, W) with the spectrum of natural images."""
        spectrum = torch.fft.rfft2(noise, norm="ortho") * torch.from_numpy(self.spectrum)
        return torch.fft.irfft2(spectrum, tuple(noise.shape[-2:]), norm="ortho")

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
    step_size: float = 0.05,
) -> Tensor:
    """Gradient ascent on images; the best stimuli on the way, same shape.

    ``response`` maps stimuli (B, C, H, W) or videos (B, C, T, H, W) in [0, 1] to the B predicted
    responses to be raised, through anything that passes gradients (a feature space and an axis, or
    an encoding model), in units such that 1 is a natural step, say standard deviations. What
    moves is the spatial spectrum, every frequency in units of its amplitude in natural images, by
    Adam with the learning rate ``step_size``: equal steps of pixels would add noise that natural
    images do not have, to which a model fitted on them answers anything. Raises InputError if no
    gradient reaches the pixels.
    """
    size = tuple(start.shape[-2:])
    amplitude = torch.from_numpy(prior.spectrum)
    first = prior.project(start.detach())

    def spectrum(images: Tensor) -> Tensor:
        return torch.view_as_real(torch.fft.rfft2(images - first, norm="ortho") / amplitude)

    def pixels(x: Tensor) -> Tensor:
        return first + torch.fft.irfft2(torch.view_as_complex(x) * amplitude, size, norm="ortho")

    x = spectrum(first).requires_grad_(True)
    optimiser = torch.optim.Adam([x], lr=step_size)
    best, best_value = first.clone(), torch.full((len(first),), -torch.inf)
    for step in range(steps + 1):
        images = pixels(x)
        driven = response(images)
        if not driven.requires_grad:
            raise InputError("effective stimuli: this feature space passes no gradient to pixels")
        rough = prior.penalty(images)
        value = (driven - rough).detach()
        better = value > best_value
        best[better], best_value = images.detach()[better], torch.maximum(value, best_value)
        if step == steps:
            break
        optimiser.zero_grad()
        (rough - driven).sum().backward()
        optimiser.step()
        with torch.no_grad():
            x.copy_(spectrum(prior.project(pixels(x))))
    return best
