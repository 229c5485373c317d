"""Null distributions from shuffled labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mua_decode.types import InputError


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

    @property
    def mean(self) -> np.ndarray:
        """Mean of the null distribution, float (...)."""
        return np.asarray(self.null.mean(axis=0))


def permutation_null(
    statistic_of: Callable[[np.ndarray], float | np.ndarray],
    labels: np.ndarray,
    *,
    rng: np.random.Generator,
    n: int = 999,
    groups: np.ndarray | None = None,
) -> PermutationNull:
    """Permute labels, within groups if any, and compute the statistic each time.

    Parameters
    ----------
    statistic_of
        Takes labels (M, ...) permuted along their first axis, returns one number or an array;
        larger is further from chance.
    labels
        (M, ...); rows move together.
    n
        Number of permutations.
    groups
        (M,): labels only change places within a group (a session, say).

    Returns
    -------
    PermutationNull
        The identity counts as one permutation, so that p is never below 1 / (1 + n) and the test
        keeps its level (Phipson and Smyth 2010, doi 10.2202/1544-6115.1585).

    Raises
    ------
    InputError
        If ``groups`` has another length than the labels, or n < 1.
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
    # Sums in another order differ in the last digits; a tie must not count as below.
    reached = null >= observed - 1e-12 * np.abs(observed)
    p = np.where(np.isnan(observed), np.nan, (1 + reached.sum(axis=0)) / (1 + n))
    return PermutationNull(observed, null, np.asarray(p))
