"""Which feature space explains a site better: visual or semantic, say."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy import stats

from mua_decode.analyses.axis.statistics import TestNote
from mua_decode.analyses.axis.tuning import AxisModel, AxisSettings
from mua_decode.statistics import adjust


def compare_spaces(
    models: Mapping[str, AxisModel], y_test: np.ndarray, *, settings: AxisSettings
) -> tuple[pd.DataFrame, tuple[TestNote, ...]]:
    """Which feature space explains a site better? Every later space against the first, paired.

    Per site, squared errors of the two predictions of the same held-out images are compared
    (Wilcoxon signed-rank, corrected over sites and pairs); over sites, the held-out correlations.

    Returns
    -------
    One row per pair and site: ``difference`` of held-out correlations (first less other), ``p``,
    ``p_corrected``, ``better`` (name or ``"neither"``), and ``p_over_sites`` of the pair.
    """
    names = list(models)
    rows = []
    first = models[names[0]]
    error = np.square(y_test - first.predicted)
    for name in names[1:]:
        other = models[name]
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
    table["p_corrected"] = adjust(table["p"].to_numpy(), settings.correction)
    over = table.groupby("other", sort=False)["p_over_sites"].first()
    corrected = dict(zip(over.index, adjust(over.to_numpy(), "holm"), strict=True))
    table["p_over_sites_corrected"] = table["other"].map(corrected)
    sure = (table["p_corrected"] <= settings.alpha) & (table["median_excess"] != 0)
    winner = np.where(table["median_excess"] > 0, table["first"], table["other"])
    table["better"] = np.where(sure, winner, "neither")
    n = f"{len(y_test)} held-out images"
    notes = (
        TestNote(
            "comparison",
            "Wilcoxon signed-rank test of paired squared errors, two-sided",
            n,
            len(table),
            settings.correction,
        ),
        TestNote(
            "comparison over sites",
            "Wilcoxon signed-rank test of held-out correlations, two-sided",
            f"{len(y_test[0])} sites",
            len(over),
            "holm",
        ),
    )
    return table, notes
