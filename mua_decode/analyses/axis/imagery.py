"""Does imagery reuse the axis? Reactivation, imagined responses along the axis, their scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from mua_decode.analyses.axis.cross_decoding import by_vectors, measure_cross_decoding
from mua_decode.analyses.axis.pixels import BuildDecoder, Pixels, pixel_decoders
from mua_decode.analyses.axis.plan import AxisPlan, SignificancePlan
from mua_decode.analyses.axis.reality import measure_reality
from mua_decode.analyses.axis.reconstruction import fit_decoder
from mua_decode.analyses.axis.responses import Responses
from mua_decode.analyses.axis.ridge import Blocks
from mua_decode.analyses.axis.statistics import TestNote, columns_correlation
from mua_decode.analyses.axis.trials import StateTrials, shared_objects, state_trials
from mua_decode.analyses.axis.tuning import AxisModel
from mua_decode.statistics import adjust
from mua_decode.types import InputError, Recording


@dataclass(frozen=True, eq=False)
class Imagery:
    """What imagery does to the sites."""

    # One row per site: ``reactivated_p``, ``reactivated_p_corrected``, ``reactivated`` (tuned and
    # reactivated), ``imagery_axis_correlation``, its p-values, ``imagery_scale``.
    sites: pd.DataFrame
    objects: np.ndarray  # int (O,): conditions imagined
    # float64 (O, N): mean imagined response (spikes per second), and the response that the axis
    # measured in perception predicts for the object.
    imagined: np.ndarray
    projected: np.ndarray
    # Median over reactivated sites and its permutation p-value.
    median_correlation: float
    median_p: float
    tests: tuple[TestNote, ...]


@dataclass(frozen=True, eq=False)
class States:
    """Imagery beside perception: the sites, cross-decoding of objects, reality monitoring."""

    imagery: Imagery
    cross: pd.DataFrame
    reality: pd.DataFrame
    tests: tuple[TestNote, ...]


def measure_states(
    recording: Recording,
    responses: Responses,
    model: AxisModel,
    pixels: Pixels,
    *,
    plan: AxisPlan,
    build: BuildDecoder,
    rng: np.random.Generator,
) -> States:
    """Run the imagery analyses on the axes measured in perception.

    Decoders of features and pixels are fitted on the perceived images that were not imagined. In
    ``plan`` the windows of the responses are filled.
    """
    trials, seen = (state_trials(recording, s, plan.response) for s in ("imagery", "perception"))
    names, condition = recording.stimuli.names, responses.condition
    imagery = measure_imagery(trials, seen, model, condition, names=names, plan=plan.test, rng=rng)
    rows = np.searchsorted(condition, imagery.objects)
    others = rng.permutation(np.setdiff1d(np.arange(len(condition)), rows))
    folds = np.array_split(others, plan.inner_folds)
    blocks = Blocks(inner=tuple(np.sort(f) for f in folds), test=rows)
    decode = fit_decoder(responses.rows, model.x, blocks)
    decoders = {"features": by_vectors(decode, model.x[rows])}
    found = pixel_decoders(responses.rows, pixels.images, blocks, plan=plan, build=build)
    decoders |= {f"pixels, {n}": by_vectors(d, pixels.images[rows]) for n, d in found.items()}
    n = plan.test.n_permutations
    cross, cross_note = measure_cross_decoding(
        trials, seen, trained_on_perception=decoders, n_permutations=n, rng=rng
    )
    reality, reality_note = measure_reality(trials, seen, plan=plan.reality, rng=rng)
    return States(imagery, cross, reality, (*imagery.tests, cross_note, reality_note))


def measure_imagery(
    trials: Sequence[StateTrials],
    seen: Sequence[StateTrials],
    model: AxisModel,
    condition: np.ndarray,
    *,
    names: Sequence[str],
    plan: SignificancePlan,
    rng: np.random.Generator,
) -> Imagery:
    """Ask of every site whether it reactivates, along its axis, and how strongly.

    Imagined (``trials``) and perceived (``seen``) trials are those of every session; ``model`` has
    one response per image, row by row of ``condition``, int (K,). Raises InputError if too few
    objects were imagined, or one of them was never perceived.
    """
    objects = shared_objects(trials)
    missing = np.setdiff1d(objects, condition)
    if len(missing):
        name = names[int(missing[0])]
        raise InputError(f"imagery: object '{name}' was imagined but never perceived by all sites")
    projected = model.fit.predict(model.x[np.searchsorted(condition, objects)])
    imagined = np.concatenate([_means(t.rate, t, objects) for t in trials], axis=1)
    n_perm, how = plan.n_permutations, plan.correction
    p = np.concatenate([_reactivation(t, n_perm, rng) for t in trials])
    tuned = model.tuned
    p_tuned = adjust(np.where(tuned, p, np.nan), how)
    reactivated = p_tuned <= plan.alpha
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
        follows_axis=r_corrected <= plan.alpha,
        imagery_scale=np.concatenate(
            [_scale(a, b, objects) for a, b in zip(trials, seen, strict=True)]
        ),
        imagery_axis_slope=_slope(projected, imagined),
    )
    asked = int(tuned.sum()), int(reactivated.sum())
    notes = _notes(plan, trials, n_objects=len(objects), n_sites=asked)
    return Imagery(frame, objects, imagined, projected, median, median_p, notes)


def _notes(
    plan: SignificancePlan,
    trials: Sequence[StateTrials],
    *,
    n_objects: int,
    n_sites: tuple[int, int],
) -> tuple[TestNote, ...]:
    """Say what the p-values are; ``n_sites`` counts tuned and reactivated sites."""
    n_perm, n = plan.n_permutations, f"{n_objects} objects"
    kind = (
        f"sign-flip permutation of imagery trials, response against baseline, {n_perm} "
        "permutations, two-sided"
    )
    if trials[0].change is None:
        kind = "one-way ANOVA over imagery trials, objects differ, F test (no baseline)"
    along = (
        f"permutation of objects, {n_perm} permutations, correlation of imagined response and "
        "projection on the axis above chance, one-sided"
    )
    median = "the same permutations, median over reactivated sites, one-sided"
    fewest = f"{min(len(t.rate) for t in trials)} or more trials"
    return (
        TestNote("reactivated", kind, fewest, n_sites[0], plan.correction),
        TestNote("imagery_axis", along, n, n_sites[1], plan.correction),
        TestNote("imagery_axis_median", median, n, 1, "none"),
    )


def _means(values: np.ndarray, trials: StateTrials, objects: np.ndarray) -> np.ndarray:
    """Mean over the trials of each object, (O, N)."""
    return np.stack([np.nanmean(values[trials.condition == o], axis=0) for o in objects])


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
    larger, above = np.zeros(len(r)), 0
    median = float(np.median(r[reactivated])) if reactivated.any() else float("nan")
    for _ in range(n_permutations):
        permuted = imagined[rng.permutation(len(imagined))]
        null = np.nan_to_num(columns_correlation(permuted, projected))
        larger += null >= r - 1e-12
        if reactivated.any():
            above += float(np.median(null[reactivated])) >= median
    p_median = (1 + above) / (1 + n_permutations) if reactivated.any() else float("nan")
    return r, (1 + larger) / (1 + n_permutations), median, p_median


def _scale(imagery: StateTrials, seen: StateTrials, objects: np.ndarray) -> np.ndarray:
    """Mean imagined over mean perceived change from baseline for the same objects, (N,)."""
    if imagery.change is None or seen.change is None:
        return np.full(imagery.rate.shape[1], np.nan)
    imagined = _means(imagery.change, imagery, objects).mean(axis=0)
    perceived = _means(seen.change, seen, objects).mean(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(np.abs(perceived) > 0, imagined / perceived, np.nan))


def _slope(projected: np.ndarray, imagined: np.ndarray) -> np.ndarray:
    """Slope of the imagined response on the response predicted in perception, (N,)."""
    a, b = projected - projected.mean(axis=0), imagined - imagined.mean(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((a * b).sum(axis=0) / np.square(a).sum(axis=0))
