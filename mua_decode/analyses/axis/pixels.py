"""Images read back from the population, as pixels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from omegaconf import DictConfig

from mua_decode.analyses.axis import (
    Blocks,
    Responses,
    fit_pixel_decoder,
    standardised,
    train_image_decoder,
)
from mua_decode.runs.instantiate import instantiate
from mua_decode.types import Recording

Decode = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class PixelResults:
    """True images and what each decoder makes of the held-out ones.

    Parameters
    ----------
    full
        float32 (K, C, H, W): every image, as shown.
    images
        float32 (K, C, h, w): every image at the decoders' size.
    decoded
        Decoder name to float64 (M, C, h, w): the held-out images.
    """

    full: np.ndarray
    images: np.ndarray
    decoded: dict[str, np.ndarray]


def read_back_images(
    cfg: DictConfig, recording: Recording, responses: Responses, blocks: Blocks, frames: np.ndarray
) -> PixelResults:
    """Fit the decoders on the training images and decode the held-out ones."""
    full = shown_images(recording, responses.condition, frames)
    images = _resized(full, int(cfg.reconstruction.image_size))
    z = standardised(responses.rows, blocks)[blocks.test]
    decoders = pixel_decoders(cfg, responses.rows, images, blocks)
    return PixelResults(full, images, {n: d(z) for n, d in decoders.items()})


def pixel_decoders(
    cfg: DictConfig, population: np.ndarray, images: np.ndarray, blocks: Blocks
) -> dict[str, Decode]:
    """Decoders fitted on the training rows: linear, and the video decoder if epochs are given."""
    found = {
        "linear": fit_pixel_decoder(
            population, images, blocks, n_components=int(cfg.reconstruction.pixel_components)
        )
    }
    epochs = int(cfg.reconstruction.video_decoder_epochs)
    if epochs > 0:
        torch.manual_seed(int(cfg.seed))
        model = instantiate(
            cfg.model,
            trusted=cfg.trusted,
            n_sites=population.shape[1],
            n_bins=1,
            frame_shape=tuple(images.shape[1:]),
        )
        loss = instantiate(cfg.loss, trusted=cfg.trusted, frame_weights=torch.ones(1))
        found["video decoder"] = train_image_decoder(
            model, loss, population, images, blocks, epochs=epochs, seed=int(cfg.seed)
        )
    return found


def shown_images(recording: Recording, condition: np.ndarray, frames: np.ndarray) -> np.ndarray:
    """Mean over the frames shown in the window, float32 (K, C, H, W) in [0, 1]."""
    stimuli = recording.stimuli
    means = [
        stimuli.videos[stimuli.variants(int(k))][:, frames].mean(axis=(0, 1), dtype=np.float32)
        for k in condition
    ]
    return np.stack(means) / np.float32(255)


def _resized(images: np.ndarray, size: int) -> np.ndarray:
    if min(images.shape[-2:]) <= size:
        return images
    small = [
        cv2.resize(i.transpose(1, 2, 0), (size, size), interpolation=cv2.INTER_AREA) for i in images
    ]
    return np.stack([s.reshape(size, size, -1).transpose(2, 0, 1) for s in small])
