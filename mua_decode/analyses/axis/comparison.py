"""Which feature space explains a site better: visual or semantic, say."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy import stats

from mua_decode.analyses.axis.plan import SignificancePlan
from mua_decode.analyses.axis.statistics import column_of_p
from mua_decode.analyses.axis.tuning import AxisModel
from mua_decode.analyses.axis.units import Units, unit_interval
from mua_decode.statistics import adjust, correct, paired_t
from mua_decode.types import HypothesisTable


def compare_spaces(
    models: Mapping[str, AxisModel], y_test: np.ndarray, *, plan: SignificancePlan
) -> tuple[pd.DataFrame, HypothesisTable]:
    """Which feature space explains a site better? Every later space against the first, paired.

    Per site, squared errors of both predictions of the held-out images are compared (Wilcoxon
    signed-rank, corrected over sites and pairs); over subjects or sessions, since
    the sites of one share its noise, the held-out correlations (paired t, Holm over pairs). One
    row per pair and site: ``difference`` of held-out correlations (first less other), ``p``,
    ``p_corrected``, ``better`` (name or ``"neither"``), both correlations; of the pair
    ``p_over_subjects`` (or ``_sessions``), NaN with one, ``median_difference``, ``low``, ``high``.
    """
    rows = []
    (_, first), *others = models.items()
    error = np.square(y_test - first.predicted)
    units = Units.of_sites(first.site_table)
    for name, other in others:
        excess = np.square(y_test - other.predicted) - error
        difference = first.fit.correlation - other.fit.correlation
        frame = first.sites[["site_id", "region"]].assign(first=first.name, other=name)
        with np.errstate(invalid="ignore"):  # equal predictions have no p
            p = np.asarray(stats.wilcoxon(excess, axis=0).pvalue)
        middle = unit_interval(difference, units.label, of="median")
        rows.append(
            frame.assign(
                median_difference=middle.estimate,
                low=middle.low,
                high=middle.high,
                difference=difference,
                first_correlation=first.fit.correlation,
                other_correlation=other.fit.correlation,
                p=p,
                median_excess=np.median(excess, axis=0),
            )
        )
    if not rows:
        return pd.DataFrame(), HypothesisTable.from_rows([])
    table = pd.concat(rows, ignore_index=True)
    table["p_corrected"] = adjust(table["p"].to_numpy(), plan.correction)
    sure = (table["p_corrected"] <= plan.alpha) & (table["median_excess"] != 0)
    winner = np.where(table["median_excess"] > 0, table["first"], table["other"])
    table["better"] = np.where(sure, winner, "neither")
    pairs = column_of_p(
        "comparison",
        "Wilcoxon signed-rank test of paired squared errors, two-sided",
        n=len(y_test),
        n_unit="held-out images",
        n_tests=len(table),
        correction=plan.correction,
        note="column p of comparison.csv",
    )
    over = correct(
        HypothesisTable.concat(
            [_over_units(part, units) for _, part in table.groupby("other", sort=False)]
        )
    )
    for key in ("p", "p_corrected"):
        by = dict(zip((n for n, _ in others), over.frame[key], strict=True))
        table[key.replace("p", f"p_over_{units.name}", 1)] = table["other"].map(by)
    return table, HypothesisTable.concat([pairs, over])


def _over_units(part: pd.DataFrame, units: Units) -> HypothesisTable:
    """Paired t over units of the mean held-out correlations in two spaces; one unit has none."""
    pair, every = part.iloc[0], np.isfinite(part["difference"].to_numpy(float))
    means = [
        units.by_unit(part[k].to_numpy(float), every).values()
        for k in ("first_correlation", "other_correlation")
    ]
    left, right = (np.array(list(m), float) for m in means)
    known = ~np.isnan(left)
    return paired_t(
        left[known],
        right[known],
        n_unit=units.name,
        question="does one feature space explain the sites better?",
        group=f"{pair['first']} and {pair['other']}",
        metric="held-out correlation, mean over the sites of a unit",
    )
