"""Does imagery reuse the axis? Reactivation, imagined responses along the axis, their scale."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mua_decode.analyses.axis.cross_decoding import by_vectors, measure_cross_decoding
from mua_decode.analyses.axis.held_out import HeldOut, hold_out
from mua_decode.analyses.axis.pixels import BuildDecoder, Pixels, pixel_decoders
from mua_decode.analyses.axis.plan import AxisPlan, SignificancePlan
from mua_decode.analyses.axis.reactivation import (
    Reactivation,
    Sign,
    estimated_share,
    measure_reactivation,
    share_tests,
)
from mua_decode.analyses.axis.reality import measure_reality
from mua_decode.analyses.axis.reconstruction import fit_decoder
from mua_decode.analyses.axis.responses import Responses, region_masks
from mua_decode.analyses.axis.statistics import column_of_p, columns_correlation
from mua_decode.analyses.axis.trials import StateTrials, shared_objects, state_trials
from mua_decode.analyses.axis.units import Units
from mua_decode.statistics import Interval, adjust, correct, paired_t
from mua_decode.types import HypothesisTable, Recording, SiteTable


@dataclass(frozen=True, eq=False, kw_only=True)
class Imagery:
    """What imagery does to the sites."""

    # One row per site: ``tuned`` (without the imagined objects), ``reactivated_p``,
    # ``reactivated_p_corrected``, ``reactivated`` (tuned and raised for some object), the same of
    # ``suppressed`` (lowered, and raised for none), ``imagery_only`` (does not respond to images,
    # raised), ``imagery_axis_correlation``, its p-values, ``imagery_scale``.
    sites: pd.DataFrame
    units: Units
    held: HeldOut
    imagined: np.ndarray  # float64 (O, N): mean imagined response, spikes per second
    reactivation: Reactivation
    # Median over reactivated sites and its permutation p-value.
    median_correlation: float
    median_p: float
    tests: HypothesisTable

    def estimated_share(self, asked: np.ndarray, sign: Sign) -> Interval:
        """Share of the asked sites, bool (N,), raised or lowered, significant or not."""
        return estimated_share(self.reactivation, asked, self.units, sign=sign)


@dataclass(frozen=True, eq=False)
class States:
    """Imagery beside perception: the sites, cross-decoding of objects, reality monitoring."""

    imagery: Imagery
    cross: pd.DataFrame
    reality: pd.DataFrame
    tests: HypothesisTable


def measure_states(
    recording: Recording,
    responses: Responses,
    features: np.ndarray,
    pixels: Pixels,
    *,
    plan: AxisPlan,
    build: BuildDecoder,
    rng: np.random.Generator,
) -> States:
    """Run the imagery analyses.

    Axes and decoders of features, float (K, D), and of pixels are fitted on the perceived images
    that were not imagined. In ``plan`` the windows of the responses are filled.
    """
    trials, seen = (state_trials(recording, s, plan.response) for s in ("imagery", "perception"))
    names, sites = recording.stimuli.names, responses.sites
    objects = shared_objects(trials)
    held = hold_out(objects, features, responses, names=names, plan=plan, rng=rng)
    silent = adjust(responses.responsive_p, plan.test.correction) > plan.test.alpha
    imagery = measure_imagery(
        trials, seen, held, sites=sites, silent=silent, plan=plan.test, rng=rng
    )
    rows = held.blocks.test
    decode = fit_decoder(responses.rows, held.x, held.blocks)
    decoders = {"features": by_vectors(decode, held.x[rows])}
    found = pixel_decoders(responses.rows, pixels.images, held.blocks, plan=plan, build=build)
    decoders |= {f"pixels, {n}": by_vectors(d, pixels.images[rows]) for n, d in found.items()}
    n = plan.test.n_permutations
    cross, cross_tests = measure_cross_decoding(
        trials, seen, trained_on_perception=decoders, n_permutations=n, rng=rng
    )
    reality, reality_tests = measure_reality(trials, seen, sites, plan=plan.reality, rng=rng)
    tests = HypothesisTable.concat([imagery.tests, cross_tests, reality_tests])
    return States(imagery, cross, reality, tests)


def measure_imagery(
    trials: Sequence[StateTrials],
    seen: Sequence[StateTrials],
    held: HeldOut,
    *,
    sites: SiteTable,
    silent: np.ndarray,
    plan: SignificancePlan,
    rng: np.random.Generator,
) -> Imagery:
    """Ask of every site whether it reactivates, along its axis, and how strongly.

    Imagined (``trials``) and perceived (``seen``) trials are those of every session; ``silent``,
    bool (N,), are the sites that do not respond to perceived images.
    """
    objects, tuned, alpha = held.objects, held.tuned, plan.alpha
    imagined = np.concatenate([_means(t.rate, t, objects) for t in trials], axis=1)
    again = measure_reactivation(trials, n_permutations=plan.n_permutations, rng=rng)
    columns: dict[str, np.ndarray] = {"tuned": tuned}
    for name, p in (("reactivated", again.p), ("suppressed", again.p_lowered)):
        columns[f"{name}_p"] = p
        columns[f"{name}_p_corrected"] = adjust(np.where(tuned, p, np.nan), plan.correction)
        columns[name] = columns[f"{name}_p_corrected"] <= alpha
    columns["suppressed"] &= ~columns["reactivated"]
    only = adjust(np.where(silent, again.p, np.nan), plan.correction)
    columns |= {"imagery_only_p_corrected": only, "imagery_only": only <= alpha}
    reactivated = columns["reactivated"]
    r, r_p, median, median_p = along_axis(
        imagined, held.projected, reactivated, plan.n_permutations, rng
    )
    r_corrected = adjust(np.where(reactivated, r_p, np.nan), plan.correction)
    changes = [_changes(a, b, objects) for a, b in zip(trials, seen, strict=True)]
    in_imagery, in_perception = np.concatenate(changes, axis=1)
    columns |= {
        "imagery_axis_correlation": r,
        "imagery_axis_p": r_p,
        "imagery_axis_p_corrected": r_corrected,
        "follows_axis": r_corrected <= alpha,
        "imagined_change": in_imagery,
        "perceived_change": in_perception,
        "imagery_scale": in_imagery / np.where(in_perception == 0, np.nan, in_perception),
        "imagery_axis_slope": _slope(held.projected, imagined),
    }
    frame = sites.to_frame()[["site_id", "region"]].assign(**columns)
    units = Units.of_sites(sites)
    tests = [
        _described(plan, again, columns, len(objects), (median, median_p)),
        _share_tests(again, tuned, sites, units, alpha),
        _amplitude_tests(frame, sites, units),
    ]
    return Imagery(
        sites=frame,
        units=units,
        held=held,
        imagined=imagined,
        reactivation=again,
        median_correlation=median,
        median_p=median_p,
        tests=HypothesisTable.concat(tests),
    )


def _described(
    plan: SignificancePlan,
    again: Reactivation,
    columns: dict[str, np.ndarray],
    n_objects: int,
    median: tuple[float, float],
) -> HypothesisTable:
    """Say what the p-values of the sites are, and test the median correlation."""
    how, n_perm = plan.correction, plan.n_permutations
    tuned, reactivated = int(columns["tuned"].sum()), int(columns["reactivated"].sum())
    silent = int(np.isfinite(columns["imagery_only_p_corrected"]).sum())
    along = (
        f"permutation of objects, {n_perm} permutations, correlation of imagined response and "
        "projection on the axis above chance, one-sided"
    )
    over_trials = functools.partial(
        column_of_p,
        test=again.test,
        n=again.fewest_trials,
        n_unit="imagery trials of the shortest session",
        correction=how,
    )
    rows = [
        over_trials("reactivated", n_tests=tuned),
        over_trials("suppressed", n_tests=tuned),
        column_of_p(
            "imagery_axis", along, n=n_objects, n_unit="objects", n_tests=reactivated,
            correction=how,
        ),
    ]  # fmt: skip
    if silent:
        note = "column reactivated_p of sites.csv, over sites that do not respond to images"
        rows.append(over_trials("imagery_only", n_tests=silent, note=note))
    smallest = 1 / math.factorial(n_objects)
    few = f"{n_objects} objects: smallest possible p {smallest:.3f}"
    row = {
        "question": "do imagined responses follow the axis measured in perception?",
        "group": "reactivated sites",
        "metric": "median correlation over objects of imagined response and projection",
        "test": f"permutation of objects, {n_perm} permutations, the same for all sites, one-sided",
        "n": n_objects,
        "n_unit": "objects",
        "effect_name": "median correlation",
        "effect": median[0],
        "p": median[1],
    }
    rows.append(HypothesisTable.of_test(row, [few] if smallest > plan.alpha else []))
    return HypothesisTable.concat(rows)


def _share_tests(
    again: Reactivation, tuned: np.ndarray, sites: SiteTable, units: Units, alpha: float
) -> HypothesisTable:
    """Tests of the share of reactivated sites, in every region; Holm over the regions."""
    rows = [
        share_tests(
            again.of_sites(inside),
            tuned[inside],
            Units(units.label[inside], units.name),
            alpha=alpha,
            question="do tuned sites reactivate in imagery more often than by chance?",
            group=region,
            metric="share reactivated",
        )
        for region, inside in region_masks(sites).items()
    ]
    return correct(HypothesisTable.concat(rows))


def _amplitude_tests(frame: pd.DataFrame, sites: SiteTable, units: Units) -> HypothesisTable:
    """Imagined less perceived change from baseline of the same objects, paired over units."""
    rows = []
    a, b = (frame[f"{k}_change"].to_numpy(float) for k in ("imagined", "perceived"))
    for region, inside in region_masks(sites).items():
        for kind in ("reactivated", "tuned"):
            asked = inside & frame[kind].to_numpy(bool)
            means = [units.by_unit(v, asked).values() for v in (a, b)]
            left, right = (np.array(list(m), float) for m in means)
            known = ~np.isnan(left)
            rows.append(
                paired_t(
                    left[known],
                    right[known],
                    n_unit=units.name,
                    question="is the imagined response weaker than the perceived one?",
                    group=region,
                    metric=f"mean change from baseline of {kind} sites, spikes/s",
                )
            )
    return correct(HypothesisTable.concat(rows))


def _means(values: np.ndarray, trials: StateTrials, objects: np.ndarray) -> np.ndarray:
    """Mean over the trials of each object, (O, N)."""
    return np.stack([np.nanmean(values[trials.condition == o], axis=0) for o in objects])


def along_axis(
    imagined: np.ndarray,
    projected: np.ndarray,
    reactivated: np.ndarray,
    n_permutations: int,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, float, float]:
    """Correlation over objects of imagined and projected response, (O, N) each, site by site.

    Returns it (N,) and its one-sided p (N,), objects permuted; then the median over the
    reactivated sites, bool (N,), and its p, from the same permutations.
    """
    r = np.nan_to_num(columns_correlation(imagined, projected))
    larger, above = np.zeros(len(r)), 0
    median = float(np.median(r[reactivated])) if reactivated.any() else float("nan")
    for _ in range(n_permutations):
        permuted = imagined[rng.permutation(len(imagined))]
        null = np.nan_to_num(columns_correlation(permuted, projected))
        larger += null >= r - 1e-12
        if reactivated.any():
            above += float(np.median(null[reactivated])) >= median - 1e-12
    p_median = (1 + above) / (1 + n_permutations) if reactivated.any() else float("nan")
    return r, (1 + larger) / (1 + n_permutations), median, p_median


def _changes(imagery: StateTrials, seen: StateTrials, objects: np.ndarray) -> np.ndarray:
    """Mean change from baseline, imagined and perceived, over the same objects, (2, N)."""
    if imagery.change is None or seen.change is None:
        return np.full((2, imagery.rate.shape[1]), np.nan)
    pair = (_means(t.change, t, objects) for t in (imagery, seen) if t.change is not None)
    return np.stack([m.mean(axis=0) for m in pair])


def _slope(projected: np.ndarray, imagined: np.ndarray) -> np.ndarray:
    """Slope of the imagined response on the response predicted in perception, (N,)."""
    a, b = projected - projected.mean(axis=0), imagined - imagined.mean(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((a * b).sum(axis=0) / np.square(a).sum(axis=0))
