"""Which feature space explains a site better: visual or semantic, say."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy import stats

from mua_decode.analyses.axis.plan import SignificancePlan
from mua_decode.analyses.axis.statistics import TestNote
from mua_decode.analyses.axis.tuning import AxisModel
from mua_decode.statistics import adjust


def compare_spaces(
    models: Mapping[str, AxisModel], y_test: np.ndarray, *, plan: SignificancePlan
) -> tuple[pd.DataFrame, tuple[TestNote, ...]]:
    """Which feature space explains a site better? Every later space against the first, paired.

    Per site, squared errors of the two predictions of the same held-out images are compared
    (Wilcoxon signed-rank, corrected over sites and pairs); over sites, the held-out correlations.
    One row per pair and site: ``difference`` of held-out correlations (first less other), ``p``,
    ``p_corrected``, ``better`` (name or ``"neither"``), and ``p_over_sites`` of the pair.
    """
    rows = []
    (_, first), *others = models.items()
    error = np.square(y_test - first.predicted)
    for name, other in others:
        excess = np.square(y_test - other.predicted) - error
        difference = first.fit.correlation - other.fit.correlation
        frame = first.sites[["site_id", "region"]].assign(first=first.name, other=name)
        with np.errstate(invalid="ignore"):  # equal predictions have no p
            p = np.asarray(stats.wilcoxon(excess, axis=0).pvalue)
        finite = difference[np.isfinite(difference)]
        over_sites = stats.wilcoxon(finite).pvalue if finite.any() else 1.0
        rows.append(
            frame.assign(
                difference=difference,
                p=p,
                median_excess=np.median(excess, axis=0),
                p_over_sites=over_sites,
            )
        )
    if not rows:
        return pd.DataFrame(), ()
    table = pd.concat(rows, ignore_index=True)
    table["p_corrected"] = adjust(table["p"].to_numpy(), plan.correction)
    over = table.groupby("other", sort=False)["p_over_sites"].first()
    corrected = dict(zip(over.index, adjust(over.to_numpy(), "holm"), strict=True))
    table["p_over_sites_corrected"] = table["other"].map(corrected)
    sure = (table["p_corrected"] <= plan.alpha) & (table["median_excess"] != 0)
    winner = np.where(table["median_excess"] > 0, table["first"], table["other"])
    table["better"] = np.where(sure, winner, "neither")
    n, n_sites = f"{len(y_test)} held-out images", f"{len(y_test[0])} sites"
    pairs = "Wilcoxon signed-rank test of paired squared errors, two-sided"
    sites = "Wilcoxon signed-rank test of held-out correlations, two-sided"
    return table, (
        TestNote("comparison", pairs, n, len(table), plan.correction),
        TestNote("comparison over sites", sites, n_sites, len(over), "holm"),
    )
