"""Which stretch of the film was it? The longer, the surer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from mua_decode.analyses.film.decoded import Decoded
from mua_decode.data.blocks import Stretches
from mua_decode.metrics import Identification, Shown
from mua_decode.statistics import Interval, pooled_interval, share
from mua_decode.types import InputError


def identification_curve(
    found: dict[str, Decoded], films: Stretches, lengths_s: Sequence[float], *, bin_s: float
) -> pd.DataFrame:
    """Share of stretches identified among all of their length in the test part.

    Stretches that follow on each other are joined without overlap; lengths that fewer than
    two of them fill are left out.

    Returns
    -------
    DataFrame with columns run, trial, length_s, value, low and high (its 95 % interval over
    stretches), chance, candidates (the stretches) and n (stretches times trials).

    Raises InputError if a length is no whole number of bins.
    """
    measure, rows = Identification(similarity="correlation"), []
    for name, decoded in found.items():
        length = decoded.true.shape[2]
        runs = _runs(decoded.conditions, films, length * bin_s)
        for seconds in lengths_s:
            bins = round(seconds / bin_s)
            if bins < 1 or abs(bins * bin_s - seconds) > 1e-6:
                raise InputError(f"lengths_s: {seconds:g} s is no whole number of {bin_s:g} s bins")
            true = _windows(decoded.true[None], runs, bins)[0]
            if len(true) < 2:
                continue
            single = _windows(decoded.trials, runs, bins)
            for trial, videos in (
                ("single_trial", single),
                ("trial_average", single.mean(0)[None]),
            ):
                shown = Shown(video=true, condition=torch.arange(len(true)), candidates=true)
                credit = torch.stack([measure(v, shown) for v in videos]).double().numpy()
                stretch = np.tile(np.arange(len(true)), len(videos))
                value, low, high = _interval(credit.ravel(), stretch)
                about = {"run": name, "trial": trial, "length_s": seconds, "value": value}
                about |= {"low": low, "high": high, "chance": 1 / len(true)}
                rows.append({**about, "candidates": len(true), "n": credit.size})
    return pd.DataFrame(rows)


def _interval(credit: np.ndarray, stretch: np.ndarray) -> Interval:
    """Interval of a share over stretches; ties give less than a whole credit."""
    if np.isin(credit, (0, 1)).all():
        return share(credit.astype(bool), stretch)
    found = pooled_interval(credit, stretch)
    return Interval(found.estimate, max(0.0, found.low), min(1.0, found.high))


def _runs(conditions: np.ndarray, films: Stretches, length_s: float) -> list[np.ndarray]:
    """Places of the stretches that follow on each other without gap or overlap, run by run."""
    runs: list[list[int]] = []
    for place, k in enumerate(conditions):
        if runs:
            last = conditions[runs[-1][-1]]
            since = films.start_s[k] - films.start_s[last]
            if films.film[k] == films.film[last] and since < length_s - 1e-6:
                continue  # overlaps the one before
            if films.film[k] == films.film[last] and abs(since - length_s) < 1e-6:
                runs[-1].append(place)
                continue
        runs.append([place])
    return [np.array(r) for r in runs]


def _windows(videos: Tensor, runs: list[np.ndarray], bins: int) -> Tensor:
    """Windows (J, M, C, bins, H, W) that tile the runs of stretches (J, Q, C, T, H, W)."""
    parts = []
    for places in runs:
        run = videos[:, places]
        j, q, c, t, h, w = run.shape
        film = run.movedim(3, 2).reshape(j, q * t, c, h, w)
        n = q * t // bins
        tiled = film[:, : n * bins].reshape(j, n, bins, c, h, w)
        parts.append(tiled.movedim(3, 2))
    return torch.cat(parts, dim=1)
