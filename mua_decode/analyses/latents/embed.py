"""Do points of one cue, stimulus, response or region lie together? PCA, t-SNE, silhouettes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.metrics import pairwise_distances, silhouette_score
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from mua_decode.analyses.latents.labels import Units, Vectors
from mua_decode.statistics import correct, permutation_null
from mua_decode.types import HypothesisTable, InputError, ResultTable, Stream

Method = Literal["pca", "tsne"]
_PERPLEXITY = 30.0  # default of van der Maaten and Hinton's implementation
_DIMENSIONS = 50  # principal components t-SNE sees


@dataclass(frozen=True, eq=False)
class Embedding:
    """Points (n, 2) in the plane, their labels, and the name of the space they are from.

    ``explained`` is the share of the variance along each axis of PCA, in [0, 1].
    """

    points: np.ndarray
    method: Method
    space: str
    explained: tuple[float, float] | None
    labels: pd.DataFrame


@dataclass(frozen=True, eq=False)
class Separation:
    """Silhouettes beside their chance, and the tests of them."""

    results: ResultTable
    tests: HypothesisTable


def embed(vectors: Vectors, *, method: Method, seed: int) -> Embedding:
    """Embed points in the plane.

    Raises InputError with fewer than 4 points or one dimension, or on another method.

    Parameters
    ----------
    method
        ``"pca"``: first two principal components. ``"tsne"``: t-SNE (van der Maaten and Hinton
        2008) of the first 50 components at perplexity 30, or a third of the points if less.
    seed
        Of t-SNE and of randomised PCA.
    """
    n, d = vectors.points.shape
    if n < 4 or d < 2:
        raise InputError(
            f"embedding '{vectors.space}': needs at least 4 points in 2 dimensions, "
            f"found {n} in {d}"
        )
    if method == "pca":
        pca = PCA(2, random_state=seed)
        points = pca.fit_transform(vectors.points)
        first, second = (float(v) for v in np.nan_to_num(pca.explained_variance_ratio_))
        return Embedding(points, method, vectors.space, (first, second), vectors.labels)
    if method != "tsne":
        raise InputError(f"embedding: method must be pca or tsne, found {method}")
    reduced = vectors.points
    if d > _DIMENSIONS:
        reduced = PCA(min(_DIMENSIONS, n), random_state=seed).fit_transform(reduced)
    perplexity = min(_PERPLEXITY, (n - 1) / 3)
    tsne = TSNE(2, perplexity=perplexity, init="pca", random_state=seed, n_jobs=1)
    # On so few points threads wait for each other more than they compute, and a sum's last
    # digits would depend on their number.
    with threadpool_limits(1):
        points = tsne.fit_transform(reduced)
    return Embedding(points, method, vectors.space, None, vectors.labels)


def separation(
    vectors: Vectors, embeddings: Sequence[Embedding] = (), *, seed: int, n_permutations: int = 199
) -> Separation:
    """Silhouette of every label, in the space itself and in embeddings of it, beside chance.

    A silhouette (Rousseeuw 1987, doi 10.1016/0377-0427(87)90125-7; Euclidean, in [-1, 1]) is above
    0 where points lie nearer to their own class than to the next. Chance permutes the label
    over its units, points of a unit together: over conditions for cue, colour or direction (groups
    of them where they share recorded trials), over
    the sites of a session for region, over the recorded trials of a condition for response, which
    the condition decides in correct trials. An embedding is not recomputed. Points whose response
    is mixed are of no class and left out.

    Returns
    -------
    Separation
        ``results``: metrics ``silhouette_LABEL`` and ``silhouette_LABEL_chance`` (mean over
        permutations), ``run`` the space, ``segment`` "full", "pca" or "tsne"; a label with one
        class only, or as many classes as points, has no row. ``tests``: the one-sided permutation
        p of each, Holm over the labels within space and segment; where every unit is a class of its
        own, or all units of every group are of one class, permuting changes nothing, and p is
        missing, as for the response of pseudo-trials, which the note explains.
    """
    spaces = {"full": vectors.points} | {e.method: e.points for e in embeddings}
    rows: list[dict[str, object]] = []
    tests: list[dict[str, object]] = []
    rng = Stream.LATENT_SILHOUETTES.rng(seed)
    for name, values in spaces.items():
        if len(values) != len(vectors.points):
            raise InputError(f"separation: embedding '{name}' has other points than the space")
        distance = pairwise_distances(values.astype(np.float64))
        np.fill_diagonal(distance, 0)
        for label in map(str, vectors.labels.columns):
            found = _silhouette(distance, vectors, label, n_permutations, rng)
            if found is None:
                continue
            rows += _result_rows(vectors, label, name, found)
            tests.append(_test_row(vectors, label, name, found, n_permutations))
    table = correct(HypothesisTable.from_rows(tests), method="holm", within=["group"])
    return Separation(ResultTable.from_rows(rows), table)


@dataclass(frozen=True)
class _Silhouette:
    value: float
    n_points: int
    n_units: int
    chance: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")
    p: float = float("nan")
    note: str = ""


def _silhouette(
    distance: np.ndarray,
    vectors: Vectors,
    label: str,
    n_permutations: int,
    rng: np.random.Generator,
) -> _Silhouette | None:
    names = vectors.labels[label].astype(str).to_numpy()
    known = np.flatnonzero(names != vectors.units[label].no_class)
    distance, units = distance[np.ix_(known, known)], vectors.units[label].where(known)
    classes = np.unique(names[known], return_inverse=True)[1]
    n_classes = len(np.unique(classes))
    if not 2 <= n_classes < len(classes):
        return None
    _, first, unit = np.unique(units.index, return_index=True, return_inverse=True)
    of_unit = classes[first]
    if (of_unit[unit] != classes).any():
        raise InputError(f"separation '{vectors.space}': a unit of '{label}' has two classes")

    def score(labels: np.ndarray) -> float:
        return float(silhouette_score(distance, labels[unit], metric="precomputed"))

    size = (len(known), len(first))
    groups = None if units.within is None else units.within[first]
    stuck = _stuck(of_unit, groups, units)
    if stuck:
        return _Silhouette(score(of_unit), *size, note=stuck)
    null = permutation_null(score, of_unit, n=n_permutations, rng=rng, groups=groups)
    low, high = np.quantile(null.null, [0.025, 0.975])
    chance, p = float(null.null.mean()), float(null.p)
    note = null.note.replace("labels", units.name)
    return _Silhouette(float(null.observed), *size, chance, float(low), float(high), p, note)


def _stuck(of_unit: np.ndarray, groups: np.ndarray | None, units: Units) -> str:
    """Why permuting the classes of units changes nothing, or says nothing; empty where it does."""
    if units.untested:
        return units.untested
    if len(np.unique(of_unit)) == len(of_unit):
        return "every unit is a class of its own: nothing to permute"
    if groups is not None and pd.Series(of_unit).groupby(groups).nunique().max() == 1:
        return f"one class within each of the {units.within_name}: nothing to permute"
    return ""


def _result_rows(
    vectors: Vectors, label: str, segment: str, found: _Silhouette
) -> list[dict[str, object]]:
    base = {
        "run": vectors.space, "split": vectors.part, "condition": "all", "trial": vectors.trial,
        "mask": "none", "segment": segment, "unit": "1", "n": found.n_points, "n_unit": "points",
    }  # fmt: skip
    return [
        base | {"metric": f"silhouette_{label}", "value": found.value},
        base | {"metric": f"silhouette_{label}_chance", "value": found.chance},
    ]


def _test_row(
    vectors: Vectors, label: str, segment: str, found: _Silhouette, n_permutations: int
) -> dict[str, object]:
    units = vectors.units[label]
    inside = f" within {units.within_name}" if units.within is not None else ""
    test = f"label permutation over {units.name}{inside}, one-sided ({n_permutations})"
    row: dict[str, object] = {
        "question": f"do points of one {label} lie together?",
        "group": f"{vectors.space}, {segment}", "metric": f"silhouette_{label}",
        "test": "none" if units.untested else test,
        "statistic": found.value, "n": found.n_units, "n_unit": units.name,
        "effect_name": "silhouette minus the mean of chance", "p": found.p,
    }  # fmt: skip
    if np.isnan(found.p):
        return row | {"note": found.note}
    note = f"{found.n_points} points"
    if inside:
        note += f"; permuted{inside}, so that what they share counts for nothing"
    note += f"; {found.note}" if found.note else ""
    # The interval that the spread of chance gives the difference.
    low, high = found.value - found.high, found.value - found.low
    return row | {"effect": found.value - found.chance, "low": low, "high": high, "note": note}
