"""By how much spikes follow frames, from the training part alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from mua_decode.analyses.film.correlation import over_time, pixel_correlations
from mua_decode.analyses.film.plan import FilmPlan
from mua_decode.data import Cut, FramePlan, Window, cut_film
from mua_decode.data.blocks import Stretches
from mua_decode.data.recorded import condition_means, recorded_trials
from mua_decode.runs.instantiate import instantiate
from mua_decode.runs.run import Run
from mua_decode.types import InputError


@dataclass(frozen=True, eq=False)
class _Fold:
    """A block of training stretches and those that lie far enough from it."""

    tested: np.ndarray
    fitted: np.ndarray


def lag_curve(run: Run, plan: FilmPlan, blocks: np.ndarray) -> pd.DataFrame:
    """Cross-validate ridge over training blocks, once for every lag.

    Responses are averages over training trials, bin by bin; a block of the training part is
    decoded by a ridge fitted on the others that lie at least a window and the longest lag away.
    The penalty is the best of the curve at each lag.

    Parameters
    ----------
    blocks
        int (K,): block of every condition.

    Returns
    -------
    DataFrame with columns lag_s, alpha, time_correlation and best_pixel_time_correlation (means
    over blocks), and n (blocks); best lag first where sorted by time_correlation.

    Raises InputError if there are fewer than two training blocks, or the guard of blocks held out
    is shorter than the window and the longest lag, so that lags would look into test blocks.
    """
    data = run.data
    guard_s = data.pool.window_s + max(map(abs, plan.lags_s))
    own = data.plan.guard_s
    if data.plan.unit == "block" and own is not None and own < guard_s - 1e-6:
        raise InputError(
            f"lags_s: the longest needs data.split.guard_s of at least {guard_s:g} s so that it "
            f"does not reach into test blocks, the run has {own:g}; give shorter lags"
        )
    folds = _folds(Stretches.of(data.stimuli), data.conditions("train"), blocks, guard_s)
    sizes = {
        "n_conditions": data.stimuli.n_conditions,
        "n_bins": data.n_bins,
        "n_sites": len(data.pool.sites),
    }
    mean = np.nan_to_num(condition_means(recorded_trials(data, "train"), **sizes)[0])
    solved = [_Ridge(mean[f.fitted], mean[f.tested], plan.alphas) for f in folds]
    rows = []
    for lag_s in plan.lags_s:
        video = _videos(run, lag_s)
        scores = np.stack(
            [
                ridge.scores(video[f.fitted], video[f.tested])
                for ridge, f in zip(solved, folds, strict=True)
            ]
        )  # (folds, alphas, 2)
        with np.errstate(invalid="ignore"):
            whole = np.nanmean(scores, axis=0)
        best = int(whole[:, 0].argmax())
        rows.append((lag_s, plan.alphas[best], *whole[best], len(folds)))
    columns = ["lag_s", "alpha", "time_correlation", "best_pixel_time_correlation", "n"]
    return pd.DataFrame(rows, columns=columns)


def _folds(
    films: Stretches, trained: np.ndarray, blocks: np.ndarray, guard_s: float
) -> list[_Fold]:
    folds = []
    for block in np.unique(blocks[trained]):
        tested = trained[blocks[trained] == block]
        others = trained[blocks[trained] != block]
        fitted = others[~films.near(others, tested, guard_s)]
        if len(fitted):
            folds.append(_Fold(tested, fitted))
    if len(folds) < 2:
        raise InputError("film: the lag needs two training blocks; make data.split.block_s shorter")
    return folds


def _videos(run: Run, lag_s: float) -> torch.Tensor:
    """Video of every stretch at a lag, float (K, C, T, H, W)."""
    cfg = run.cfg.data
    cut: Cut = instantiate(cfg.cut)
    window: Window | None = None if cfg.window is None else instantiate(cfg.window)
    cut_ = cut_film(run.recording, cut, window, FramePlan(frames=cfg.frames, lag_s=lag_s))
    return torch.from_numpy(cut_.stimuli.mean_videos()).permute(0, 2, 1, 3, 4)


class _Ridge:
    """Ridge from bins to pixels, every penalty at once; the responses are decomposed once."""

    def __init__(self, fitted: np.ndarray, tested: np.ndarray, alphas: tuple[float, ...]) -> None:
        rows = fitted.reshape(-1, fitted.shape[-1])
        self._mean = rows.mean(0)
        self._rows = rows - self._mean
        value, self._vector = np.linalg.eigh(self._rows.T @ self._rows)
        value = value.clip(min=0)
        self._shrink = 1 / (value + (value.mean() or 1.0) * np.array(alphas)[:, None])
        self._tested = (tested.reshape(-1, tested.shape[-1]) - self._mean) @ self._vector

    def scores(self, fitted: torch.Tensor, tested: torch.Tensor) -> np.ndarray:
        """Mean and largest r over time of the pixels, (alphas, 2); NaN where nothing moves."""
        target = over_time(fitted).double().numpy()
        weight = self._vector.T @ (self._rows.T @ (target - target.mean(0)))
        decoded = np.stack([(self._tested * s) @ weight for s in self._shrink])
        r = pixel_correlations(over_time(tested), torch.from_numpy(decoded)).numpy()
        if np.isnan(r).all():
            return np.full((len(r), 2), np.nan)
        return np.stack([np.nanmean(r, axis=1), np.nanmax(r, axis=1)], axis=1)
