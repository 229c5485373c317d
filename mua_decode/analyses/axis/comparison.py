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
from mua_decode.statistics import adjust
from mua_decode.types import HypothesisTable


def compare_spaces(
    models: Mapping[str, AxisModel], y_test: np.ndarray, *, plan: SignificancePlan
) -> tuple[pd.DataFrame, HypothesisTable]:
    """Which feature space explains a site better? Every later space against the first, paired.

    Per site, squared errors of the two predictions of the same held-out images are compared
    (Wilcoxon signed-rank, corrected over sites and pairs); over sites, the held-out correlations.
    One row per pair and site: ``difference`` of held-out correlations (first less other), ``p``,
    ``p_corrected``, ``better`` (name or ``"neither"``), and of the pair ``p_over_sites`` and the
    median difference with its interval over sessions or subjects (``median_difference``, ``low``,
    ``high``).
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
        finite = difference[np.isfinite(difference)]
        over_sites = stats.wilcoxon(finite).pvalue if finite.any() else 1.0
        middle = unit_interval(difference, units.label, of="median")
        rows.append(
            frame.assign(
                median_difference=middle.estimate,
                low=middle.low,
                high=middle.high,
                difference=difference,
                p=p,
                median_excess=np.median(excess, axis=0),
                p_over_sites=over_sites,
            )
        )
    if not rows:
        return pd.DataFrame(), HypothesisTable.from_rows([])
    table = pd.concat(rows, ignore_index=True)
    table["p_corrected"] = adjust(table["p"].to_numpy(), plan.correction)
    over = table.groupby("other", sort=False)["p_over_sites"].first()
    corrected = dict(zip(over.index, adjust(over.to_numpy(), "holm"), strict=True))
    table["p_over_sites_corrected"] = table["other"].map(corrected)
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
    over_sites = [
        _over_sites(part, (len(over), len(y_test[0])), units.said)
        for _, part in table.groupby("other", sort=False)
    ]
    return table, HypothesisTable.concat([pairs, HypothesisTable.from_rows(over_sites)])


def _over_sites(part: pd.DataFrame, counts: tuple[int, int], said: str) -> dict[str, object]:
    """The row of one pair of spaces, compared over sites; ``counts`` are pairs and sites."""
    pair = part.iloc[0]
    return {
        "question": "does one feature space explain the sites better?",
        "group": f"{pair['first']} and {pair['other']}",
        "metric": "held-out correlation",
        "test": "Wilcoxon signed-rank test of held-out correlations, two-sided",
        "p": pair["p_over_sites"],
        "p_corrected": pair["p_over_sites_corrected"],
        "correction": f"Holm over {counts[0]}",
        "n": counts[1],
        "n_unit": "sites",
        "effect_name": "median difference",
        "effect": pair["median_difference"],
        "low": pair["low"],
        "high": pair["high"],
        "note": f"sites of one session are not independent; interval: {said}",
    }
