"""The most probable videos, beside what ridge and lookup return, and their scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from mua_decode.analyses.likelihood.encoder import Encoder
from mua_decode.analyses.likelihood.folds import Fold
from mua_decode.analyses.likelihood.gaussian import ResponseNoise
from mua_decode.analyses.likelihood.plan import LikelihoodPlan
from mua_decode.analyses.likelihood.posterior import (
    FramePrior,
    fit_prior,
    most_probable,
    read_images,
)
from mua_decode.analyses.likelihood.responses import Responses
from mua_decode.features import FeatureSpace
from mua_decode.features.space import ImageFeatures
from mua_decode.types import InputError, StimulusSet


@dataclass(frozen=True, eq=False)
class Made:
    """Videos made so far: a row of scores per video and method, and the frames by method."""

    space: FeatureSpace
    stimuli: StimulusSet
    plan: LikelihoodPlan
    rows: list[dict[str, object]]
    frames: dict[str, list[np.ndarray]]  # (T, C, h, w) each

    def add(
        self,
        fold: Fold,
        groups: np.ndarray,
        responses: Responses,
        model: tuple[Encoder, ResponseNoise],
        others: Mapping[str, np.ndarray],
    ) -> None:
        """Make videos of the first trials of a fold, as many as are still asked for.

        ``others`` are what ridge and lookup return, (M, R, T, P). Raises InputError if the feature
        space is no function of pixels.
        """
        left = self.plan.map.videos - len(self.frames.get("shown", ()))
        if left <= 0:
            return
        if not isinstance(self.space, ImageFeatures):
            raise InputError(
                f"map.videos: features={self.space.name} are no function of pixels that can be "
                "climbed; set map.videos=0"
            )
        shape = self.stimuli.frame_shape
        videos = self.stimuli.mean_videos()[responses.condition][:, responses.frame]
        prior = self._prior(videos[fold.train])
        small = (shape[0], *(min(self.plan.pixel_size, s) for s in shape[1:]))
        scale = self._features(videos[fold.train].reshape(-1, *shape)[:: max(1, len(videos) // 99)])
        for i in range(min(left, len(fold.test))):
            row = int(fold.test[i])
            ridge, near = (others[n][i, 0].reshape(-1, *small) for n in ("ridge", "lookup"))
            climbed = most_probable(
                responses.trials[row, 0], ridge, prior, (self.space, *model), self.plan.map
            )
            found = {
                "shown": videos[row].astype(np.float64), "lookup": near, "ridge": ridge,
                "most probable": climbed,
            }  # fmt: skip
            name = self.stimuli.names[responses.condition[row]]
            self._score(found, {"condition": name, "group": int(groups[row])}, small, scale)

    def _prior(self, videos: np.ndarray) -> FramePrior:
        shape = self.stimuli.frame_shape
        frames = videos.reshape(-1, int(np.prod(shape))).astype(np.float64)
        if self.plan.map.images is not None:
            frames = np.concatenate([frames, read_images(self.plan.map.images, shape)])
        return fit_prior(frames, shape, self.plan.map.components)

    def _score(
        self,
        found: Mapping[str, np.ndarray],
        labels: Mapping[str, object],
        small: tuple[int, ...],
        scale: np.ndarray,
    ) -> None:
        """Keep the frames and score them against the first, on pixels ``small`` and by features."""
        sizes = (small[1], small[2])
        pixels = {n: F.adaptive_avg_pool2d(torch.from_numpy(v), sizes) for n, v in found.items()}
        sd = scale.std(axis=0) + 1e-12
        looks = {n: (self._features(v) - scale.mean(axis=0)) / sd for n, v in found.items()}
        for name, own in found.items():
            self.frames.setdefault(name, []).append(own)
            if name == "shown":
                continue
            mine, true = (pixels[n].clamp(0, 1).numpy().ravel() for n in (name, "shown"))
            self.rows.append(
                {
                    **labels,
                    "method": name,
                    "pixel_correlation": _correlation(mine, true),
                    "feature_correlation": _correlation(looks[name], looks["shown"]),
                    "mse": float(np.square(mine - true).mean()),
                }
            )

    def _features(self, frames: np.ndarray) -> np.ndarray:
        """Features (T, D) of frames (T, C, h, w), smaller ones enlarged to those shown."""
        assert isinstance(self.space, ImageFeatures)
        size = self.stimuli.frame_shape[1:]
        with torch.inference_mode():
            large = F.interpolate(torch.from_numpy(frames), size, mode="bilinear")
            return np.asarray(self.space(large.clamp(0, 1).float()))


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Pearson's r of all numbers, NaN where either does not vary."""
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return float("nan")
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])
