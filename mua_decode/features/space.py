"""What every feature space is: images in, one vector of numbers per image out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from mua_decode.types import InputError, StimulusSet

_BATCH = 64


class FeatureSpace(ABC):
    """Turns the stimuli of a recording into vectors."""

    name: str

    @abstractmethod
    def of_stimuli(self, stimuli: StimulusSet, frames: np.ndarray) -> np.ndarray:
        """Features of ``frames``, int (F,), of every condition, averaged over its variants.

        float32 (K, F, D); raises InputError if the space cannot describe these stimuli.
        """

    def spaces(self) -> Sequence[FeatureSpace]:
        """Every space this one stands for: itself, or one per layer of a network."""
        return (self,)


class ImageFeatures(FeatureSpace, nn.Module):
    """A feature space computed from pixels by torch, so that gradients reach the image."""

    name = "images"

    def of_stimuli(self, stimuli: StimulusSet, frames: np.ndarray) -> np.ndarray:
        """Describe every frame that is shown, in batches (see :class:`FeatureSpace`)."""
        rows = []
        shown = stimuli.videos[:, frames]
        n_videos, n_frames = shown.shape[:2]
        flat = shown.reshape(n_videos * n_frames, *shown.shape[2:])
        with torch.inference_mode():
            for start in range(0, len(flat), _BATCH):
                images = torch.from_numpy(flat[start : start + _BATCH]).float() / 255
                rows.append(self(images).float())
        values = torch.cat(rows).numpy().reshape(n_videos, n_frames, -1)
        if n_videos == stimuli.n_conditions and (np.diff(stimuli.condition) > 0).all():
            return values
        mean = [values[stimuli.variants(k)].mean(axis=0) for k in range(stimuli.n_conditions)]
        return np.stack(mean)


def as_rgb(images: Tensor) -> Tensor:
    """Images (B, C, H, W) with three channels; a grey one is repeated."""
    if images.ndim != 4 or images.shape[1] not in (1, 3):
        raise InputError(f"features: images must be (B, 1 or 3, H, W), found {tuple(images.shape)}")
    return images.expand(-1, 3, -1, -1)
