"""Null distributions from shuffled labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mua_decode.types import InputError

# Sums in another order differ in the last digits, and a score read back from a table was rounded
# to six: a tie must not count as below.
_TIE = 1e-5


def rank_p(null: np.ndarray, observed: float | np.ndarray) -> np.ndarray:
    """One-sided p of an observed statistic among draws of its null distribution; larger is better.

    Parameters
    ----------
    null
        float (n, ...). A draw within 1e-5 of the observed value, relative to it, is a tie and has
        reached it; so has a draw that is NaN, which can only raise p.
    observed
        float (...).

    Returns
    -------
    float (...): (1 + number of draws that reach the observed) / (1 + n), never below 1 / (1 + n)
    (Phipson and Smyth 2010, doi 10.2202/1544-6115.1585); NaN where the observed value is.
    """
    null, observed = np.asarray(null, float), np.asarray(observed, float)
    below = null < observed - _TIE * np.abs(observed)
    return np.where(np.isnan(observed), np.nan, (1 + (~below).sum(axis=0)) / (1 + len(null)))


@dataclass(frozen=True, eq=False)
class PermutationNull:
    """What a statistic is, and what it is when the labels mean nothing.

    Parameters
    ----------
    observed
        float (...): the statistic of the true labels.
    null
        float (n, ...): of permuted labels.
    p
        float (...): one-sided, (1 + number of permutations at or above the observed) / (1 + n);
        NaN where the observed statistic is.
    """

    observed: np.ndarray
    null: np.ndarray
    p: np.ndarray


def permutation_null(
    statistic_of: Callable[[np.ndarray], float | np.ndarray],
    labels: np.ndarray,
    *,
    rng: np.random.Generator,
    n: int = 999,
    groups: np.ndarray | None = None,
) -> PermutationNull:
    """Permute labels n times, within groups if any, and compute the statistic each time.

    Raises InputError if ``groups`` has another length than the labels, or n < 1.

    Parameters
    ----------
    statistic_of
        Takes labels (M, ...) permuted along their first axis, returns one number or an array;
        larger is further from chance.
    labels
        (M, ...); rows move together.
    groups
        (M,): labels only change places within a group (a session, say).

    Returns
    -------
    PermutationNull
        The identity counts as one permutation, so that p is never below 1 / (1 + n) and the test
        keeps its level (Phipson and Smyth 2010, doi 10.2202/1544-6115.1585).
    """
    labels = np.asarray(labels)
    if n < 1:
        raise InputError(f"permutations: expected at least 1, found {n}")
    if groups is not None and np.shape(groups) != (len(labels),):
        raise InputError(
            f"permutations: expected one group per label, ({len(labels)},), found "
            f"{np.shape(groups)}"
        )
    members = [np.arange(len(labels))]
    if groups is not None:
        code = np.unique(np.asarray(groups), return_inverse=True)[1]
        members = [np.flatnonzero(code == g) for g in range(code.max(initial=-1) + 1)]
    observed = np.asarray(statistic_of(labels), float)
    null = np.empty((n, *observed.shape))
    for i in range(n):
        order = np.arange(len(labels))
        for rows in members:
            order[rows] = rng.permutation(rows)
        null[i] = statistic_of(labels[order])
    return PermutationNull(observed, null, rank_p(null, observed))
