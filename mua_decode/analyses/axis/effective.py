"""Stimuli that should drive a site most: ranked in a library, or climbed to by gradient."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from mua_decode.analyses.axis.plan import EffectivePlan
from mua_decode.analyses.axis.ridge import Blocks
from mua_decode.analyses.axis.tuning import AxisModel
from mua_decode.features import Components, FeatureSpace, ImageFeatures
from mua_decode.runs.progress import working
from mua_decode.types import InputError

_SHOWN = 4
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

    @classmethod
    def from_library(cls, images: np.ndarray, *, smoothness: float = 1.0) -> NaturalPrior:
        """Take the bounds (5th to 95th percentile) from natural images (M, ..., H, W)."""
        flat = images.reshape(len(images), -1)
        sd, mean = (np.quantile(v, [0.05, 0.95]) for v in (flat.std(axis=1), flat.mean(axis=1)))
        steps = [np.square(np.diff(images, axis=axis)).mean() for axis in (-1, -2)]
        return cls(
            smoothness=smoothness,
            contrast=(float(sd[0]), float(sd[1])),
            brightness=(float(mean[0]), float(mean[1])),
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
) -> Tensor:
    """Gradient ascent on pixels; the best stimuli on the way, same shape.

    ``response`` maps stimuli (B, C, H, W) or videos (B, C, T, H, W) in [0, 1] to the B predicted
    responses to be raised, through anything that passes gradients (a feature space and an axis, or
    an encoding model), in units such that 1 is a natural step, say standard deviations.
    ``step_size`` is the learning rate of the Adam optimiser, in pixel units. Raises InputError if
    no gradient reaches the pixels.
    """
    x = prior.project(start.detach().clone()).requires_grad_(True)
    optimiser = torch.optim.Adam([x], lr=step_size)
    best, best_value = x.detach().clone(), torch.full((len(x),), -torch.inf)
    for step in range(steps + 1):
        driven = response(x)
        if not driven.requires_grad:
            raise InputError("effective stimuli: this feature space passes no gradient to pixels")
        value = (driven - prior.penalty(x)).detach()
        better = value > best_value
        best[better], best_value = x.detach()[better], torch.maximum(value, best_value)
        if step == steps:
            break
        optimiser.zero_grad()
        (prior.penalty(x) - driven).sum().backward()
        optimiser.step()
        with torch.no_grad():
            x.copy_(prior.project(x))
    return best


def rank_library(predicted: np.ndarray, site: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Library images that should drive a site most, and least, ``n`` of each, the extreme first.

    ``predicted`` are the responses (M, N) to the library.
    """
    order = np.argsort(-predicted[:, site], kind="stable")
    return order[:n], order[::-1][:n]


def line_along_axis(
    x: np.ndarray, weight: np.ndarray, intercept: float, n: int = 9
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The predicted response curve: library images nearest to points along an axis.

    Points run through the mean of the library along the axis, from its smallest to its largest
    projection; for each the library image with the nearest projection is named. Takes components
    (M, P) of the library and the axis (P,) of a site; projections, predicted responses and rows of
    the library are (n,) each.
    """
    length = float(np.linalg.norm(weight)) or 1.0
    projection = (x - x.mean(axis=0)) @ weight / length
    points = np.linspace(projection.min(), projection.max(), n)
    rows = np.abs(projection[:, None] - points).argmin(axis=0)
    response = intercept + x.mean(axis=0) @ weight + points * length
    return points, response, rows


@dataclass(frozen=True, eq=False)
class Effective:
    """Most effective stimuli of a few sites."""

    rows: dict[str, np.ndarray]  # site to images (M, C, H, W)
    captions: dict[str, list[str]]  # site to predicted responses in words
    table: pd.DataFrame  # predicted responses, spikes per second, per site
    # The predicted response along the axis, with the library image at every point.
    curves: pd.DataFrame


def measure_effective(
    space: FeatureSpace,
    components: Components,
    model: AxisModel,
    images: np.ndarray,
    blocks: Blocks,
    *,
    plan: EffectivePlan,
    rng: np.random.Generator,
) -> Effective | None:
    """Rank the library and climb by gradient, for the sites with the best held-out correlation."""
    quality = np.where(model.tuned, np.nan_to_num(model.fit.correlation), -1)
    sites = [int(s) for s in np.argsort(-quality)[: plan.sites] if quality[s] > 0]
    if not sites:
        return None
    predicted = model.fit.predict(model.x)
    made: dict[int, tuple[np.ndarray, float]] = {}
    if isinstance(space, ImageFeatures):
        with working(f"climbing to effective images for {len(sites)} sites"):
            prior = NaturalPrior.from_library(images[blocks.train], smoothness=plan.smoothness)
            noise = rng.standard_normal((len(sites), *images.shape[1:])).astype(np.float32)
            mean = images[blocks.train].mean(axis=0, dtype=np.float32)
            start = torch.from_numpy(mean + 0.05 * noise)
            drive, sd = _drive(space, components, model, sites)
            top = climb(drive, start, prior=prior, steps=plan.steps)
            with torch.no_grad():
                reached = (drive(top) * sd).numpy()
            made = {s: (top[i].numpy(), float(reached[i])) for i, s in enumerate(sites)}
    rows, captions, table, curves = {}, {}, [], []
    for site in sites:
        best, worst = rank_library(predicted, site, _SHOWN)
        name = str(model.sites["site_id"].iloc[site])
        pictures = [*images[best], *images[worst[:2]]]
        words = [f"{predicted[i, site]:.1f}" for i in (*best, *worst[:2])]
        row = {
            "site_id": name,
            "library_best": predicted[best[0], site],
            "library_mean": predicted[:, site].mean(),
            "library_worst": predicted[worst[0], site],
        }
        if site in made:
            pictures.insert(0, made[site][0])
            words.insert(0, f"made: {made[site][1]:.1f}")
            row["synthesised"] = made[site][1]
        rows[name], captions[name] = np.stack(pictures), words
        table.append(row)
        weight = model.fit.weight[:, site]
        at, response, shown = line_along_axis(model.x, weight, float(model.fit.intercept[site]))
        curves.append(
            pd.DataFrame(
                {"site_id": name, "projection": at, "predicted": response, "image_row": shown}
            )
        )
    return Effective(rows, captions, pd.DataFrame(table), pd.concat(curves))


def _drive(
    space: ImageFeatures, components: Components, model: AxisModel, sites: list[int]
) -> tuple[Response, Tensor]:
    """What image b does to site b, in standard deviations over the library; these (B,)."""
    weight = torch.from_numpy(model.fit.weight[:, sites]).float()
    intercept = torch.from_numpy(model.fit.intercept[sites]).float()
    sd = torch.from_numpy(model.fit.predict(model.x)[:, sites].std(axis=0)).float()

    def response(images: Tensor) -> Tensor:
        driven = components.tensor(space(images)) @ weight + intercept
        return driven.diagonal() / sd

    return response, sd
