"""From the population back to the image: features, nearest image, identification."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats
from scipy.special import gammaln

from mua_decode.analyses.axis.ridge import Blocks, RidgeDesign
from mua_decode.analyses.axis.statistics import columns_correlation, unit_rows
from mua_decode.statistics import rank_p
from mua_decode.types import HypothesisTable

DISTRACTORS = (1, 4, 9, 49, 99)


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """Held-out images read back from the population."""

    # float64 (P,): decoded and true components over the test images.
    feature_correlation: np.ndarray
    # float64 (M,): share of the other test images that are less like the decoded vector than the
    # true image is; chance is 1/2.
    rank: np.ndarray
    nearest: np.ndarray  # int (M,): row of the library image nearest to the decoded vector
    # Accuracy by number of distractors, from the test images and from the library.
    table: pd.DataFrame
    p: float  # one-sided p-value of the mean rank
    test: HypothesisTable  # its row


def fit_decoder(
    population: np.ndarray, target: np.ndarray, blocks: Blocks
) -> Callable[[np.ndarray], np.ndarray]:
    """Linear map from standardised population vectors (R, N) to targets (R, P).

    Ridge, fitted on responses (M, N) and targets (M, P) of the training rows; the penalty of every
    target is chosen inside them.
    """
    z = standardised(population, blocks)
    return RidgeDesign(z, blocks).fit(target, blocks).predict


def standardised(population: np.ndarray, blocks: Blocks) -> np.ndarray:
    """Each site less its mean and over its standard deviation in the training rows, (M, N)."""
    train = population[blocks.train]
    sd = train.std(axis=0)
    return np.asarray((population - train.mean(axis=0)) / np.where(sd > 0, sd, 1))


def reconstruct(
    population: np.ndarray,
    x: np.ndarray,
    blocks: Blocks,
    *,
    n_permutations: int,
    rng: np.random.Generator,
) -> Reconstruction:
    """Decode the components of the test images and find the images they belong to.

    Similarity of a decoded and a true vector is Pearson's correlation of their components, each in
    standard deviations of the training images. The library is the training images: the true image
    is never in it, it can only lend its nearest one, or serve as a distractor. Takes responses (M,
    N) and components (M, P); the null permutes the test images among the decoded vectors.
    """
    train, test = blocks.train, blocks.test
    decoded = fit_decoder(population, x, blocks)(standardised(population, blocks)[test])
    mean, sd = x[train].mean(axis=0), x[train].std(axis=0)
    sd = np.where(sd > 0, sd, 1)
    unit = [_unit((v - mean) / sd) for v in (decoded, x[test], x[train])]
    among, library = unit[0] @ unit[1].T, unit[0] @ unit[2].T
    rank = _ranks(among)
    beaten, every, n = _all_ranks(among), np.arange(len(test)), len(test)
    null = np.array([beaten[every, rng.permutation(n)].mean() for _ in range(n_permutations)])
    p = rank_p(null, rank.mean())
    beaten_by_library = (library < np.diag(among)[:, None]).sum(axis=1)
    counted = {"n": n, "n_unit": "held-out images"}
    rows = [
        {
            "distractors": d,
            "source": source,
            "accuracy": _accuracy(better, size, d).mean(),
            "chance": 1 / (d + 1),
            **counted,
        }
        for source, better, size in (
            ("test images", np.round(rank * (n - 1)), n - 1),
            ("library", beaten_by_library, len(train)),
        )
        for d in [*(d for d in DISTRACTORS if d < size), size]
    ]
    row = {
        "question": "are held-out images read back?",
        "group": "all sites",
        "metric": "mean rank of the true image",
        "test": f"permutation of images among decoded vectors, {n_permutations} permutations, "
        "mean rank above chance, one-sided",
        "p": float(p),
        **counted,
        "effect_name": "mean rank less chance",
        "effect": rank.mean() - 0.5,
    }
    return Reconstruction(
        feature_correlation=columns_correlation(decoded, x[test]),
        rank=rank,
        nearest=train[library.argmax(axis=1)],
        table=pd.DataFrame(rows),
        p=float(p),
        test=HypothesisTable.from_rows([row]),
    )


def _unit(v: np.ndarray) -> np.ndarray:
    """Rows of length 1, about their means where that leaves more than a sign."""
    return unit_rows(v - v.mean(axis=1, keepdims=True) if v.shape[1] > 2 else v)


def _ranks(similarity: np.ndarray) -> np.ndarray:
    """Share of other candidates (columns) that are less similar than the own (diagonal)."""
    own = np.diag(similarity)[:, None]
    less = (similarity < own).sum(axis=1) + ((similarity == own).sum(axis=1) - 1) / 2
    return np.asarray(less / max(1, len(similarity) - 1))


def _all_ranks(similarity: np.ndarray) -> np.ndarray:
    """Rank that every candidate would have if it were the own one, ties as a half, (M, M)."""
    order = stats.rankdata(similarity, axis=1) - 1
    return np.asarray(order / max(1, similarity.shape[1] - 1))


def _accuracy(better: np.ndarray, size: int, distractors: int) -> np.ndarray:
    """Chance that ``distractors`` drawn from ``size`` candidates are all among the beaten ones."""
    b = better.astype(np.float64)
    possible = b >= distractors
    safe = np.where(possible, b, distractors)
    log = (
        gammaln(safe + 1)
        - gammaln(safe - distractors + 1)
        - gammaln(size + 1)
        + gammaln(size - distractors + 1)
    )
    return np.where(possible, np.exp(log), 0.0)
