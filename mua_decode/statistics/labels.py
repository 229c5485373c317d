"""Whether scores follow the labels of conditions: pairs of conditions permuted."""

from __future__ import annotations

from typing import Literal

import numpy as np

from mua_decode.statistics.permutation import rank_p
from mua_decode.types import HypothesisTable, InputError


def label_permutation(
    table: np.ndarray,
    *,
    rng: np.random.Generator,
    question: str,
    group: str,
    metric: str,
    better: Literal["higher", "lower"] = "higher",
    n_unit: str = "conditions",
    n: int = 9999,
    note: str = "",
) -> HypothesisTable:
    """Test whether what belongs to a condition fits it better than the others, one-sided.

    The statistic is the mean of the diagonal; each permutation pairs every row with another
    column. What all conditions share (an onset, the mean video) raises every entry alike and
    cannot make the diagonal stand out.

    Parameters
    ----------
    table
        float (K, K): entry (i, j) scores what was made of condition i against condition j. A
        condition whose column is NaN throughout has nothing to be compared with and is left out;
        other NaN entries are left out of the mean.
    rng
        Of the permutations.
    question, group, metric, n_unit, note
        Copied into the row; ``n`` is the number of conditions used.
    better
        Which way a score is better: ``"lower"`` for errors.
    n
        Number of permutations.

    Returns
    -------
    One row. p is the rank of the statistic among the permutations (:func:`rank_p`). ``effect`` is
    the statistic minus the mean of the permutations, with the interval that their central 95 %
    give it. Fewer than two conditions, or scores that are all the same, have no p-value.

    Raises
    ------
    InputError
        If the table is not square, ``better`` is neither, or n < 1.
    """
    table = np.asarray(table, float)
    if table.ndim != 2 or len(table) != table.shape[1]:
        raise InputError(f"label permutation: expected a table (K, K), found {table.shape}")
    if better not in ("higher", "lower") or n < 1:
        raise InputError(
            f"label permutation: expected better=higher or lower and n >= 1, found {better}, {n}"
        )
    known = ~np.isnan(table).all(axis=0)
    notes = [note] if note else []
    if not known.all():
        notes.append(f"{(~known).sum()} conditions without a score for what was shown left out")
    table = table[np.ix_(known, known)]
    k = len(table)
    row: dict[str, object] = {
        "question": question, "group": group, "metric": metric, "n": k, "n_unit": n_unit,
        "test": f"label permutation over conditions, one-sided ({better}, {n})",
        "effect_name": "difference to the mean of permuted conditions",
    }  # fmt: skip
    if k < 2 or np.isnan(table.diagonal()).all():
        notes.append("fewer than 2 conditions" if k < 2 else "no score on the diagonal")
        return HypothesisTable.from_rows([row | {"note": "; ".join(notes)}])
    if np.nanmax(table) == np.nanmin(table):
        notes.append("every score is the same, so that nothing follows from it")
        return HypothesisTable.from_rows([row | {"note": "; ".join(notes)}])
    each = np.arange(k)
    orders = rng.permuted(np.tile(each, (n, 1)), axis=1)
    observed = _mean(table[each, each][None])[0]
    null = _mean(table[each, orders])
    sign = 1 if better == "higher" else -1
    low, high = observed - np.nanquantile(null, [0.975, 0.025])
    row |= {
        "statistic": observed, "p": float(rank_p(sign * null, sign * observed)),
        "effect": float(observed - np.nanmean(null)), "low": float(low), "high": float(high),
    }  # fmt: skip
    return HypothesisTable.from_rows([row | {"note": "; ".join(notes)}])


def _mean(values: np.ndarray) -> np.ndarray:
    """Mean of every row of (n, K) over what is not NaN; NaN where nothing is."""
    known = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(known, values, 0).sum(axis=1) / known.sum(axis=1))
