"""From a recording to one response per image and site, with what single trials tell."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from mua_decode.analyses.axis.plan import ResponsePlan
from mua_decode.analyses.axis.trials import StateTrials, session_trials
from mua_decode.data import frame_of_bin
from mua_decode.types import InputError, Recording, SiteTable


@dataclass(frozen=True, eq=False)
class Responses:
    """Mean responses of N sites to K conditions, in spikes per second."""

    # float64 (K, T, N): mean over trials; T = 1 when averaged over the response window.
    mean: np.ndarray
    # float64 (K, N): variance over trials (of the window's mean); NaN below two trials.
    variance: np.ndarray
    n_trials: np.ndarray  # int (K, N)
    condition: np.ndarray  # int (K,): conditions, in the order of the rows
    sites: SiteTable
    # float64 (N,): p-value of visual responsiveness, NaN where it cannot be tested.
    responsive_p: np.ndarray
    responsive_test: str  # the test in words, or why there is none
    window_s: tuple[float, float]  # (start, stop) of the window in seconds
    notes: tuple[str, ...] = ()  # what was left out

    @property
    def per_image(self) -> int:
        """Responses per image and site, T."""
        return int(self.mean.shape[1])

    @property
    def rows(self) -> np.ndarray:
        """The means as (K * T, N)."""
        return self.mean.reshape(-1, self.mean.shape[2])

    @property
    def knows_noise(self) -> bool:
        """Whether the noise of the mean, and so a ceiling, is known."""
        return self.per_image == 1 and bool(np.isfinite(self.variance).any())


def collect_responses(recording: Recording, plan: ResponsePlan) -> Responses:
    """Average the perceived trials of every condition; sites of all sessions stand side by side.

    Raises InputError if no condition was shown to all sites, or the windows do not fit.
    """
    k = recording.stimuli.n_conditions
    parts, ps, tests, window = [], [], [], (0.0, 0.0)
    for session in recording.sessions:
        trials, rates, window = session_trials(session, "perception", plan)
        binned = rates if plan.per == "bin" else trials.rate[:, None]
        parts.append((_mean(binned, trials.condition, k), *_spread(trials, k)))
        p, test = _responsive(trials)
        ps.append(p)
        tests.append(test)
    if len({part[0].shape[1] for part in parts}) > 1:
        raise InputError("axis: sessions have different numbers of bins; set response.per=window")
    mean, variance, number = (np.concatenate(a, axis=-1) for a in zip(*parts, strict=True))
    complete = np.isfinite(mean).all(axis=(1, 2))
    if not complete.any():
        raise InputError(
            "axis: no condition was recorded at all sites; choose sessions that share their images"
        )
    notes = list(recording.notes)
    if not complete.all():
        notes.append(
            f"{int((~complete).sum())} of {k} conditions were not recorded at all sites "
            "and are left out"
        )
    return Responses(
        mean=mean[complete],
        variance=variance[complete],
        n_trials=number[complete],
        condition=np.flatnonzero(complete),
        sites=recording.sites,
        responsive_p=np.concatenate(ps),
        responsive_test="; ".join(dict.fromkeys(tests)),
        window_s=window,
        notes=tuple(notes),
    )


def shown_frames(recording: Recording, responses: Responses, plan: ResponsePlan) -> np.ndarray:
    """Frames on screen in the response window, or in each of its bins, int."""
    stimuli, (start_s, stop_s) = recording.stimuli, responses.window_s
    if plan.per == "bin":
        session = recording.sessions[0]
        bin_s = session.bin_s or plan.bin_s
        assert bin_s is not None  # asked of recordings of spike times
        window_s = session.window_s or bin_s
        last = math.floor((stop_s - window_s) / bin_s + 1e-6) + 1
        frames = frame_of_bin(stimuli, n_bins=last, bin_s=bin_s, window_s=window_s)
        return frames[-responses.per_image :]
    centre_s = (np.arange(stimuli.n_frames) + 0.5) * stimuli.frame_s
    inside = np.flatnonzero((centre_s >= start_s) & (centre_s <= stop_s))
    nearest = int(np.abs(centre_s - (start_s + stop_s) / 2).argmin())
    return inside if len(inside) else np.array([nearest])


def region_masks(sites: SiteTable) -> dict[str, np.ndarray]:
    """Sites of every region, and ``"all"`` first."""
    masks = {"all": np.ones(len(sites), bool)}
    return masks | {region: sites.region == region for region in sites.regions}


def _totals(values: np.ndarray, condition: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Sum and number of the known values of each condition, (K, ...)."""
    known = np.isfinite(values)
    total, number = (np.zeros((k, *values.shape[1:])) for _ in range(2))
    np.add.at(total, condition, np.where(known, values, 0))
    np.add.at(number, condition, known)
    return total, number


def _mean(rates: np.ndarray, condition: np.ndarray, k: int) -> np.ndarray:
    """Mean over the trials of each condition, (K, T, N); NaN without a trial."""
    total, number = _totals(rates, condition, k)
    with np.errstate(invalid="ignore"):
        return total / np.where(number, number, np.nan)


def _spread(trials: StateTrials, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Variance over trials (K, N), NaN below two trials, and their number (K, N)."""
    mean = _mean(trials.rate, trials.condition, k)
    away = np.square(trials.rate - mean[trials.condition])
    total, number = _totals(away, trials.condition, k)
    return total / np.where(number > 1, number - 1, np.nan), number.astype(int)


def _responsive(trials: StateTrials) -> tuple[np.ndarray, str]:
    """p-value per site that it responds to images at all, and the test in words."""
    if trials.change is not None:
        p = stats.wilcoxon(trials.change, axis=0, nan_policy="omit").pvalue
        changes = np.nan_to_num(trials.change).any(axis=0)
        return (
            np.where(changes, p, 1.0),
            "Wilcoxon signed-rank test over trials, response against baseline, two-sided",
        )
    groups = [trials.rate[trials.condition == c] for c in np.unique(trials.condition)]
    groups = [g for g in groups if len(g) > 1]
    if len(groups) < 2:
        return (
            np.full(trials.rate.shape[1], np.nan),
            "none: neither a baseline nor single trials; all sites are counted as responsive",
        )
    return _anova(groups), "one-way ANOVA over single trials, images differ, F test"


def _anova(groups: Sequence[np.ndarray]) -> np.ndarray:
    """F test of equal means, all sites at once; NaN entries are missing trials."""
    n = np.stack([np.isfinite(g).sum(axis=0) for g in groups])
    total = np.stack([np.nansum(g, axis=0) for g in groups])
    square = np.stack([np.nansum(np.square(g), axis=0) for g in groups]).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        group_part = np.where(n > 0, np.square(total) / n, 0).sum(axis=0)
        between = group_part - np.square(total.sum(axis=0)) / n.sum(axis=0)
        within = square - group_part
        df_between, df_within = (n > 0).sum(axis=0) - 1, n.sum(axis=0) - (n > 0).sum(axis=0)
        f = (between / df_between) / (within / df_within)
        return np.asarray(np.where(within > 0, stats.f.sf(f, df_between, df_within), 1.0))
