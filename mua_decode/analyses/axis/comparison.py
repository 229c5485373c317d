"""Which feature space explains a site better: visual or semantic, say."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy import stats

from mua_decode.analyses.axis.plan import SignificancePlan
from mua_decode.analyses.axis.statistics import column_of_p, jackknife_variance, without_each_image
from mua_decode.analyses.axis.tuning import AxisModel
from mua_decode.analyses.axis.units import Units
from mua_decode.statistics import (
    Interval,
    adjust,
    correct,
    out_of_reach,
    pooled_interval,
    smallest_p,
)
from mua_decode.types import HypothesisTable, Question

_METRIC = "held-out correlation, mean over the sites of a unit"


def compare_spaces(
    models: Mapping[str, AxisModel],
    y_test: np.ndarray,
    *,
    plan: SignificancePlan,
    per_image: int = 1,
) -> tuple[pd.DataFrame, HypothesisTable]:
    """Which feature space explains a site better? Every later space against the first, paired.

    Per site, squared errors of both predictions of the held-out images, averaged over the
    ``per_image`` bins of each, are compared (Wilcoxon signed-rank, corrected over sites and pairs).
    Over sites, their held-out correlations: the sites of a session share its noise, and all sites
    share the images, which may happen to suit one space, so that the variance of the mean
    difference over subjects or sessions and that over images (jackknife) add up (t, degrees of
    freedom after Satterthwaite, Holm over pairs). One row per pair and site: ``difference`` of
    held-out correlations (first less other), ``p``, ``p_corrected``, ``better`` (name or
    ``"neither"``), both correlations; of the pair ``p_over_subjects`` (or ``_sessions``), NaN with
    one, ``median_difference``, ``low``, ``high``, over units and images.
    """
    rows, overs = [], []
    (_, first), *others = models.items()
    error = np.square(y_test - first.predicted)
    units = Units.of_sites(first.site_table)
    n_images = len(y_test) // per_image
    for name, other in others:
        excess = np.square(y_test - other.predicted) - error
        excess = excess.reshape(n_images, per_image, -1).mean(axis=1)
        difference = first.fit.correlation - other.fit.correlation
        frame = first.sites[["site_id", "region"]].assign(first=first.name, other=name)
        with np.errstate(invalid="ignore"):  # equal predictions have no p
            p = np.asarray(stats.wilcoxon(excess, axis=0).pvalue)
        left_out = np.subtract(
            *(without_each_image(m.predicted, y_test, per_image) for m in (first, other))
        )
        middle = _median_interval(difference, left_out, units)
        rows.append(
            frame.assign(
                **{"median_difference": middle.estimate, "low": middle.low, "high": middle.high},
                difference=difference,
                first_correlation=first.fit.correlation,
                other_correlation=other.fit.correlation,
                p=p,
                median_excess=np.median(excess, axis=0),
            )
        )
        asked: Question = {
            "question": "does one feature space explain the sites better?",
            "group": f"{first.name} and {name}",
            "metric": _METRIC,
        }
        overs.append(_over_units(difference, left_out, units, asked))
    if not rows:
        return pd.DataFrame(), HypothesisTable.from_rows([])
    table = pd.concat(rows, ignore_index=True)
    pairs = _winners(table, plan, n_images)
    over = correct(HypothesisTable.concat(overs))
    for key in ("p", "p_corrected"):
        by = dict(zip((n for n, _ in others), over.frame[key], strict=True))
        table[key.replace("p", f"p_over_{units.name}", 1)] = table["other"].map(by)
    return table, HypothesisTable.concat([pairs, over])


def _winners(table: pd.DataFrame, plan: SignificancePlan, n_images: int) -> HypothesisTable:
    """Name the better space of every site in the table, and say what its column of p is."""
    table["p_corrected"] = adjust(table["p"].to_numpy(), plan.correction)
    sure = (table["p_corrected"] <= plan.alpha) & (table["median_excess"] != 0)
    winner = np.where(table["median_excess"] > 0, table["first"], table["other"])
    table["better"] = np.where(sure, winner, "neither")
    weak = out_of_reach(smallest_p("Wilcoxon", n_images), n_images, "held-out images")
    return column_of_p(
        "comparison",
        "Wilcoxon signed-rank test of paired squared errors, two-sided",
        n=n_images,
        n_unit="held-out images",
        n_tests=len(table),
        correction=plan.correction,
        note="; ".join(filter(None, ["column p of comparison.csv", weak])),
    )


def _median_interval(difference: np.ndarray, left_out: np.ndarray, units: Units) -> Interval:
    """Median over sites; half widths over units and over images are added in squares."""
    found = pooled_interval(difference, units.label, of="median")
    if np.isnan(found.low) or not len(left_out):
        return found
    known = np.isfinite(difference)
    each = np.array([np.nanmedian(row[known]) for row in left_out])
    half = stats.t.ppf(0.975, len(each) - 1) * jackknife_variance(each) ** 0.5
    below, above = (np.hypot(end - found.estimate, half) for end in found[1:])
    return Interval(found.estimate, float(found.estimate - below), float(found.estimate + above))


def _over_units(
    difference: np.ndarray, left_out: np.ndarray, units: Units, asked: Question
) -> HypothesisTable:
    """t over units and held-out images of the mean difference (N,); one unit has none.

    ``left_out``, float (images, N), are the differences without each image.
    """
    known = np.isfinite(difference)
    member = np.unique(units.label[known])[:, None] == units.label[known]
    means = (member @ difference[known]) / member.sum(axis=1)
    images = len(left_out)
    row: dict[str, object] = {
        **asked, "n": min(len(means), images), "n_unit": f"{units.name} × held-out images",
        "test": f"t over {units.name} and held-out images, variances added, two-sided",
        "effect_name": "mean difference",
    }  # fmt: skip
    notes = [f"{len(means)} {units.name}, {images} images"]
    if len(means):
        row["effect"] = float(means.mean())
    if len(means) < 2 or images < 2:
        few = units.name if len(means) < 2 else "images"
        return HypothesisTable.of_test(row, [*notes, f"one of the {few}: no p over {few}"])
    over_units = float(means.var(ddof=1) / len(means))
    without = np.nan_to_num(left_out[:, known]) @ (member / member.sum(axis=1)[:, None]).T
    over_images = jackknife_variance(without.mean(axis=1))
    return HypothesisTable.of_test(
        row | _t(float(means.mean()), (over_units, len(means) - 1), (over_images, images - 1)),
        notes,
    )


def _t(mean: float, *parts: tuple[float, int]) -> dict[str, object]:
    """Two-sided t of a mean whose variance is the sum of parts, each with its df."""
    total = sum(v for v, _ in parts)
    if total == 0:
        return {"p": 1.0, "statistic": 0.0, "low": 0.0, "high": 0.0} if mean == 0 else {}
    df = total**2 / sum(v**2 / d for v, d in parts)
    error = total**0.5
    reach = float(stats.t.ppf(0.975, df)) * error
    found = {"statistic": mean / error, "df": df, "p": 2 * float(stats.t.sf(abs(mean) / error, df))}
    return found | {"low": mean - reach, "high": mean + reach}
