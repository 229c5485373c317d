"""How strongly do sites respond in imagery? Chosen on some trials, measured on others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mua_decode.analyses.axis.held_out import HeldOut
from mua_decode.analyses.axis.plan import SignificancePlan
from mua_decode.analyses.axis.reactivation import measure_reactivation
from mua_decode.analyses.axis.responses import region_masks
from mua_decode.analyses.axis.trials import StateTrials
from mua_decode.analyses.axis.units import Units
from mua_decode.statistics import adjust, correct, paired_t
from mua_decode.types import HypothesisTable, SiteTable


def object_means(values: np.ndarray, trials: StateTrials, objects: np.ndarray) -> np.ndarray:
    """Mean over the trials of each object, (O, N)."""
    return np.stack([np.nanmean(values[trials.condition == o], axis=0) for o in objects])


def mean_changes(imagery: StateTrials, seen: StateTrials, objects: np.ndarray) -> np.ndarray:
    """Mean change from baseline, imagined and perceived, over the same objects, (2, N)."""
    if imagery.change is None or seen.change is None:
        return np.full((2, imagery.rate.shape[1]), np.nan)
    pair = (object_means(t.change, t, objects) for t in (imagery, seen) if t.change is not None)
    return np.stack([m.mean(axis=0) for m in pair])


def slope_on_axis(projected: np.ndarray, imagined: np.ndarray) -> np.ndarray:
    """Slope of the imagined response on the response predicted in perception, (N,)."""
    a, b = projected - projected.mean(axis=0), imagined - imagined.mean(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((a * b).sum(axis=0) / np.square(a).sum(axis=0))


def across_halves(
    trials: Sequence[StateTrials],
    held: HeldOut,
    perceived: np.ndarray,
    *,
    plan: SignificancePlan,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Choose reactivated sites on one half of the imagery trials, measure them on the other.

    A site that noise raised is chosen more easily: measured on the trials that chose it, it seems
    to respond more than it does. The trials of every object are split at random, and the halves
    change places. A half chooses fewer sites than all trials do, those that respond most.

    Parameters
    ----------
    perceived
        Mean perceived change from baseline, (N,).

    Returns
    -------
    One row per half and site that it chose: ``site`` (index), ``imagined_change`` and
    ``imagery_axis_slope`` in the other half, ``perceived_change``, ``imagery_scale``. Empty where
    an object has a single trial.
    """
    columns = ["site", "imagined_change", "perceived_change", "imagery_scale", "imagery_axis_slope"]
    halves = [_split(t, held.objects, rng) for t in trials]
    if not all(len(t.condition) and _covers(t, held.objects) for pair in halves for t in pair):
        return pd.DataFrame(columns=columns, dtype=float)
    parts = []
    for here, there in ((0, 1), (1, 0)):
        choosing, measuring = ([pair[k] for pair in halves] for k in (here, there))
        p = measure_reactivation(choosing, n_permutations=plan.n_permutations, rng=rng).p
        p = adjust(np.where(held.tuned, p, np.nan), plan.correction)
        chosen = np.flatnonzero(p <= plan.alpha)
        rate = [object_means(t.rate, t, held.objects) for t in measuring]
        change = [
            np.full(t.rate.shape[1], np.nan)
            if t.change is None
            else object_means(t.change, t, held.objects).mean(axis=0)
            for t in measuring
        ]
        change_, slope = (
            np.concatenate(change)[chosen],
            slope_on_axis(held.projected, np.concatenate(rate, axis=1))[chosen],
        )
        seen = perceived[chosen]
        scale = change_ / np.where(seen == 0, np.nan, seen)
        parts.append(
            pd.DataFrame(dict(zip(columns, (chosen, change_, seen, scale, slope), strict=True)))
        )
    return pd.concat(parts, ignore_index=True)


def _covers(trials: StateTrials, objects: np.ndarray) -> bool:
    return bool(np.isin(objects, trials.condition).all())


def _split(
    trials: StateTrials, objects: np.ndarray, rng: np.random.Generator
) -> tuple[StateTrials, StateTrials]:
    """Trials of every object in two halves, at random."""
    first = np.zeros(len(trials.condition), bool)
    for o in objects:
        rows = rng.permutation(np.flatnonzero(trials.condition == o))
        first[rows[: len(rows) // 2]] = True
    known = np.isin(trials.condition, objects)
    return tuple(  # type: ignore[return-value]
        StateTrials(
            trials.rate[part],
            None if trials.change is None else trials.change[part],
            trials.condition[part],
        )
        for part in (first, known & ~first)
    )


def amplitude_tests(
    frame: pd.DataFrame, halves: pd.DataFrame, sites: SiteTable, units: Units
) -> HypothesisTable:
    """Imagined less perceived change from baseline of the same objects, paired over units.

    Reactivated sites are those of ``halves``, measured on trials that did not choose them.
    """
    at = halves["site"].to_numpy(int)
    kinds = {"reactivated": (halves, at), "tuned": (frame, np.arange(len(frame)))}
    rows = []
    for region, inside in region_masks(sites).items():
        for kind, (table, site) in kinds.items():
            asked = inside[site] & (frame["tuned"].to_numpy(bool)[site])
            own = Units(units.label[site], units.name)
            values = (table[f"{k}_change"].to_numpy(float) for k in ("imagined", "perceived"))
            means = [own.by_unit(v, asked).values() for v in values]
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
