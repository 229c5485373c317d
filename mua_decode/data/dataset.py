"""Pseudo-trials with their videos, read a whole batch at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from mua_decode.data.standardise import Standardiser
from mua_decode.types import InputError, PseudoTrials, StimulusSet, Stream


class Batch(NamedTuple):
    """What a model, a loss and a metric see.

    ``spikes`` (B, T, N) standardised counts, ``video`` (B, C, T, H, W) in [0, 1], ``condition``
    (B,) and ``row`` (B,), the number of the pseudo-trial.
    """

    spikes: Tensor
    video: Tensor
    condition: Tensor
    row: Tensor


class PseudoTrialDataset(Dataset[Batch]):
    """Gathers counts and videos of a batch on demand; nothing is tiled per pseudo-trial.

    ``pseudo`` may be a function of the epoch that draws them afresh; ``stimuli`` have one frame
    per bin.
    """

    def __init__(
        self,
        pseudo: PseudoTrials | Callable[[int], PseudoTrials],
        stimuli: StimulusSet,
        standardise: Standardiser,
    ) -> None:
        self._draw = pseudo if callable(pseudo) else None
        self.pseudo = pseudo(0) if callable(pseudo) else pseudo
        self.stimuli, self.standardise = stimuli, standardise

    def set_epoch(self, epoch: int) -> None:
        """Draw the pseudo-trials of an epoch, if they are drawn afresh."""
        if self._draw is not None:
            self.pseudo = self._draw(epoch)

    def __len__(self) -> int:
        return len(self.pseudo)

    def __getitems__(self, rows: list[int]) -> Batch:
        """Read a batch by row numbers."""
        index = np.asarray(rows)
        spikes = self.standardise.trials(self.pseudo, index)
        video = torch.from_numpy(self.stimuli.videos[self.pseudo.video[index]])
        return Batch(
            spikes=torch.from_numpy(spikes),
            video=video.permute(0, 2, 1, 3, 4).to(torch.float32).div_(255),
            condition=torch.from_numpy(self.pseudo.condition[index]),
            row=torch.from_numpy(index),
        )

    def __getitem__(self, row: int) -> Batch:
        """Read one pseudo-trial, as a batch of one."""
        return self.__getitems__([row])


@dataclass(frozen=True)
class Share:
    """What one of several processes takes of every batch of the common order.

    ``batch_size`` counts the pseudo-trials of a batch of all processes together; with ``drop_last``
    an incomplete last batch is left out. Raises InputError if a batch cannot be divided evenly.
    """

    rank: int
    world_size: int
    batch_size: int
    drop_last: bool

    def __post_init__(self) -> None:
        if self.batch_size % self.world_size:
            raise InputError(
                f"data.batch_size: {self.batch_size} cannot be divided among "
                f"{self.world_size} processes"
            )

    @property
    def own_size(self) -> int:
        """Pseudo-trials of a whole batch that fall to this process."""
        return self.batch_size // self.world_size

    def rows(self, order: np.ndarray) -> np.ndarray:
        """Return this process's part of an order; no row falls to two processes, none is added."""
        whole = len(order) // self.batch_size * self.batch_size
        batches = order[:whole].reshape(-1, self.world_size, self.own_size)
        rest = [] if self.drop_last else [np.array_split(order[whole:], self.world_size)[self.rank]]
        return np.concatenate([batches[:, self.rank].ravel(), *rest])


class EpochSampler(Sampler[int]):
    """Order of the pseudo-trials in an epoch, a function of seed and epoch alone.

    Lightning calls :meth:`set_epoch` before each epoch, so that a resumed run sees exactly the
    batches the unbroken run would have seen. With several processes each gives its ``share`` of
    the batches that one process would have seen.
    """

    def __init__(
        self, dataset: PseudoTrialDataset, *, seed: int, shuffle: bool, share: Share | None = None
    ) -> None:
        self._dataset, self._share = dataset, share
        self._seed, self._shuffle, self._epoch = seed, shuffle, 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch; fresh pseudo-trials are drawn here."""
        self._epoch = epoch
        self._dataset.set_epoch(epoch)

    def __len__(self) -> int:
        n = len(self._dataset)
        return n if self._share is None else len(self._share.rows(np.arange(n)))

    def __iter__(self) -> Iterator[int]:
        n = len(self._dataset)
        order = np.arange(n)
        if self._shuffle:
            order = Stream.EPOCH_ORDER.rng(self._seed, self._epoch).permutation(n)
        return iter((order if self._share is None else self._share.rows(order)).tolist())
