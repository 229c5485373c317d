"""Identification among N candidates."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.special import gammaln

from mua_decode.statistics import Units, share, unit_interval


def beaten(likeness: np.ndarray) -> np.ndarray:
    """Share of the other candidates less like the trial than its own, (M, R).

    Takes likenesses (M, R, M), row m of condition m; a tie is no win.
    """
    m = len(likeness)
    own = np.take_along_axis(likeness, np.arange(m)[:, None, None], axis=2)
    return np.asarray((likeness < own).sum(axis=2) / max(1, m - 1))


def guesses(likeness: np.ndarray) -> np.ndarray:
    """Candidate that beats all others, int (M, R); -1 where the best are tied."""
    best = likeness.argmax(axis=2)
    top = np.take_along_axis(likeness, best[..., None], axis=2)
    return np.asarray(np.where((likeness == top).sum(axis=2) == 1, best, -1))


def above_chance(trials: pd.DataFrame) -> np.ndarray:
    """How much more often each held-out trial is identified than by chance, float (L,).

    A video that is named whatever was shown is identified above 1/M and the others of its fold of M
    below: no trial names two, so that it cancels in their mean. Its variance does not; counted
    over videos, it makes a test blind (size .000). So chance is, for each video, how often the
    trials of its fold name it. What is in that from the video's own trials makes groups look more
    alike than they are: deviations from the mean are stretched by as much (:func:`_stretch`). With
    one group a fold, in which nothing can cancel, chance is 1/M.

    Parameters
    ----------
    trials
        Of one method, with the columns condition, group, presentations, partition, fold, guess,
        beaten and size.
    """
    hit = (trials["beaten"] == 1).to_numpy(float)
    fold = trials.groupby(["partition", "fold"], sort=False).ngroup().to_numpy()
    stretch = _stretch(trials, fold)
    if stretch is None:
        return np.asarray(hit - 1 / trials["size"].to_numpy())
    named = trials.groupby([fold, trials["guess"].to_numpy()]).size()
    asked = pd.MultiIndex.from_arrays([fold, trials["condition"].to_numpy()])
    above = hit - named.reindex(asked, fill_value=0).to_numpy(float) / np.bincount(fold)[fold]
    mean = above.mean()
    return np.asarray(mean + (above - mean) * stretch)


def _stretch(trials: pd.DataFrame, fold: np.ndarray) -> float | None:
    """Root of the variance of the mean over what groups show of it; None if they cannot show it.

    Of R independent videos in a fold (that share no presentation), R/G to a group, a score less the
    share of its fold has 1 - 1/R of the variance of the score, and two have a covariance that makes
    up for it; N groups in F folds then show (F (1 - 1/R + (R/G - 1) / (R (R - 1))) - 1/G)
    N / (N - 1) of F.
    """
    parts = [trials[fold == f] for f in range(int(fold.max()) + 1)]
    g, r = (float(np.mean([p[c].nunique() for p in parts])) for c in ("group", "presentations"))
    n, folds = trials["group"].nunique(), len(parts) / trials["partition"].nunique()
    if min(p["group"].nunique() for p in parts) < 2 or n < 2:
        return None
    shown = folds * (1 - 1 / r + (r / g - 1) / (r * (r - 1))) - 1 / g
    return (folds * (n - 1) / (n * shown)) ** 0.5 if shown > 1e-9 else None


def accuracy(beaten_share: np.ndarray, size: int, candidates: int) -> np.ndarray:
    """Chance that ``candidates`` - 1 others, drawn from ``size`` - 1, are all beaten."""
    others, asked = size - 1, candidates - 1
    won = np.round(np.asarray(beaten_share) * others)
    possible = won >= asked
    safe = np.where(possible, won, asked)
    log = gammaln(safe + 1) - gammaln(safe - asked + 1)
    log -= gammaln(others + 1) - gammaln(others - asked + 1)
    return np.asarray(np.where(possible, np.exp(log), 0.0))


def curve(
    trials: pd.DataFrame, candidates: Sequence[int], *, groups: str, rng: np.random.Generator
) -> pd.DataFrame:
    """Accuracy of single trials by method and number of candidates, 95 % interval over groups.

    ``trials`` has the columns method, group, beaten and size: one row per method and held-out
    trial. Numbers above a fold's size are left out; its whole size is always asked, and its
    interval is that of :func:`above_chance`.
    """
    size = int(trials["size"].min())
    rows = []
    for method, part in trials.groupby("method", sort=False):
        units = Units(groups, part["group"].to_numpy().astype(str)[:, None])
        for n in sorted({c for c in candidates if c < size} | {size}):
            own = accuracy(part["beaten"].to_numpy(), size, n)
            varies = above_chance(part) if n == size else own
            low, high = _bounds(own, varies, units, rng)
            rows.append(
                {"method": method, "candidates": n, "accuracy": own.mean(), "low": low,
                 "high": high, "chance": 1 / n, "n": units.count(own), "n_unit": groups}
            )  # fmt: skip
    return pd.DataFrame(rows)


def _bounds(
    own: np.ndarray, varies: np.ndarray, units: Units, rng: np.random.Generator
) -> tuple[float, float]:
    """Ends of the interval of a mean of trials (L,), by ``varies`` (L,) over units.

    Units that are all at 0 or at 1 do not show how much they vary; that so many are is binomial.
    """
    mean = float(own.mean())
    if mean in (0.0, 1.0) and not units.lacking(own):
        found = share(np.full(units.count(own), mean == 1))
        return found.low, found.high
    found = unit_interval(varies, units, rng=rng)
    shift = mean - found.estimate
    return float(np.clip(found.low + shift, 0, 1)), float(np.clip(found.high + shift, 0, 1))
