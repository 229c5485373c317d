"""Images read back from the population, as pixels: linearly, and by the video decoder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from mua_decode.analyses.axis.plan import AxisPlan
from mua_decode.analyses.axis.reconstruction import fit_decoder, standardised
from mua_decode.analyses.axis.responses import Responses
from mua_decode.analyses.axis.ridge import Blocks
from mua_decode.analyses.axis.statistics import columns_correlation
from mua_decode.types import Recording

_BATCH = 32
Decode = Callable[[np.ndarray], np.ndarray]
Loss = Callable[[Tensor, Tensor], Tensor]
# Makes model and loss of the video decoder for a number of sites and a shape of images (C, H, W).
BuildDecoder = Callable[[int, tuple[int, int, int]], tuple[nn.Module, Loss]]


@dataclass(frozen=True, eq=False)
class Pixels:
    """True images and what each decoder makes of the held-out ones."""

    full: np.ndarray  # float32 (K, C, H, W) in [0, 1]: every image, as shown
    images: np.ndarray  # float32 (K, C, h, w): every image at the decoders' size
    decoded: dict[str, np.ndarray]  # by decoder, float64 (M, C, h, w): the held-out images


def read_back_images(
    recording: Recording,
    responses: Responses,
    blocks: Blocks,
    frames: np.ndarray,
    *,
    plan: AxisPlan,
    build: BuildDecoder,
) -> Pixels:
    """Fit the decoders on the training images and decode the held-out ones.

    The mean of ``frames``, int (F,), is the image.
    """
    stimuli = recording.stimuli
    means = [
        stimuli.videos[stimuli.variants(int(k))][:, frames].mean(axis=(0, 1), dtype=np.float32)
        for k in responses.condition
    ]
    full = np.stack(means) / np.float32(255)
    images = _resized(full, plan.reconstruction.image_size)
    z = standardised(responses.rows, blocks)[blocks.test]
    decoders = pixel_decoders(responses.rows, images, blocks, plan=plan, build=build)
    return Pixels(full, images, {n: d(z) for n, d in decoders.items()})


def pixel_decoders(
    population: np.ndarray,
    images: np.ndarray,
    blocks: Blocks,
    *,
    plan: AxisPlan,
    build: BuildDecoder,
) -> dict[str, Decode]:
    """Decoders fitted on the training rows: linear, and the video decoder if epochs are given."""
    chosen, (_, c, h, w) = plan.reconstruction, images.shape
    n = chosen.pixel_components
    found = {"linear": fit_pixel_decoder(population, images, blocks, n_components=n)}
    if chosen.video_decoder_epochs > 0:
        model, loss = build(population.shape[1], (c, h, w))
        found["video decoder"] = train_image_decoder(
            model,
            loss,
            population,
            images,
            blocks,
            epochs=chosen.video_decoder_epochs,
            seed=plan.seed,
        )
    return found


def fit_pixel_decoder(
    population: np.ndarray, images: np.ndarray, blocks: Blocks, *, n_components: int
) -> Decode:
    """Linear decoder from standardised vectors (R, N) to images (R, C, H, W) within [0, 1].

    It is fitted on responses (M, N) and images (M, C, H, W) of the training rows, and decodes the
    principal components of the training images: ``n_components``, or fewer if there are fewer.
    """
    flat = images.reshape(len(images), -1).astype(np.float64)
    mean = flat[blocks.train].mean(axis=0)
    axes = np.linalg.svd(flat[blocks.train] - mean, full_matrices=False)[2][:n_components]
    decode = fit_decoder(population, (flat - mean) @ axes.T, blocks)

    def to_images(z: np.ndarray) -> np.ndarray:
        out = np.clip(decode(z) @ axes + mean, 0, 1)
        return np.asarray(out.reshape(-1, *images.shape[1:]))

    return to_images


def train_image_decoder(
    model: nn.Module,
    loss: Loss,
    population: np.ndarray,
    images: np.ndarray,
    blocks: Blocks,
    *,
    epochs: int,
    seed: int,
    learning_rate: float = 0.01,
) -> Decode:
    """Train a decoder on the training rows; the epoch best on the last inner fold is kept.

    ``model`` maps (B, 1, N) to videos (B, C, 1, H, W) in [0, 1], ``loss`` (predicted, true) videos
    to a scalar. It is trained by Adamax on responses (M, N) and images (M, C, H, W) in [0, 1],
    batches in the order of ``seed``; the decoder takes standardised vectors (R, N) to images (R, C,
    H, W).
    """
    z = torch.from_numpy(standardised(population, blocks)).float()[:, None]
    true = torch.from_numpy(images).float()[:, :, None]
    *most, last = map(torch.from_numpy, blocks.inner)
    fit = torch.cat(most)
    optimiser = torch.optim.Adamax(model.parameters(), lr=learning_rate)
    schedule = torch.optim.lr_scheduler.StepLR(optimiser, step_size=3, gamma=0.85)
    generator = torch.Generator().manual_seed(seed)
    best, kept = float("inf"), {k: v.clone() for k, v in model.state_dict().items()}
    for _ in range(epochs):
        model.train()
        for rows in fit[torch.randperm(len(fit), generator=generator)].split(_BATCH):
            if len(rows) < 2:  # batch normalisation needs two
                continue
            optimiser.zero_grad()
            loss(model(z[rows]), true[rows]).backward()
            optimiser.step()
        schedule.step()
        model.eval()
        with torch.no_grad():
            error = float((model(z[last]) - true[last]).square().mean())
        if error < best:
            best, kept = error, {k: v.clone() for k, v in model.state_dict().items()}
    model.load_state_dict(kept)

    @torch.no_grad()
    def decode(vectors: np.ndarray) -> np.ndarray:
        out = model.eval()(torch.from_numpy(vectors).float()[:, None])
        return np.asarray(out[:, :, 0].double())

    return decode


def pixel_correlation(predicted: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Pearson correlation over all pixels of each image, (M,)."""
    return columns_correlation(
        predicted.reshape(len(predicted), -1).T, true.reshape(len(true), -1).T
    )


def _resized(images: np.ndarray, size: int) -> np.ndarray:
    if min(images.shape[-2:]) <= size:
        return images
    small = [
        cv2.resize(i.transpose(1, 2, 0), (size, size), interpolation=cv2.INTER_AREA) for i in images
    ]
    return np.stack([s.reshape(size, size, -1).transpose(2, 0, 1) for s in small])
