"""What each region adds, averaged over every order in which regions can be added."""

from __future__ import annotations

from math import factorial

import numpy as np


def shapley_values(scores: np.ndarray) -> np.ndarray:
    """Exact Shapley values from the scores of all subsets.

    The value of region r is the mean, over all orders of adding regions one by one, of what the
    score gains when r is added (Shapley 1953, doi 10.1515/9781400881970-018):
    sum over subsets S without r of |S|! (R - |S| - 1)! / R! (v(S + r) - v(S)).

    Parameters
    ----------
    scores
        Float (2^R, ...): score of every subset, in the order of
        ``subset_masks``: region i is in subset s if bit i of s is
        set. Further axes (conditions, say) are kept.

    Returns
    -------
    Float (R, ...); the sum over regions is ``scores[-1] - scores[0]``.

    Raises
    ------
    ValueError
        If the number of subsets is not a power of two.
    """
    n_subsets = len(scores)
    n_regions = n_subsets.bit_length() - 1
    if n_subsets != 2**n_regions or n_regions == 0:
        raise ValueError(f"shapley: expected the scores of 2^R subsets, found {n_subsets}")
    subset = np.arange(n_subsets)
    size = np.array([int(s).bit_count() for s in subset])
    weight = np.array(
        [
            factorial(k) * factorial(n_regions - k - 1) / factorial(n_regions)
            for k in range(n_regions)
        ]
    )
    values = np.empty((n_regions, *scores.shape[1:]))
    for region in range(n_regions):
        without = subset[(subset >> region & 1) == 0]
        gained = scores[without | 1 << region] - scores[without]
        values[region] = np.tensordot(weight[size[without]], gained, axes=1)
    return values
