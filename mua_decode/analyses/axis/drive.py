"""Stimuli made for the best tuned sites."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from omegaconf import DictConfig
from torch import Tensor

from mua_decode.analyses.axis import (
    AxisModel,
    Blocks,
    NaturalPrior,
    climb,
    line_along_axis,
    rank_library,
)
from mua_decode.features import Components, FeatureSpace, ImageFeatures
from mua_decode.runs.progress import working

_SHOWN = 4


@dataclass(frozen=True, eq=False)
class EffectiveResults:
    """Most effective stimuli of a few sites.

    Parameters
    ----------
    rows
        Row name to images (M, C, H, W): one row per site.
    captions
        Row name to predicted responses in words.
    table
        Predicted responses, spikes per second, per site.
    curves
        The predicted response along the axis, with the library image at every point.
    """

    rows: dict[str, np.ndarray]
    captions: dict[str, list[str]]
    table: pd.DataFrame
    curves: pd.DataFrame


def measure_effective(
    cfg: DictConfig,
    space: FeatureSpace,
    components: Components,
    model: AxisModel,
    images: np.ndarray,
    blocks: Blocks,
    rng: np.random.Generator,
) -> EffectiveResults | None:
    """Rank the library and climb by gradient, for the sites with the best held-out correlation."""
    quality = np.where(model.tuned, np.nan_to_num(model.fit.correlation), -1)
    sites = [int(s) for s in np.argsort(-quality)[: int(cfg.effective.sites)] if quality[s] > 0]
    if not sites:
        return None
    predicted = model.fit.predict(model.x)
    made: dict[int, tuple[np.ndarray, float]] = {}
    if isinstance(space, ImageFeatures) and images.shape[1:] != ():
        with working(f"climbing to effective images for {len(sites)} sites"):
            made = _synthesise(cfg, space, components, model, images[blocks.train], sites, rng)
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
    return EffectiveResults(rows, captions, pd.DataFrame(table), pd.concat(curves))


def _synthesise(
    cfg: DictConfig,
    space: ImageFeatures,
    components: Components,
    model: AxisModel,
    library: np.ndarray,
    sites: list[int],
    rng: np.random.Generator,
) -> dict[int, tuple[np.ndarray, float]]:
    """One image per site, from faint noise on the library's mean, and its predicted response."""
    prior = NaturalPrior.from_library(library, smoothness=float(cfg.effective.smoothness))
    weight = torch.from_numpy(model.fit.weight[:, sites]).float()
    intercept = torch.from_numpy(model.fit.intercept[sites]).float()
    sd = torch.from_numpy(model.fit.predict(model.x)[:, sites].std(axis=0)).float()
    noise = rng.standard_normal((len(sites), *library.shape[1:])).astype(np.float32)
    start = torch.from_numpy(library.mean(axis=0, dtype=np.float32) + 0.05 * noise)

    def response(images: Tensor) -> Tensor:
        driven = components.tensor(space(images)) @ weight + intercept
        return driven.diagonal() / sd

    best, _ = climb(response, start, prior=prior, steps=int(cfg.effective.steps))
    with torch.no_grad():
        reached = (response(best) * sd).numpy()
    return {s: (best[i].numpy(), float(reached[i])) for i, s in enumerate(sites)}
