"""A network from population vectors to images: the video decoder with one bin and one frame."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from mua_decode.analyses.axis.reconstruction import standardised
from mua_decode.analyses.axis.ridge import Blocks

_BATCH = 32


def train_image_decoder(
    model: nn.Module,
    loss: Callable[[Tensor, Tensor], Tensor],
    population: np.ndarray,
    images: np.ndarray,
    blocks: Blocks,
    *,
    epochs: int,
    seed: int,
    learning_rate: float = 0.01,
) -> Callable[[np.ndarray], np.ndarray]:
    """Train a decoder on the training rows; the epoch best on the last inner fold is kept.

    Parameters
    ----------
    model
        Maps (B, 1, N) to videos (B, C, 1, H, W) in [0, 1].
    loss
        Maps (predicted, true) videos to a scalar.
    population, images
        Responses (M, N) and images (M, C, H, W) in [0, 1].
    blocks
        Training rows.
    epochs, learning_rate
        Of the Adamax optimiser.
    seed
        Order of batches.

    Returns
    -------
    A function from standardised vectors (R, N) to images (R, C, H, W).
    """
    z = torch.from_numpy(standardised(population, blocks)).float()[:, None]
    true = torch.from_numpy(images).float()[:, :, None]
    fit, check = (
        torch.from_numpy(r) for r in (np.concatenate(blocks.inner[:-1]), blocks.inner[-1])
    )
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
            error = float((model(z[check]) - true[check]).square().mean())
        if error < best:
            best, kept = error, {k: v.clone() for k, v in model.state_dict().items()}
    model.load_state_dict(kept)
    model.eval()

    def decode(vectors: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            out = model(torch.from_numpy(vectors).float()[:, None])
        return out[:, :, 0].double().numpy()

    return decode
