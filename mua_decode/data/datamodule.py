"""The whole leak-free path from a recording to batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from mua_decode.data.audit import LeakAudit, audit_parts
from mua_decode.data.complete import complete_sites
from mua_decode.data.dataset import Batch, EpochSampler, PseudoTrialDataset, Share
from mua_decode.data.film import Cut, cut_up
from mua_decode.data.neighbours import shared_content
from mua_decode.data.places import RANDOM_SITES, mean_by_place
from mua_decode.data.pooling import (
    PseudoTrialPlan,
    build_pool,
    check_draw,
    choose_population,
    draw_pseudo_trials,
    recorded_as_they_are,
    select_sites,
)
from mua_decode.data.resident import ResidentLoader
from mua_decode.data.split_plan import APART, SplitPlan
from mua_decode.data.splitting import deal_pooled, split_recording
from mua_decode.data.standardise import Standardiser
from mua_decode.data.videos import (
    FramePlan,
    draw_variants,
    one_frame_per_bin,
    share_variants,
    videos_of_parts,
    videos_shown,
)
from mua_decode.data.windows import Window, window_session
from mua_decode.limits import check_memory
from mua_decode.types import PARTS, InputError, LeakState, PseudoTrials, Recording, Stream


class DecodingData(pl.LightningDataModule):
    """Windows, split, population, standardisation and loaders, in that order.

    Parameters
    ----------
    window
        Sliding counting window; ``None`` keeps recorded counts.
    regions, sites_per_region
        Which sites form the population; ``None`` takes all.
    sites_seed
        Draws the sites where ``sites_per_region`` asks for some; ``None``: ``seed``.
    sessions
        Sessions whose sites form the population; ``None`` takes all. The trials of each are split
        as they are with all sessions.
    standardisation
        ``train``: mean and standard deviation of the training trials. ``none``: activity that was
        standardised before it was stored is used as it is.
    root
        Standardise the square roots of the counts; see :class:`Standardiser`.
    frames, lag_s, cut
        Which frame a bin has, see :class:`FramePlan`; how a long film is cut, see :class:`Cut`.
    seed
        Reproduces split, population, pseudo-trials and order of batches.
    resident
        Whether training keeps all data on the device (:class:`ResidentLoader`); ``None`` does so
        on an accelerator. The batches are the same.

    Attributes
    ----------
    pool, split, standardise, stimuli, audit
        What was built; ``stimuli`` has one frame per bin.
    sites
        Table of the site axis: the pool's, or of places with a region alone (``random_sites``).
    notes
        What was left out, in numbers, one line each.
    """

    def __init__(
        self,
        recording: Recording,
        *,
        window: Window | None,
        split: SplitPlan,
        pseudo: PseudoTrialPlan,
        regions: Sequence[str] | None = None,
        sites_per_region: int | Mapping[str, int] | None = None,
        sites_seed: int | None = None,
        sessions: Sequence[str] | None = None,
        standardisation: str = "train",
        root: bool = False,
        frames: str = "nearest",
        lag_s: float = 0.0,
        cut: Cut | None = None,
        batch_size: int = 64,
        seed: int = 0,
        resident: bool | None = None,
    ) -> None:
        super().__init__()
        _check(pseudo, split, batch_size)
        own = FramePlan(frames=frames, lag_s=lag_s)
        recording, split, window, plan = cut_up(recording, split, cut=cut, window=window, plan=own)
        self.plan, self.pseudo_plan = split, pseudo
        self.batch_size, self.seed, self.resident = batch_size, seed, resident
        self.notes: list[str] = list(recording.notes)
        self.split = split_recording(recording, split, seed=seed)
        if split.unit == "published" and not self.n_recorded_trials("val"):
            self.notes.append("no trial was stored for validation: training is not watched by any")
        if sessions is not None:
            recording = recording.select_sessions(list(sessions))
            self.split = self.split.select_sessions([s.name for s in recording.sessions])
        self.pool = build_pool([window_session(s, window) for s in recording.sessions])
        self.stimuli, notes = one_frame_per_bin(recording.stimuli, self.pool, plan)
        self.notes += notes
        population = choose_population(
            self.pool.sites,
            draw=pseudo.draw,
            regions=regions,
            sites_per_region=sites_per_region,
            seed=seed if sites_seed is None else sites_seed,
        )
        self.notes += population.notes
        self.pool = select_sites(self.pool, population.index)
        self.pool, self._candidates, notes = complete_sites(
            self.pool, self.split, n_conditions=self.stimuli.n_conditions, draw=pseudo.draw
        )
        self.sites, more = population.axis(self.pool.sites)
        self.notes += [*notes, *more]
        self.standardise = Standardiser.of(
            standardisation, self.pool, recording, self.split.trials["train"], root=root
        )
        if self.standardise.n_silent:
            self.notes.append(f"{self.standardise.n_silent} sites never vary in training")
        self._shown, self._videos = self._share_videos(recording)
        self._datasets = self._build_datasets()
        self._elsewhere = False
        self.audit = self._audited()

    def _share_videos(
        self, recording: Recording
    ) -> tuple[dict[str, np.ndarray] | None, dict[str, np.ndarray]]:
        """Video of every trial by session, where that is known and counts, and those of a part."""
        if self.plan.unit in APART:
            self.notes += shared_content(self.stimuli, *map(self.conditions, ("train", "test")))
        own = self._as_recorded or self.split.unit == "published"
        shown = videos_shown(recording) if own else None
        if shown is not None:
            return shown, videos_of_parts(self.stimuli, shown, self.split)
        shares = None if own or self.split.pooled_first else self.plan.shares
        return None, share_variants(self.stimuli, shares, seed=self.seed)

    def _audited(self) -> LeakAudit:
        parts = map(self.pseudo_trials, ("train", "test"))
        return audit_parts(*parts, state=self.leaks, stimuli=self.stimuli, plan=self.plan)

    def for_weights(self, *, elsewhere: bool) -> DecodingData:
        """The same data for weights trained on its training part, or ``elsewhere``: on any part."""
        if elsewhere == self._elsewhere:
            return self
        data = copy(self)
        data._elsewhere = elsewhere
        data.audit = data._audited()
        return data

    @property
    def leaks(self) -> LeakState:
        """Whether recorded data of the test part can reach training."""
        return LeakState.UNKNOWN if self._elsewhere else self.split.leaks

    @property
    def random_sites(self) -> bool:
        """Whether every pseudo-trial draws its own sites."""
        return self.pseudo_plan.draw == RANDOM_SITES

    @property
    def n_sites(self) -> int:
        """Sites, or places for them, along the site axis, N."""
        return len(self.sites)

    def by_place(self, values: np.ndarray) -> np.ndarray:
        """Values of the pool's sites (..., M) along the site axis (..., N).

        They are the same sites, or places that show the mean of their region.
        """
        return mean_by_place(values, self.pool.sites, self.sites) if self.random_sites else values

    @property
    def n_bins(self) -> int:
        """Bins per trial, T."""
        return self.pool.n_bins

    @property
    def frame_shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        return self.stimuli.frame_shape

    def conditions(self, part: str) -> np.ndarray:
        """Conditions that have trials in a part of the split."""
        return self._candidates[part].conditions

    def n_recorded_trials(self, part: str) -> int:
        """Recorded trials in a part, summed over sessions."""
        return sum(len(rows) for rows in self.split.trials[part].values())

    def mean_videos(self, part: str | None) -> Tensor:
        """Mean video of every condition, (K, C, T, H, W), over a part's variants or over all."""
        mean = self.stimuli.mean_videos(None if part is None else self._videos[part])
        return torch.from_numpy(mean).permute(0, 2, 1, 3, 4)

    def dataset(self, part: str) -> PseudoTrialDataset:
        """Return the pseudo-trials of train, val or test."""
        return self._datasets[part]

    def pseudo_trials(self, part: str) -> PseudoTrials:
        """Return the pseudo-trials of a part; train as drawn for the first epoch."""
        self._datasets[part].set_epoch(0)
        return self._datasets[part].pseudo

    def batches(self, part: str) -> Iterator[Batch]:
        """Iterate over a part in order, once; train as drawn for the first epoch."""
        self._datasets[part].set_epoch(0)
        return iter(self._loader(part, shuffle=False))

    def train_dataloader(self) -> DataLoader[Batch] | ResidentLoader:
        """Shuffled training batches; the last incomplete batch is dropped."""
        return self._on_device("train", shuffle=True)

    def val_dataloader(self) -> DataLoader[Batch] | ResidentLoader:
        """Validation batches."""
        return self._on_device("val", shuffle=False)

    def test_dataloader(self) -> DataLoader[Batch] | ResidentLoader:
        """Test batches."""
        return self._on_device("test", shuffle=False)

    def _on_device(self, part: str, *, shuffle: bool) -> DataLoader[Batch] | ResidentLoader:
        """Loader for the trainer: resident on its device, or the plain one."""
        device = torch.device("cpu") if not self.trainer else self.trainer.strategy.root_device
        resident = device.type != "cpu" if self.resident is None else self.resident
        if not resident:
            return self._loader(part, shuffle=shuffle, shared=True)
        size, order = self._order(part, shuffle=shuffle, shared=True)
        return ResidentLoader(
            self._datasets[part], batch_size=size, sampler=order, drop_last=shuffle, device=device
        )

    def _loader(self, part: str, *, shuffle: bool, shared: bool = False) -> DataLoader[Batch]:
        batch_size, sampler = self._order(part, shuffle=shuffle, shared=shared)
        return DataLoader(
            self._datasets[part],
            batch_size=batch_size,
            sampler=sampler,
            drop_last=shuffle,
            collate_fn=_already_a_batch,
            # A DataLoader draws from its generator; the global one belongs to the network.
            generator=torch.Generator(),
        )

    def _order(self, part: str, *, shuffle: bool, shared: bool) -> tuple[int, EpochSampler]:
        """Batch size and order of this process; `shared` among those that train together."""
        dataset = self._datasets[part]
        batch_size = min(self.batch_size, max(1, len(dataset)))
        world_size = self.trainer.world_size if shared and self.trainer is not None else 1
        share = None
        if world_size > 1:
            if 0 < len(dataset) < world_size:
                raise InputError(
                    f"data: the {part} part has {len(dataset)} pseudo-trials for {world_size} "
                    "processes; use fewer"
                )
            if batch_size < self.batch_size:  # a part smaller than a batch
                batch_size = max(1, batch_size // world_size) * world_size
            assert self.trainer is not None
            share = Share(self.trainer.global_rank, world_size, batch_size, drop_last=shuffle)
            batch_size = share.own_size
        sampler = EpochSampler(dataset, seed=self.seed, shuffle=shuffle, share=share)
        return batch_size, sampler

    def _build_datasets(self) -> dict[str, PseudoTrialDataset]:
        shares = self._shares
        sources: dict[str, PseudoTrials | Callable[[int], PseudoTrials]] = {}
        if self.split.pooled_first:
            pooled = self._draw_part("train", self.pseudo_plan.per_condition, 0)
            shuffled = Stream.POOLED_SPLIT.rng(self.seed).permutation(len(pooled))
            for part, chosen in deal_pooled(shuffled, self.plan).items():
                sources[part] = pooled.select(chosen)
        else:
            for part in PARTS:
                # Parts of their own conditions are as large as they have conditions.
                apart = self.plan.unit in APART and part != "train"
                share = 1.0 if apart else shares[part]
                number = max(1, round(share * self.pseudo_plan.per_condition)) if share else 0
                if part == "train" and self.pseudo_plan.fresh and not self._as_recorded:
                    sources[part] = partial(self._draw_part, "train", number)
                else:
                    sources[part] = self._draw_part(part, number, 0)
        return {
            p: PseudoTrialDataset(s, self.stimuli, self.standardise) for p, s in sources.items()
        }

    def _draw_part(self, part: str, per_condition: int, epoch: int) -> PseudoTrials:
        rng = Stream.PSEUDO_TRIALS.rng(self.seed, PARTS.index(part), epoch)
        if self._as_recorded:
            trials = recorded_as_they_are(self.pool, self._candidates[part])
            if self._shown is None:
                video = draw_variants(self.stimuli, self._videos[part], trials.condition, rng)
            else:
                video = self._shown[str(self.pool.sites.session[0])][trials.source_trial[:, 0]]
            return replace(trials, video=video)
        shown = self.conditions(part)
        check_memory(8 * len(self.sites) * len(shown) * per_condition, "pseudo.per_condition")
        condition = np.repeat(shown, per_condition)
        return draw_pseudo_trials(
            self.pool,
            self._candidates[part],
            condition=condition,
            video=draw_variants(self.stimuli, self._videos[part], condition, rng),
            draw=self.pseudo_plan.draw,
            rng=rng,
            places=self.sites if self.random_sites else None,
        )

    @property
    def _as_recorded(self) -> bool:
        return self.pseudo_plan.draw == "recorded"

    @property
    def _shares(self) -> dict[str, float]:
        """Share of each part: as planned, or of the stored parts as they are."""
        if self.split.unit != "published":
            return self.plan.shares
        number = {p: self.n_recorded_trials(p) for p in PARTS}
        return {p: n / sum(number.values()) for p, n in number.items()}


def _check(pseudo: PseudoTrialPlan, split: SplitPlan, batch_size: int) -> None:
    check_draw(pseudo, split.unit)
    if batch_size < 2:
        raise InputError(f"batch_size must be at least 2 (batch norm), found {batch_size}")


def _already_a_batch(batch: Any) -> Any:
    return batch
