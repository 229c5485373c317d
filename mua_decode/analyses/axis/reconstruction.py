"""From the population back to the image: features, nearest image, identification, pixels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import gammaln

from mua_decode.analyses.axis.ridge import Blocks, RidgeDesign
from mua_decode.analyses.axis.statistics import TestNote, columns_correlation

DISTRACTORS = (1, 4, 9, 49, 99)


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """Held-out images read back from the population.

    Parameters
    ----------
    features
        float64 (M, P): decoded components of the M test images.
    feature_correlation
        float64 (P,): decoded and true components over the test images.
    rank
        float64 (M,): share of the other test images that are less like the decoded vector than
        the true image is; chance is 1/2.
    nearest
        int (M,): row of the library image nearest to the decoded vector.
    table
        Accuracy by number of distractors, from the test images and from the library.
    p
        One-sided p-value of the mean rank.
    test
        What stands behind it.
    """

    features: np.ndarray
    feature_correlation: np.ndarray
    rank: np.ndarray
    nearest: np.ndarray
    table: pd.DataFrame
    p: float
    test: TestNote


def fit_decoder(
    population: np.ndarray, target: np.ndarray, blocks: Blocks
) -> Callable[[np.ndarray], np.ndarray]:
    """Linear map from standardised population vectors to targets.

    Ridge; the penalty of every target is chosen inside the training rows.

    Parameters
    ----------
    population
        Responses (M, N).
    target
        (M, P): components of features, or of pixels.
    blocks
        Training rows; the test rows are not used.

    Returns
    -------
    A function from vectors (R, N), each site in standard deviations, to targets (R, P).
    """
    z = standardised(population, blocks)
    return RidgeDesign(z, blocks).fit(target, blocks).predict


def standardised(population: np.ndarray, blocks: Blocks) -> np.ndarray:
    """Each site less its mean and over its standard deviation in the training rows, (M, N)."""
    train = population[blocks.train]
    sd = train.std(axis=0)
    return np.asarray((population - train.mean(axis=0)) / np.where(sd > 0, sd, 1))


def decode_features(population: np.ndarray, target: np.ndarray, blocks: Blocks) -> np.ndarray:
    """Targets of the test rows, decoded from their responses, (M_test, P)."""
    decode = fit_decoder(population, target, blocks)
    return decode(standardised(population, blocks)[blocks.test])


def reconstruct(
    population: np.ndarray,
    x: np.ndarray,
    blocks: Blocks,
    *,
    n_permutations: int,
    rng: np.random.Generator,
    distractors: Sequence[int] = DISTRACTORS,
) -> Reconstruction:
    """Decode the components of the test images and find the images they belong to.

    Similarity of a decoded and a true vector is Pearson's correlation of their components, each
    in standard deviations of the training images. The library is the training images: the true
    image is never in it, it can only lend its nearest one, or serve as a distractor.

    Parameters
    ----------
    population
        Responses (M, N).
    x
        Components (M, P).
    blocks
        Training and test rows.
    n_permutations
        Permutations of the test images among the decoded vectors.
    """
    train, test = blocks.train, blocks.test
    decoded = decode_features(population, x, blocks)
    mean, sd = x[train].mean(axis=0), x[train].std(axis=0)
    sd = np.where(sd > 0, sd, 1)
    unit = [_unit((v - mean) / sd) for v in (decoded, x[test], x[train])]
    among, library = unit[0] @ unit[1].T, unit[0] @ unit[2].T
    rank = _ranks(among)
    null = np.empty(n_permutations)
    beaten = _all_ranks(among)
    for i in range(n_permutations):
        null[i] = beaten[np.arange(len(test)), rng.permutation(len(test))].mean()
    p = (1 + (null >= rank.mean()).sum()) / (1 + n_permutations)
    own = np.diag(among)
    beaten_by_library = (library < own[:, None]).sum(axis=1)
    rows = [
        {
            "distractors": d,
            "source": source,
            "accuracy": _accuracy(better, size, d).mean(),
            "chance": 1 / (d + 1),
            "n": len(test),
        }
        for source, better, size in (
            ("test images", np.round(rank * (len(test) - 1)), len(test) - 1),
            ("library", beaten_by_library, len(train)),
        )
        for d in [*(d for d in distractors if d < size), size]
    ]
    note = TestNote(
        "identification",
        f"permutation of images among decoded vectors, {n_permutations} permutations, mean rank "
        "above chance, one-sided",
        f"{len(test)} held-out images",
        1,
        "none",
    )
    return Reconstruction(
        features=decoded,
        feature_correlation=columns_correlation(decoded, x[test]),
        rank=rank,
        nearest=train[library.argmax(axis=1)],
        table=pd.DataFrame(rows),
        p=float(p),
        test=note,
    )


def fit_pixel_decoder(
    population: np.ndarray, images: np.ndarray, blocks: Blocks, *, n_components: int
) -> Callable[[np.ndarray], np.ndarray]:
    """Linear decoder from standardised population vectors to pixels.

    Parameters
    ----------
    population
        Responses (M, N).
    images
        float (M, C, H, W) in [0, 1].
    blocks
        Training rows.
    n_components
        Principal components of the training images that are decoded; fewer if there are fewer.

    Returns
    -------
    A function from vectors (R, N) to images (R, C, H, W), clipped to [0, 1].
    """
    flat = images.reshape(len(images), -1).astype(np.float64)
    mean = flat[blocks.train].mean(axis=0)
    axes = np.linalg.svd(flat[blocks.train] - mean, full_matrices=False)[2][:n_components]
    decode = fit_decoder(population, (flat - mean) @ axes.T, blocks)

    def to_images(z: np.ndarray) -> np.ndarray:
        out = np.clip(decode(z) @ axes + mean, 0, 1)
        return np.asarray(out.reshape(-1, *images.shape[1:]))

    return to_images


def pixel_correlation(predicted: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Pearson correlation over all pixels of each image, (M,)."""
    return columns_correlation(
        predicted.reshape(len(predicted), -1).T, true.reshape(len(true), -1).T
    )


def _unit(v: np.ndarray) -> np.ndarray:
    away = v - v.mean(axis=1, keepdims=True) if v.shape[1] > 2 else v
    length = np.linalg.norm(away, axis=1, keepdims=True)
    return np.asarray(away / np.where(length > 0, length, 1))


def _ranks(similarity: np.ndarray) -> np.ndarray:
    """Share of other candidates (columns) that are less similar than the own (diagonal)."""
    own = np.diag(similarity)[:, None]
    less = (similarity < own).sum(axis=1) + ((similarity == own).sum(axis=1) - 1) / 2
    return np.asarray(less / max(1, len(similarity) - 1))


def _all_ranks(similarity: np.ndarray) -> np.ndarray:
    """Rank that every candidate would have if it were the own one, (M, M)."""
    order = similarity.argsort(axis=1).argsort(axis=1)
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
