"""Regions compared with each other: which loses more, which moves the reconstruction further."""

from __future__ import annotations

import itertools

import pandas as pd

from mua_decode.analyses.ablate.losses import pairs_in
from mua_decode.statistics import correct, paired_t, unit_t
from mua_decode.types import HypothesisTable

_MEASURES = {"loss": "lose more", "change": "move further"}


def region_contrasts(
    values: pd.DataFrame, *, measure: str, correction: str = "holm"
) -> HypothesisTable:
    """Every pair of regions, paired over conditions: 15 contrasts of six regions per metric.

    Parameters
    ----------
    values
        Rows of :func:`loss_table`, regions alone, or of :func:`condition_changes`.
    measure
        The column compared: ``loss`` or ``change``.
    correction
        Over the contrasts within metric, averaging and fill: holm, fdr_bh or none.

    Returns
    -------
    Group ``V4 - MT``; ``effect`` is how much more the first loses. Where conditions share units,
    the contrast is tested over their means too.
    """
    tables: list[HypothesisTable] = []
    for key, rows in values.groupby(["fill", "trial", "metric"], sort=False):
        fill, trial, metric = map(str, key)
        by_region = {str(name): part for name, part in rows.groupby("removed", sort=False)}
        for a, b in itertools.combinations(by_region, 2):
            left, right = by_region[a][measure].to_numpy(), by_region[b][measure].to_numpy()
            asked = {
                "question": f"does {metric} {_MEASURES[measure]} without {a} than without {b}?",
                "group": f"{a} - {b}",
                "metric": f"{metric}, {measure}, {trial}, {fill}",
            }
            each, units = pairs_in(by_region[a])
            tables.append(paired_t(left, right, n_unit=each, **asked))
            if units is not None:
                tables.append(unit_t(left - right, units, **asked))
    return correct(HypothesisTable.concat(tables), method=correction, within=["metric", "test"])
