"""The most probable video of a response, under a prior of natural frames."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mua_decode.analyses.likelihood.encoder import Encoder
from mua_decode.analyses.likelihood.gaussian import ResponseNoise
from mua_decode.analyses.likelihood.plan import MapPlan
from mua_decode.features import Components, fit_components
from mua_decode.features.space import ImageFeatures
from mua_decode.recordings.pictures import read_frames
from mua_decode.recordings.videos import as_bytes, resize
from mua_decode.types import InputError


@dataclass(frozen=True, eq=False)
class FramePrior:
    """A Gaussian of frames: principal components, and the same variance in what they leave.

    Tipping and Bishop 1999, doi 10.1111/1467-9868.00196.
    """

    components: Components
    rest: float  # variance of a pixel outside the components
    shape: tuple[int, int, int]  # (C, H, W)

    def frames(self, inside: Tensor, outside: Tensor) -> Tensor:
        """Frames (F, C, H, W) of standard normal numbers (F, P) and (F, C * H * W)."""
        scale = torch.from_numpy(np.sqrt(self.components.variance))
        axes, mean = torch.from_numpy(self.components.axes), torch.from_numpy(self.components.mean)
        flat = mean + (inside * scale) @ axes.T + outside * np.sqrt(self.rest)
        return flat.reshape(-1, *self.shape)

    def start(self, frames: np.ndarray) -> Tensor:
        """Numbers (F, P) of the frames (F, C * H * W) that are nearest to those given."""
        variance = self.components.variance
        shrink = np.sqrt(variance) / (variance + self.rest)
        return torch.from_numpy(self.components(frames) * shrink)


def fit_prior(frames: np.ndarray, shape: tuple[int, int, int], n_components: int) -> FramePrior:
    """Fit to frames (M, C * H * W) in [0, 1]."""
    frames = np.unique(frames, axis=0)
    components = fit_components(frames, n_components, at_most=True)
    total = frames.var(axis=0, ddof=1).sum()
    left = max(1, frames.shape[1] - len(components.variance))
    rest = max((total - components.variance.sum()) / left, 1e-5)
    return FramePrior(components, float(rest), shape)


def read_images(folder: str, shape: tuple[int, int, int]) -> np.ndarray:
    """Images of a folder as frames (M, C * H * W) in [0, 1], resampled to ``shape``.

    Raises InputError if the folder holds no picture.
    """
    path = Path(folder).expanduser()
    if not path.is_dir():
        raise InputError(f"map.images: no such folder: {path}")
    channels, height, width = shape
    if height != width:
        raise InputError(
            f"map.images: frames must be square to take images, found {height}x{width}"
        )
    found = []
    for image in read_frames(path):
        rgb = as_bytes(image if image.ndim == 3 else image[..., None], str(path))[..., :3]
        rgb = np.repeat(rgb, 3, axis=2) if rgb.shape[2] < 3 else rgb
        side = min(rgb.shape[:2])
        top, left = ((s - side) // 2 for s in rgb.shape[:2])
        small = resize(np.ascontiguousarray(rgb[top : top + side, left : left + side]), height)
        grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)[..., None] if channels == 1 else small
        found.append(grey.transpose(2, 0, 1).ravel() / 255)
    if not found:
        raise InputError(f"map.images: {path} holds no picture")
    return np.stack(found)


def most_probable(
    response: np.ndarray,
    start: np.ndarray,
    prior: FramePrior,
    model: tuple[ImageFeatures, Encoder, ResponseNoise],
    plan: MapPlan,
) -> np.ndarray:
    """Climb from ``start`` (T, C, h, w) to the most probable video of a response (T, N).

    Adam on standard normal numbers of the prior, in which it is half a square; every bin has a
    frame of its own. Returns frames (T, C, H, W) in [0, 1], the best of all steps.
    """
    space, encoder, noise = model
    wide = F.interpolate(torch.from_numpy(start), prior.shape[1:], mode="bilinear")
    wide = wide.expand(-1, prior.shape[0], -1, -1)
    inside = prior.start(wide.flatten(1).numpy()).requires_grad_()
    outside = torch.zeros(len(start), int(np.prod(prior.shape)), dtype=torch.float64)
    outside.requires_grad_()
    bin_axes, site_axes, sd, seen = (
        torch.from_numpy(np.ascontiguousarray(a))
        for a in (noise.bin_axes, noise.site_axes, np.sqrt(noise.variance), noise.turn(response))
    )
    optimiser = torch.optim.Adam([inside, outside], lr=plan.rate)
    best, kept = np.inf, prior.frames(inside, outside).detach()
    for _ in range(plan.steps):
        frames = prior.frames(inside, outside)
        turned = bin_axes.T @ encoder.tensor(space(frames.float())) @ site_axes / sd
        loss = (seen - turned).square().sum() + inside.square().sum() + outside.square().sum()
        if loss.item() < best:
            best, kept = loss.item(), frames.detach()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return np.asarray(kept.clamp(0, 1))
