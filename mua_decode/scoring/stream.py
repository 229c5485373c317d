"""Decode many trials, or many site subsets of the same trials, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor

Decoder = Callable[[Tensor], Tensor]


@torch.inference_mode()
def decode_stream(
    decode: Decoder,
    spikes: Iterable[Tensor],
    *,
    batch_size: int = 32,
    device: str | torch.device = "cpu",
) -> Iterator[Tensor]:
    """Decode trials as they come; never more than one batch is held.

    Parameters
    ----------
    decode
        Maps spikes (B, T, N) to video (B, C, T, H, W), in evaluation mode.
    spikes
        Trials (T, N) or batches (B, T, N) of any size, standardised counts; read as needed.
    batch_size
        Trials decoded at a time. Smaller batches that come in are joined, larger ones cut.

    Yields
    ------
    Tensor
        Videos (b, C, T, H, W) on the CPU, b at most `batch_size`, in the order of the trials.
    """
    waiting: list[Tensor] = []
    number = 0
    for piece in spikes:
        for part in (piece if piece.dim() == 3 else piece.unsqueeze(0)).split(batch_size):
            waiting.append(part)
            number += len(part)
            if number >= batch_size:
                joined = torch.cat(waiting)
                yield decode(joined[:batch_size].to(device)).cpu()
                rest = joined[batch_size:]
                waiting, number = ([rest] if len(rest) else []), len(rest)
    if number:
        yield decode(torch.cat(waiting).to(device)).cpu()


@torch.inference_mode()
def decode_subsets(
    decode: Decoder,
    spikes: Tensor,
    keep: Tensor,
    *,
    batch_size: int = 32,
    fill: float | Tensor = 0.0,
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Decode trials under many site masks, masks and trials batched together.

    With 64 masks (all subsets of six regions) a test set is decoded 64 times; the batches stay
    full whatever the number of trials.

    Parameters
    ----------
    decode
        Maps spikes (B, T, N) to video (B, C, T, H, W), in evaluation mode.
    spikes
        (B, T, N) standardised counts, on the device of `decode`; not changed.
    keep
        bool (M, N): which sites each mask leaves in.
    fill
        Value of the sites left out: a number or a tensor that broadcasts to (B, T, N). Zero is
        the training mean of standardised counts.

    Yields
    ------
    mask, trial : Tensor
        (b,) numbers of the mask and of the trial, mask by mask.
    video : Tensor
        (b, C, T, H, W), on the device of `decode`.

    Raises
    ------
    ValueError
        If `keep` is not a boolean (M, N).
    """
    trials, _, sites = spikes.shape
    if keep.dtype != torch.bool or keep.dim() != 2 or keep.shape[1] != sites:
        raise ValueError(
            f"keep: expected bool (masks, {sites}), found {keep.dtype} {tuple(keep.shape)}"
        )
    filled = torch.as_tensor(fill, dtype=spikes.dtype, device=spikes.device).expand_as(spikes)
    keep = keep.to(spikes.device)
    for pair in torch.arange(len(keep) * trials, device=spikes.device).split(batch_size):
        mask, trial = pair // trials, pair % trials
        masked = torch.where(keep[mask].unsqueeze(1), spikes[trial], filled[trial])
        yield mask, trial, decode(masked)
