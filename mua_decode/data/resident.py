"""Batches gathered on the device: counts and videos lie there once, trials are indexed there."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from mua_decode.data.dataset import Batch, EpochSampler, PseudoTrialDataset


class ResidentLoader:
    """A loader without workers whose batches are made where the network is.

    Recorded counts stay small integers and videos uint8, each stored once; an epoch moves only
    the references of its pseudo-trials. Gathering, standardisation and scaling happen on the
    device, and nothing waits for the host within an epoch.

    The sampler sets the epoch of the dataset and gives the order; with several processes, that of
    this process's share. The batches equal those of a ``DataLoader`` with it bit by bit.
    """

    # Lightning looks for one wherever there is a sampler.
    batch_sampler = None

    def __init__(
        self,
        dataset: PseudoTrialDataset,
        *,
        batch_size: int,
        sampler: EpochSampler,
        drop_last: bool,
        device: str | torch.device,
    ) -> None:
        self.dataset, self.batch_size, self.sampler = dataset, batch_size, sampler
        self.drop_last, self.device = drop_last, torch.device(device)
        self._counts = _small_integers(dataset.pseudo.pool.counts).to(self.device)
        self._videos = torch.from_numpy(dataset.stimuli.videos).to(self.device)
        self._mean = torch.from_numpy(dataset.standardise.mean).to(self.device)
        self._std = torch.from_numpy(dataset.standardise.std).to(self.device)
        self._root = dataset.standardise.root

    def __len__(self) -> int:
        """Batches per epoch."""
        rows = len(self.sampler)
        return rows // self.batch_size if self.drop_last else -(-rows // self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        """Iterate over one epoch."""
        order = np.fromiter(self.sampler, np.int64, len(self.sampler))
        pseudo = self.dataset.pseudo
        arrays = order, pseudo.source_trial, pseudo.video, pseudo.condition
        rows, source, video, condition = map(self._move, arrays)
        site = self._move(pseudo.sites())
        for number in range(len(self)):
            chosen = rows[number * self.batch_size : (number + 1) * self.batch_size]
            place = (site[chosen] if site.ndim == 2 else site).long()
            counts = self._counts[source[chosen].long(), place].transpose(1, 2)
            frames = self._videos[video[chosen]].permute(0, 2, 1, 3, 4)
            values = counts.to(torch.float32)
            values = values.sqrt() if self._root else values
            yield Batch(
                spikes=(values - self._mean[place].unsqueeze(-2)) / self._std[place].unsqueeze(-2),
                video=frames.to(torch.float32).div_(255),
                condition=condition[chosen],
                row=chosen,
            )

    def _move(self, array: np.ndarray) -> Tensor:
        tensor = torch.from_numpy(np.ascontiguousarray(array))
        if self.device.type == "cuda":
            return tensor.pin_memory().to(self.device, non_blocking=True)
        return tensor.to(self.device)


def _small_integers(counts: np.ndarray) -> Tensor:
    """Counts as the smallest integers that hold them and that can be indexed on any device."""
    if counts.dtype.kind == "f":
        return torch.from_numpy(counts)
    highest = int(counts.max(initial=0))
    for dtype in (np.uint8, np.int16, np.int32):
        if highest <= np.iinfo(dtype).max:
            return torch.from_numpy(counts.astype(dtype, copy=False))
    return torch.from_numpy(counts.astype(np.int64))
