"""What the network sees of sites that are taken away."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from mua_decode.data import DecodingData
from mua_decode.types import InputError, Stream

FILLS = ("zero", "mean", "shuffle")


def replacement(
    data: DecodingData, part: str, rows: np.ndarray, *, fill: str, seed: int = 0
) -> Tensor:
    """What masked sites show in P trials: float (P, T, N), or a view of that shape.

    Parameters
    ----------
    rows
        int (P,): the pseudo-trials of the part.
    fill
        ``zero``: nothing but the mean over all training bins, as published. ``mean``: the mean
        training time course. ``shuffle``: the activity in a trial of another condition, jointly
        for all masked sites of a region. Conditions are shuffled whole: all trials of one take
        the trials of one other, so that averages over trials lose no noise by it; every region
        has a donor of its own, so that several masked regions do not agree on a wrong video.
        Shuffling alone keeps the statistics the network was trained on: a region that says
        nothing of the condition loses nothing in expectation, whereas constant input can change
        the output whatever the region knows.
    seed
        Of the donors of ``shuffle``.

    Raises InputError if the fill is unknown, or ``shuffle`` has one condition only.
    """
    shape = (len(rows), data.n_bins, data.n_sites)
    if fill == "zero":
        return torch.zeros(1).expand(shape)
    if fill == "mean":
        return torch.from_numpy(mean_time_course(data)).expand(shape)
    if fill != "shuffle":
        raise InputError(f"fill={fill}: choose from {', '.join(FILLS)}")
    filled = np.empty(shape, np.float32)
    sites, pseudo = data.sites, data.dataset(part).pseudo
    rings = donors(pseudo.condition[rows], len(sites.regions), seed=seed)
    for region, donor in zip(sites.regions, rings, strict=True):
        inside = sites.in_regions([region])
        filled[:, :, inside] = data.standardise.trials(pseudo, rows[donor])[:, :, inside]
    return torch.from_numpy(filled)


def donors(condition: np.ndarray, n_regions: int, *, seed: int) -> np.ndarray:
    """Trial of another condition that takes each trial's place, int (regions, P).

    Conditions stand in a random ring; region r takes the one r + 1 places on.
    """
    present = np.unique(condition)
    k = len(present)
    if k < 2:
        raise InputError("fill=shuffle needs trials of at least two conditions")
    ring = Stream.DONORS.rng(seed).permutation(k)
    rows = [np.flatnonzero(condition == c) for c in present[ring]]
    out = np.empty((n_regions, len(condition)), np.int64)
    for region in range(n_regions):
        shift = 1 + region % (k - 1)
        for place, mine in enumerate(rows):
            theirs = rows[(place + shift) % k]
            out[region, mine] = theirs[np.arange(len(mine)) % len(theirs)]
    return out


def mean_time_course(data: DecodingData) -> np.ndarray:
    """Mean standardised activity of every site and bin over training trials, float32 (T, N).

    Where sites are drawn anew in every pseudo-trial, a place shows the mean of its region's.
    """
    pool = data.pool
    out = np.zeros((data.n_bins, len(pool.sites)), np.float32)
    for session, rows in data.split.trials["train"].items():
        for n in np.flatnonzero(pool.sites.session == session):
            kept = pool.counts[rows[pool.observed[rows, n]], n].astype(np.float32)
            values = np.sqrt(kept) if data.standardise.root else kept
            out[:, n] = (values.mean(axis=0) - data.standardise.mean[n]) / data.standardise.std[n]
    return np.asarray(data.by_place(out))
