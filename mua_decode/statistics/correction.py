"""p-values adjusted for how many there are."""

from __future__ import annotations

import gc
from collections.abc import Sequence

import numpy as np
from statsmodels.stats.multitest import multipletests

from mua_decode.types import HypothesisTable, InputError

CORRECTIONS = {"holm": "Holm", "fdr_bh": "Benjamini-Hochberg", "none": "none"}


def adjust(p: np.ndarray, method: str) -> np.ndarray:
    """Adjust p-values for their number; NaN stays NaN and is not counted.

    Raises InputError on another method.

    Parameters
    ----------
    p
        float, any shape.
    method
        ``"holm"``: Holm 1979, family-wise error. ``"fdr_bh"``: Benjamini and Hochberg 1995, false
        discovery rate. ``"none"``.
    """
    if method not in CORRECTIONS:
        raise InputError(f"correction must be one of {', '.join(CORRECTIONS)}; found {method}")
    out = np.array(p, np.float64)
    known = ~np.isnan(out)
    if known.any() and method != "none":
        # statsmodels collects garbage in every Holm correction, which takes a tenth of a second
        # in a process of this size; frozen objects are not looked through.
        gc.freeze()
        try:
            out[known] = multipletests(out[known], method=method)[1]
        finally:
            gc.unfreeze()
    return out


def correct(
    table: HypothesisTable, *, method: str = "holm", within: Sequence[str] = ("metric",)
) -> HypothesisTable:
    """Correct a table's p-values within families.

    Raises InputError if a column or the method is unknown.

    Parameters
    ----------
    table
        Its p-values are corrected afresh, whatever ``p_corrected`` says.
    within
        Columns whose equal values make a family: ``["metric"]`` corrects over the groups of every
        metric, ``[]`` over the whole table.

    Returns
    -------
    HypothesisTable
        ``correction`` says the method and the size of the family, "Holm over 6". Rows without a
        p-value are in no family.
    """
    unknown = [c for c in within if c not in table.frame.columns]
    if unknown:
        raise InputError(f"correct: no column '{unknown[0]}' in a hypothesis table")
    if method not in CORRECTIONS:
        raise InputError(f"correction must be one of {', '.join(CORRECTIONS)}; found {method}")
    frame = table.frame.reset_index(drop=True)
    p, known = frame["p"].to_numpy(float), frame["p"].notna().to_numpy()
    family: np.ndarray = np.zeros(len(frame), np.int64)
    if within and len(frame):
        family = frame.groupby(list(within), sort=False, dropna=False).ngroup().to_numpy()
    corrected = np.full(len(frame), np.nan)
    text = np.full(len(frame), "none (no p-value)" if method != "none" else "none", dtype=object)
    for number in np.unique(family):
        rows = np.flatnonzero((family == number) & known)
        corrected[rows] = adjust(p[rows], method)
        if method != "none":
            text[rows] = f"{CORRECTIONS[method]} over {len(rows)}"
    return HypothesisTable(frame.assign(p_corrected=corrected, correction=text))
