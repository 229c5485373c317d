"""Does imagery reuse the axis? Reactivation, imagined responses along the axis, their scale."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from mua_decode.analyses.axis.responses import session_rates, trials_in_state
from mua_decode.analyses.axis.statistics import TestNote, columns_correlation
from mua_decode.analyses.axis.tuning import AxisModel, AxisSettings
from mua_decode.statistics import adjust
from mua_decode.types import InputError, Recording

Span = tuple[float, float]


@dataclass(frozen=True, eq=False)
class StateTrials:
    """Single-trial rates of one session in one state.

    Parameters
    ----------
    rate
        float64 (R, N), spikes per second in the response window, NaN where not recorded.
    change
        float64 (R, N): rate less the trial's baseline; ``None`` without a baseline window.
    condition
        int (R,): the object, as the condition that shows it.
    """

    rate: np.ndarray
    change: np.ndarray | None
    condition: np.ndarray


@dataclass(frozen=True, eq=False)
class Imagery:
    """What imagery does to the sites.

    Parameters
    ----------
    sites
        One row per site: ``reactivated_p``, ``reactivated_p_corrected``, ``reactivated`` (tuned
        and reactivated), ``imagery_axis_correlation``, its p-values, ``imagery_scale``.
    objects
        int (O,): conditions imagined.
    imagined, projected
        float64 (O, N): mean imagined response (spikes per second), and the response that the
        axis measured in perception predicts for the object.
    median_correlation, median_p
        Median over reactivated sites and its permutation p-value.
    tests
        What stands behind the p-values.
    """

    sites: pd.DataFrame
    objects: np.ndarray
    imagined: np.ndarray
    projected: np.ndarray
    median_correlation: float
    median_p: float
    tests: tuple[TestNote, ...]


def has_imagery(recording: Recording) -> bool:
    """Whether every session has imagery trials."""
    return all(
        "state" in s.trials.columns and (s.trials["state"].astype(str) == "imagery").any()
        for s in recording.sessions
    )


def state_trials(
    recording: Recording,
    state: str,
    *,
    window_s: Span | None,
    baseline_s: Span | None,
    bin_s: float | None = None,
) -> list[StateTrials]:
    """Single trials of a state, one entry per session.

    Raises
    ------
    InputError
        If a session has no such trials.
    """
    out = []
    for session in recording.sessions:
        rows = trials_in_state(session, state)
        rate = session_rates(session, window_s, bin_s=bin_s)[0][rows].mean(axis=1)
        change = None
        if baseline_s is not None:
            before = session_rates(session, baseline_s, bin_s=bin_s)[0][rows].mean(axis=1)
            change = rate - before
        out.append(StateTrials(rate, change, session.condition[rows]))
    return out


def shared_objects(trials: list[StateTrials]) -> np.ndarray:
    """Conditions that occur in every session, int (O,).

    Raises
    ------
    InputError
        If there are fewer than three.
    """
    objects = np.unique(trials[0].condition)
    for t in trials[1:]:
        objects = np.intersect1d(objects, t.condition)
    if len(objects) < 3:
        raise InputError(
            f"imagery: {len(objects)} objects were imagined in every session; need at least 3"
        )
    return objects


def object_means(trials: list[StateTrials], objects: np.ndarray) -> np.ndarray:
    """Mean rate per object and site of all sessions side by side, (O, N)."""
    return np.concatenate(
        [np.stack([np.nanmean(t.rate[t.condition == o], axis=0) for o in objects]) for t in trials],
        axis=1,
    )


def measure_imagery(
    recording: Recording,
    model: AxisModel,
    condition: np.ndarray,
    *,
    window_s: Span | None,
    baseline_s: Span | None,
    bin_s: float | None,
    settings: AxisSettings,
    rng: np.random.Generator,
) -> Imagery:
    """Ask of every site whether it reactivates, along its axis, and how strongly.

    Parameters
    ----------
    recording
        Trials carry ``state``.
    model
        The axes measured in perception (one response per image).
    condition
        int (K,): condition of every row of ``model.x``.
    window_s, baseline_s, bin_s
        As for the responses.
    settings
        Level, correction, permutations.
    rng
        For the permutations.

    Raises
    ------
    InputError
        If there are no imagery trials, or an imagined object was never perceived.
    """
    windows: dict[str, Span | None] = {"window_s": window_s, "baseline_s": baseline_s}
    trials = state_trials(recording, "imagery", **windows, bin_s=bin_s)
    seen = state_trials(recording, "perception", **windows, bin_s=bin_s)
    objects = shared_objects(trials)
    missing = np.setdiff1d(objects, condition)
    if len(missing):
        name = recording.stimuli.names[int(missing[0])]
        raise InputError(f"imagery: object '{name}' was imagined but never perceived by all sites")
    rows = np.searchsorted(condition, objects)
    projected = model.fit.predict(model.x[rows])
    imagined = object_means(trials, objects)
    n_perm, how = settings.n_permutations, settings.correction
    parts = [_reactivation(t, n_perm, rng) for t in trials]
    p = np.concatenate(parts)
    tuned = model.tuned
    p_tuned = adjust(np.where(tuned, p, np.nan), how)
    reactivated = p_tuned <= settings.alpha
    r, r_p, median, median_p = _along_axis(imagined, projected, reactivated, n_perm, rng)
    r_corrected = adjust(np.where(reactivated, r_p, np.nan), how)
    frame = model.sites[["site_id", "region"]].assign(
        tuned=tuned,
        reactivated_p=p,
        reactivated_p_corrected=p_tuned,
        reactivated=reactivated,
        imagery_axis_correlation=r,
        imagery_axis_p=r_p,
        imagery_axis_p_corrected=r_corrected,
        follows_axis=r_corrected <= settings.alpha,
        imagery_scale=np.concatenate(
            [_scale(a, b, objects) for a, b in zip(trials, seen, strict=True)]
        ),
        imagery_axis_slope=_slope(projected, imagined),
    )
    notes = _notes(
        settings,
        has_baseline=baseline_s is not None,
        n_trials=min(len(t.rate) for t in trials),
        n_objects=len(objects),
        n_sites=(int(tuned.sum()), int(reactivated.sum())),
    )
    return Imagery(frame, objects, imagined, projected, median, median_p, notes)


def _notes(
    settings: AxisSettings,
    *,
    has_baseline: bool,
    n_trials: int,
    n_objects: int,
    n_sites: tuple[int, int],
) -> tuple[TestNote, ...]:
    """Say what the p-values are; ``n_sites`` counts tuned and reactivated sites."""
    n_perm, how = settings.n_permutations, settings.correction
    kind = (
        f"sign-flip permutation of imagery trials, response against baseline, {n_perm} "
        "permutations, two-sided"
        if has_baseline
        else "one-way ANOVA over imagery trials, objects differ, F test (no baseline)"
    )
    along = (
        f"permutation of objects, {n_perm} permutations, correlation of imagined response and "
        "projection on the axis above chance, one-sided"
    )
    median = "the same permutations, median over reactivated sites, one-sided"
    n = f"{n_objects} objects"
    return (
        TestNote("reactivated", kind, f"{n_trials} or more trials", n_sites[0], how),
        TestNote("imagery_axis", along, n, n_sites[1], how),
        TestNote("imagery_axis_median", median, n, 1, "none"),
    )


def _reactivation(trials: StateTrials, n_permutations: int, rng: np.random.Generator) -> np.ndarray:
    """p-value per site that imagery changes its rate, (N,)."""
    if trials.change is None:
        groups = [trials.rate[trials.condition == c] for c in np.unique(trials.condition)]
        return np.asarray(stats.f_oneway(*groups, axis=0, nan_policy="omit").pvalue)
    change = np.nan_to_num(trials.change)
    observed = np.abs(change.sum(axis=0))
    larger = np.zeros(change.shape[1])
    for start in range(0, n_permutations, 200):
        signs = rng.integers(0, 2, (min(200, n_permutations - start), len(change))) * 2.0 - 1
        # Counts are whole numbers: many sums tie exactly, and rounding must not break the ties.
        larger += (np.abs(signs @ change) >= observed - 1e-9 * (1 + observed)).sum(axis=0)
    return (1 + larger) / (1 + n_permutations)


def _along_axis(
    imagined: np.ndarray,
    projected: np.ndarray,
    reactivated: np.ndarray,
    n_permutations: int,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, float, float]:
    """Correlation per site and p (N,); median over reactivated sites and its p."""
    r = np.nan_to_num(columns_correlation(imagined, projected))
    larger = np.zeros(len(r))
    median = float(np.median(r[reactivated])) if reactivated.any() else float("nan")
    above = 0
    for _ in range(n_permutations):
        null = columns_correlation(imagined[rng.permutation(len(imagined))], projected)
        null = np.nan_to_num(null)
        larger += null >= r - 1e-12
        if reactivated.any():
            above += float(np.median(null[reactivated])) >= median
    p_median = (1 + above) / (1 + n_permutations) if reactivated.any() else float("nan")
    return r, (1 + larger) / (1 + n_permutations), median, p_median


def _scale(imagery: StateTrials, seen: StateTrials, objects: np.ndarray) -> np.ndarray:
    """Mean imagined over mean perceived change from baseline for the same objects, (N,)."""
    if imagery.change is None or seen.change is None:
        return np.full(imagery.rate.shape[1], np.nan)
    means = []
    for t, change in ((imagery, imagery.change), (seen, seen.change)):
        per = [np.nanmean(change[t.condition == o], axis=0) for o in objects]
        means.append(np.mean(per, axis=0))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(np.abs(means[1]) > 0, means[0] / means[1], np.nan))


def _slope(projected: np.ndarray, imagined: np.ndarray) -> np.ndarray:
    """Slope of the imagined response on the response predicted in perception, (N,)."""
    a, b = projected - projected.mean(axis=0), imagined - imagined.mean(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((a * b).sum(axis=0) / np.square(a).sum(axis=0))
