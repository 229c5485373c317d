"""By how much spikes follow frames, and how much ridge is to shrink: from training blocks alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from mua_decode.analyses.film.correlation import over_time
from mua_decode.analyses.film.plan import FilmPlan
from mua_decode.data import Cut, DecodingData, FramePlan, Window, cut_videos
from mua_decode.data.blocks import Stretches
from mua_decode.runs.instantiate import instantiate
from mua_decode.runs.run import Run
from mua_decode.types import InputError

_COLUMNS = (
    "lag_s", "alpha", "time_correlation", "best_pixel_time_correlation",
    "average_alpha", "average_time_correlation", "average_best_pixel_time_correlation", "n",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Sums:
    """Spikes of trials, summed: all that ridge and its scores need.

    Parameters
    ----------
    count
        float64 (K,): trials of every stretch.
    total
        float64 (K, T, N): their sum, bin by bin.
    gram
        float64 (N, N): sum of the outer products of all their bins.
    """

    count: Tensor
    total: Tensor
    gram: Tensor

    def centred_gram(self) -> tuple[Tensor, Tensor]:
        """Mean (N,) over all bins of all trials, and the gram matrix about it."""
        n = self.count.sum() * self.total.shape[1]
        mean = self.total.sum((0, 1)) / n
        return mean, self.gram - n * torch.outer(mean, mean)

    def averaged(self) -> Sums:
        """The average over the trials of every stretch, as if it were one trial."""
        mean = self.total / self.count[:, None, None]
        rows = mean.flatten(0, 1)
        return Sums(torch.ones_like(self.count), mean, rows.T @ rows)


class BlockRidge:
    """Ridge from bins to pixels, every penalty at once.

    Of single trials, as the floor ``ridge`` is with a bin of context: the penalty is ``alpha``
    times the mean eigenvalue of X'X, so that one found here is one for it. Spikes are decomposed
    once for all lags, since the lag moves the frames alone.
    """

    def __init__(self, fitted: Sums, tested: Sums, alphas: Sequence[float]) -> None:
        self._fitted, self._tested = fitted, tested
        mean, gram = fitted.centred_gram()
        value, self._vector = torch.linalg.eigh(gram)
        value = value.clamp(min=0)
        unit = float(value.mean()) or 1.0
        self._shrink = 1 / (value + unit * torch.tensor(alphas, dtype=value.dtype)[:, None])
        self._centred = (fitted.total - fitted.count[:, None, None] * mean) @ self._vector
        self._mean = mean
        spread = tested.centred_gram()[1] / (tested.count.sum() * tested.total.shape[1])
        self._spread = self._vector.T @ spread @ self._vector

    def scores(self, fitted: Tensor, tested: Tensor) -> np.ndarray:
        """Correlate decoded with true pixels over the time of the tested stretches.

        Parameters
        ----------
        fitted, tested
            Videos of the stretches, float (Q, C, T, H, W).

        Returns
        -------
        float (alphas, 2), NaN where nothing moves: Pearson's r over time and all trials, mean over
        pixels and of the best.
        """
        true = over_time(tested).double()
        count = self._tested.count
        weight = count.repeat_interleave(len(true) // len(count))[:, None]
        weight = weight / weight.sum()
        moving = true - (weight * true).sum(0)
        length = (weight * moving.square()).sum(0).sqrt()
        moves = length > 1e-6
        if not bool(moves.any()):
            return np.full((len(self._shrink), 2), np.nan)
        mixed = self._mixed(over_time(fitted).double()[:, moves])
        mean = self._tested.total / count[:, None, None]
        average = ((mean - self._mean) @ self._vector).flatten(0, 1)
        rows = []
        for shrink in self._shrink:
            weights = shrink[:, None] * mixed
            spread = ((self._spread @ weights) * weights).sum(0).clamp(min=0).sqrt()
            together = (weight * moving[:, moves] * (average @ weights)).sum(0)
            # Nothing is decoded where no site ever fires.
            r = torch.where(spread > 0, together / (length[moves] * spread), 0.0)
            rows.append([float(r.mean()), float(r.max())])
        return np.array(rows)

    def _mixed(self, target: Tensor) -> Tensor:
        """X'Y in the basis of the spikes, (N, P); target (Q * T, P)."""
        count = self._fitted.count.repeat_interleave(self._centred.shape[1])[:, None]
        centred = target - (count * target).sum(0) / count.sum()
        return self._centred.flatten(0, 1).T @ centred


@dataclass(frozen=True)
class Choice:
    """What training blocks chose.

    Parameters
    ----------
    lag_s
        Seconds by which spikes follow frames: the best of averages over trials, whose curve is
        the less noisy one.
    alpha
        Penalty of ridge of single trials there, of the mean eigenvalue.
    time_correlation, average_time_correlation
        What ridge reached there, of single trials and of averages.
    """

    lag_s: float
    alpha: float
    time_correlation: float
    average_time_correlation: float

    @classmethod
    def of(cls, curve: pd.DataFrame, *, lag_s: float | None = None) -> Choice:
        """The best of a curve, or what it has at a lag."""
        if lag_s is not None:
            curve = curve[np.isclose(curve["lag_s"], lag_s)]
        names = ["lag_s", "alpha", "time_correlation", "average_time_correlation"]
        columns = curve[names].to_numpy(float)
        best = int(np.nan_to_num(columns[:, 3], nan=-np.inf).argmax())
        return cls(*map(float, columns[best]))


class LagSearch:
    """Ridge cross-validated over the training blocks of a run, once for every lag and penalty.

    A block of the training part is decoded by a ridge fitted on the others that lie at least a
    window and the longest lag away. What is fitted and decoded are the trials that floors are
    fitted on. The penalty is the best of the curve at each lag.

    Parameters
    ----------
    run
        Whose film is searched; the same with other responses, or other blocks held out, is what
        :meth:`curve` is asked of.
    blocks
        int (K,): block of every condition.

    Raises InputError if the guard of blocks held out is shorter than the window and the longest
    lag, so that lags would look into test blocks.
    """

    def __init__(self, run: Run, plan: FilmPlan, blocks: np.ndarray) -> None:
        data, own_s = run.data, float(run.cfg.data.lag_s)
        self._plan, self._blocks = plan, blocks
        self.lags_s = tuple(sorted({*plan.lags_s, own_s}))
        self._guard_s = data.pool.window_s + max(map(abs, self.lags_s))
        own = data.plan.guard_s
        if data.plan.unit == "block" and own is not None and own < self._guard_s - 1e-6:
            raise InputError(
                f"lags_s: the longest needs data.split.guard_s of at least {self._guard_s:g} s so "
                f"that it does not reach into test blocks, the run has {own:g}; give shorter lags"
            )
        self._videos = {lag_s: _videos(run, lag_s) for lag_s in self.lags_s}

    def curve(self, run: Run, *, lags_s: Sequence[float] | None = None) -> pd.DataFrame:
        """Score every lag on the training part of a run.

        Parameters
        ----------
        lags_s
            Some of those of the search; ``None``: all.

        Returns
        -------
        DataFrame with columns lag_s, alpha, time_correlation and best_pixel_time_correlation of
        single trials; the same of averages over trials (average_...), with a penalty of their own;
        all means over blocks, and n (blocks).

        Raises InputError if there are fewer than two training blocks.
        """
        folds = self._folds(Stretches.of(run.data.stimuli), run.data.conditions("train"))
        sums = _summed(run.data, [part for fold in folds for part in fold])
        kinds = (sums, [one.averaged() for one in sums])
        alphas, rows = self._plan.alphas, []
        solved = [
            [BlockRidge(f, t, alphas) for f, t in zip(kind[::2], kind[1::2], strict=True)]
            for kind in kinds
        ]
        for lag_s in self.lags_s if lags_s is None else lags_s:
            video, row = self._videos[lag_s], [lag_s]
            for ridges in solved:
                scores = [
                    r.scores(video[f], video[t]) for r, (f, t) in zip(ridges, folds, strict=True)
                ]
                whole = np.nanmean(np.stack(scores), axis=0)  # (alphas, 2)
                best = int(np.nan_to_num(whole[:, 0], nan=-np.inf).argmax())
                row += [alphas[best], *whole[best].tolist()]
            rows.append([*row, len(folds)])
        return pd.DataFrame(rows, columns=list(_COLUMNS))

    def _folds(self, films: Stretches, trained: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        """Stretches that are fitted and tested: a block, and what lies far enough from it."""
        blocks, folds = self._blocks[trained], []
        for block in np.unique(blocks):
            tested, others = trained[blocks == block], trained[blocks != block]
            fitted = others[~films.near(others, tested, self._guard_s)]
            if len(fitted):
                folds.append((fitted, tested))
        if len(folds) < 2:
            raise InputError(
                "film: the lag needs two training blocks; make data.split.block_s shorter"
            )
        return folds

    def tuned(self, run: Run) -> Run:
        """The run with the lag (where the plan says ``best``) and ridge's penalty of its training.

        Without floor ``ridge`` there is no penalty to set.
        """
        keep = self._plan.lag != "best"
        own_s = float(run.cfg.data.lag_s)
        choice = Choice.of(self.curve(run, lags_s=[own_s] if keep else None))
        tuned = run.changed([] if keep else [f"data.lag_s={choice.lag_s}"])
        if "ridge" in (run.cfg.get("floor") or {}):
            tuned.cfg.floor.ridge.alphas = [choice.alpha]
        return tuned


def _summed(data: DecodingData, parts: Sequence[np.ndarray]) -> list[Sums]:
    """Sum the training trials of each of some sets of stretches, in one pass."""
    n_conditions, n_sites = data.stimuli.n_conditions, data.n_sites
    count = torch.zeros(n_conditions, dtype=torch.float64)
    total = count.new_zeros(n_conditions, data.n_bins, n_sites)
    members = torch.zeros(len(parts), n_conditions, dtype=torch.bool)
    for member, part in zip(members, parts, strict=True):
        member[part] = True
    grams = [count.new_zeros(n_sites, n_sites) for _ in parts]
    for batch in data.batches("train"):
        spikes, condition = batch.spikes.cpu().double(), batch.condition.cpu()
        total.index_add_(0, condition, spikes)
        count += torch.bincount(condition, minlength=n_conditions)
        for gram, member in zip(grams, members, strict=True):
            rows = spikes[member[condition]].flatten(0, 1)
            gram.addmm_(rows.T, rows)
    return [Sums(count[p], total[p], g) for p, g in zip(parts, grams, strict=True)]


def _videos(run: Run, lag_s: float) -> Tensor:
    """Video of every stretch at a lag, float (K, C, T, H, W)."""
    cfg, trusted = run.cfg.data, run.cfg.get("trusted") or ()
    cut: Cut = instantiate(cfg.cut, trusted=trusted)
    window: Window | None = None if cfg.window is None else instantiate(cfg.window, trusted=trusted)
    shown = FramePlan(frames=cfg.frames, lag_s=lag_s)
    found = cut_videos(run.recording, cut, window, shown)
    return torch.from_numpy(found.mean_videos()).permute(0, 2, 1, 3, 4)
