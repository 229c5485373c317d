"""Take sites away from a trained decoder and score what it decodes from the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mua_decode.data import DecodingData
from mua_decode.metrics import Shown, VideoMetric
from mua_decode.types import InputError, SiteMask

FILLS = ("zero", "mean", "shuffle")


@dataclass(frozen=True, eq=False)
class MaskScores:
    """Scores of one mask, condition by condition.

    Parameters
    ----------
    mask
        Name of the mask.
    n_removed
        Sites it takes away.
    single
        Metric to float (K,): mean over the single trials of each condition in which the metric
        is defined, NaN where it never is.
    undefined
        Metric to float (K,): share of single trials in which it is undefined.
    average
        Metric to float (K,): score of the video averaged over the trials of a condition.
    predicted
        uint8 (K, C, T, H, W): decoded video averaged over trials; ``None`` where it was let go.
    """

    mask: str
    n_removed: int
    single: Mapping[str, np.ndarray]
    undefined: Mapping[str, np.ndarray]
    average: Mapping[str, np.ndarray]
    predicted: np.ndarray | None


class MaskScorer:
    """Scores masks on the same trials, with the same averaging and the same replacement.

    Parameters
    ----------
    decode
        Maps standardised counts (B, T, N) to video (B, C, T, H, W), in evaluation mode.
    data, part
        Where the trials come from.
    metrics
        Scored on the frames of their segment, or on the whole video.
    fill
        What a masked site shows the network. ``zero``: nothing but its mean over all training
        bins, as published. ``mean``: its mean training time course. ``shuffle``: its activity in
        a trial of another condition, jointly for all masked sites of a region. Conditions are
        shuffled whole: all trials of one take the trials of one other, so that averages over
        trials lose no noise by it; every region has a donor of its own, so that several masked
        regions do not agree on a wrong video. Shuffling alone keeps the statistics the network
        was trained on: a region that says nothing of the condition loses nothing in expectation,
        whereas constant input can change the output whatever the region knows.
    trials_per_condition
        Trials used of each condition; ``None`` uses all.
    average_only
        Metrics scored on the average over trials but not on single trials (dear ones).
    seed
        Of the donors of ``shuffle``; the same donors serve all masks.
    device
        Where `decode` runs.

    Raises
    ------
    InputError
        If the fill is unknown or the part is empty.
    """

    def __init__(
        self,
        decode: Callable[[Tensor], Tensor],
        data: DecodingData,
        *,
        part: str,
        metrics: Sequence[VideoMetric],
        fill: str,
        trials_per_condition: int | None = None,
        average_only: Sequence[str] = (),
        seed: int = 0,
        batch_size: int = 32,
        device: str | torch.device = "cpu",
    ) -> None:
        if fill not in FILLS:
            raise InputError(f"fill={fill}: choose from {', '.join(FILLS)}")
        self._decode, self._data, self._part = decode, data, part
        self.metrics, self.fill = tuple(metrics), fill
        self._average_only = frozenset(average_only)
        self._batch_size, self._device = batch_size, device
        self._rows = _first_rows(data, part, trials_per_condition)
        self.conditions = np.unique(data.dataset(part).pseudo.condition[self._rows])
        self.candidates = data.mean_videos(None)
        self._spans = {s.name: (s.start, s.stop) for s in data.stimuli.segments}
        self._filled = self._replacement(seed)

    @property
    def n_trials(self) -> int:
        """Trials every mask is scored on."""
        return len(self._rows)

    @torch.inference_mode()
    def score(self, mask: SiteMask) -> MaskScores:
        """Decode all trials under a mask and score them."""
        k = len(self.candidates)
        total = torch.zeros_like(self.candidates)
        shown_total = torch.zeros_like(self.candidates)
        number = torch.zeros(k)
        values: dict[str, list[np.ndarray]] = {m.name: [] for m in self.metrics}
        conditions: list[np.ndarray] = []
        keep = torch.from_numpy(np.atleast_2d(mask.keep))
        for at, spikes, video, condition in self._batches():
            masked = torch.where(keep, spikes, self._filled[at])
            predicted = self._decode(masked.to(self._device)).cpu().float()
            total.index_add_(0, condition, predicted)
            shown_total.index_add_(0, condition, video)
            number.index_add_(0, condition, torch.ones(len(condition)))
            shown = Shown(video=video, condition=condition, candidates=self.candidates)
            for metric in self.metrics:
                if metric.name not in self._average_only:
                    values[metric.name].append(self._value(metric, predicted, shown))
            conditions.append(condition.numpy())
        present = torch.from_numpy(self.conditions)
        per_trial = number[present].view(-1, 1, 1, 1, 1)
        mean = total[present] / per_trial
        shown = Shown(
            video=shown_total[present] / per_trial, condition=present, candidates=self.candidates
        )
        return MaskScores(
            mask=mask.name,
            n_removed=mask.n_removed,
            **self._by_condition(values, np.concatenate(conditions)),
            average={m.name: self._value(m, mean, shown) for m in self.metrics},
            predicted=(mean * 255).round().clamp(0, 255).to(torch.uint8).numpy(),
        )

    @torch.inference_mode()
    def compare(self, metric: VideoMetric, videos: np.ndarray, true: np.ndarray) -> np.ndarray:
        """Score mean videos against others that count as true, both uint8 (K, C, T, H, W)."""
        seen, reference = (torch.from_numpy(v).float() / 255 for v in (videos, true))
        condition = torch.arange(len(reference))
        shown = Shown(video=reference, condition=condition, candidates=reference)
        return self._value(metric, seen, shown)

    def _value(self, metric: VideoMetric, predicted: Tensor, shown: Shown) -> np.ndarray:
        start, stop = self._spans.get(metric.segment or "", (0, predicted.shape[2]))
        value = metric(predicted[:, :, start:stop], shown.frames(start, stop))
        return value.double().numpy()

    def _by_condition(
        self, values: Mapping[str, list[np.ndarray]], condition: np.ndarray
    ) -> dict[str, dict[str, np.ndarray]]:
        single: dict[str, np.ndarray] = {}
        undefined: dict[str, np.ndarray] = {}
        for name, parts in values.items():
            if not parts:
                continue
            value = np.concatenate(parts)
            defined = ~np.isnan(value)
            n = np.bincount(condition, minlength=len(self.candidates))[self.conditions]
            n_defined = np.bincount(condition[defined], minlength=len(self.candidates))
            n_defined = n_defined[self.conditions]
            total = np.bincount(
                condition[defined], weights=value[defined], minlength=len(self.candidates)
            )[self.conditions]
            single[name] = np.where(n_defined > 0, total / np.maximum(n_defined, 1), np.nan)
            undefined[name] = 1 - n_defined / n
        return {"single": single, "undefined": undefined}

    def _batches(self) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
        dataset = self._data.dataset(self._part)
        for at in torch.arange(len(self._rows)).split(self._batch_size):
            batch = dataset.__getitems__(self._rows[at.numpy()].tolist())
            yield at, batch.spikes, batch.video, batch.condition

    def _replacement(self, seed: int) -> Tensor:
        """What masked sites show, indexable by trial: float (P, T, N), or a view of that shape."""
        data = self._data
        shape = (len(self._rows), data.n_bins, data.n_sites)
        if self.fill == "zero":
            return torch.zeros(1).expand(shape)
        if self.fill == "mean":
            return torch.from_numpy(mean_time_course(data)).expand(shape)
        filled = np.empty(shape, np.float32)
        sites = data.pool.sites
        donors = self._donors(len(sites.regions), seed)
        pseudo = data.dataset(self._part).pseudo
        for region, donor in zip(sites.regions, donors, strict=True):
            inside = sites.in_regions([region])
            counts = pseudo.counts(self._rows[donor])
            filled[:, :, inside] = data.standardise(counts)[:, :, inside]
        return torch.from_numpy(filled)

    def _donors(self, n_regions: int, seed: int) -> np.ndarray:
        """Trial of another condition that takes each trial's place, int (regions, P).

        Conditions stand in a random ring; region r takes the one r + 1 places on.
        """
        condition = self._data.dataset(self._part).pseudo.condition[self._rows]
        k = len(self.conditions)
        if k < 2:
            raise InputError("fill=shuffle needs trials of at least two conditions")
        ring = np.random.default_rng([seed, 23]).permutation(k)
        rows = [np.flatnonzero(condition == c) for c in self.conditions[ring]]
        donors = np.empty((n_regions, len(condition)), np.int64)
        for region in range(n_regions):
            shift = 1 + region % (k - 1)
            for place, mine in enumerate(rows):
                theirs = rows[(place + shift) % k]
                donors[region, mine] = theirs[np.arange(len(mine)) % len(theirs)]
        return donors


def mean_time_course(data: DecodingData) -> np.ndarray:
    """Mean standardised activity of every site and bin over training trials, float32 (T, N)."""
    pool = data.pool
    out = np.zeros((data.n_bins, data.n_sites), np.float32)
    for session, rows in data.split.trials["train"].items():
        for n in np.flatnonzero(pool.sites.session == session):
            kept = pool.counts[rows[pool.observed[rows, n]], n].astype(np.float32)
            values = np.sqrt(kept) if data.standardise.root else kept
            out[:, n] = (values.mean(axis=0) - data.standardise.mean[n]) / data.standardise.std[n]
    return out


def _first_rows(data: DecodingData, part: str, per_condition: int | None) -> np.ndarray:
    """Rows of the first pseudo-trials of every condition."""
    condition = data.dataset(part).pseudo.condition
    if len(condition) == 0:
        raise InputError(f"part={part}: the split leaves it empty")
    if per_condition is None:
        return np.arange(len(condition))
    if per_condition < 1:
        raise InputError(f"trials_per_condition: expected >= 1, found {per_condition}")
    rows = [np.flatnonzero(condition == k)[:per_condition] for k in np.unique(condition)]
    return np.sort(np.concatenate(rows))
