"""Does imagery reuse the axis? Reactivation, imagined responses along the axis, their scale."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mua_decode.analyses.axis.alignment import along_axis, correlation_interval
from mua_decode.analyses.axis.amplitude import (
    across_halves,
    amplitude_tests,
    mean_changes,
    object_means,
    slope_on_axis,
)
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
from mua_decode.analyses.axis.statistics import column_of_p
from mua_decode.analyses.axis.trials import StateTrials, shared_objects, state_trials
from mua_decode.analyses.axis.units import Units
from mua_decode.statistics import Interval, adjust, correct
from mua_decode.types import HypothesisTable, Recording, SiteTable


@dataclass(frozen=True, eq=False, kw_only=True)
class Imagery:
    """What imagery does to the sites."""

    # One row per site: ``tuned`` (without the imagined objects), ``reactivated_p``,
    # ``reactivated_p_corrected``, ``reactivated`` (tuned and raised for some object), the same of
    # ``suppressed`` (lowered, and raised for none), ``imagery_only`` (does not respond to images,
    # raised), ``imagery_axis_correlation``, its p-values, ``imagery_scale``.
    sites: pd.DataFrame
    # Reactivated sites and how strongly, chosen on one half of the imagery trials and measured on
    # the other: a row per site and half, see ``across_halves``.
    halves: pd.DataFrame
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

    def axis_correlation(self, asked: np.ndarray) -> Interval:
        """Median correlation of the asked sites, bool (N,), for other objects and units."""
        return correlation_interval(self.imagined, self.held.projected, asked, self.units.label)


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
    imagined = np.concatenate([object_means(t.rate, t, objects) for t in trials], axis=1)
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
    changes = [mean_changes(a, b, objects) for a, b in zip(trials, seen, strict=True)]
    in_imagery, in_perception = np.concatenate(changes, axis=1)
    columns |= {
        "imagery_axis_correlation": r,
        "imagery_axis_p": r_p,
        "imagery_axis_p_corrected": r_corrected,
        "follows_axis": r_corrected <= alpha,
        "imagined_change": in_imagery,
        "perceived_change": in_perception,
        "imagery_scale": in_imagery / np.where(in_perception == 0, np.nan, in_perception),
        "imagery_axis_slope": slope_on_axis(held.projected, imagined),
    }
    frame = sites.to_frame()[["site_id", "region"]].assign(**columns)
    units = Units.of_sites(sites)
    halves = across_halves(trials, held, in_perception, plan=plan, rng=rng.spawn(1)[0])
    tests = [
        _described(plan, again, columns, len(objects), (median, median_p)),
        _share_tests(again, tuned, sites, units, alpha),
        amplitude_tests(frame, halves, sites, units),
    ]
    return Imagery(
        sites=frame, halves=halves, units=units, held=held, imagined=imagined, reactivation=again,
        median_correlation=median, median_p=median_p, tests=HypothesisTable.concat(tests),
    )  # fmt: skip


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
