"""Train on perception, test on imagery, and back: which object is it?"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from mua_decode.analyses.axis.statistics import rows_correlation
from mua_decode.analyses.axis.trials import StateTrials, shared_objects, side_by_side
from mua_decode.statistics import adjust, out_of_reach
from mua_decode.types import HypothesisTable

# Standardised population vectors (R, N) -> similarity to the O objects, (R, O).
Similarity = Callable[[np.ndarray], np.ndarray]


class PopulationTrials(NamedTuple):
    """Trials of the whole population, sessions side by side.

    Each site of z (R, N) is standardised over these trials (no label is used), so that a change
    of scale between states does not count; label (R,) is the index of the object.
    """

    z: np.ndarray
    label: np.ndarray


def population_trials(
    trials: list[StateTrials], objects: np.ndarray, *, rng: np.random.Generator
) -> PopulationTrials:
    """Trials of the objects from all sessions side by side, standardised."""
    rate, label, _ = side_by_side([trials], objects, rng=rng)
    mean = np.nanmean(rate, axis=0)
    rate = np.where(np.isfinite(rate), rate, mean)
    sd = rate.std(axis=0)
    return PopulationTrials((rate - mean) / np.where(sd > 0, sd, 1), label)


def nearest_centroid(train: PopulationTrials, n_objects: int) -> Similarity:
    """Similarity by Pearson correlation with the mean training vector of every object."""
    means = np.stack([train.z[train.label == k].mean(axis=0) for k in range(n_objects)])
    return lambda z: rows_correlation(z, means)


def by_vectors(decode: Callable[[np.ndarray], np.ndarray], objects: np.ndarray) -> Similarity:
    """Similarity of decoded vectors (features, or pixels) to those of the objects, (O, D)."""
    flat = objects.reshape(len(objects), -1)
    middle = flat.mean(axis=0)  # what all objects share tells none of them
    away = flat - middle
    return lambda z: rows_correlation(decode(z).reshape(len(z), -1) - middle, away)


def cross_decode(
    decoders: Mapping[str, Similarity],
    test: PopulationTrials,
    *,
    direction: str,
    n_objects: int,
    n_permutations: int,
    rng: np.random.Generator,
) -> list[dict[str, object]]:
    """Identify the object of every test trial with every decoder.

    Rows with ``decoder``, ``direction``, ``accuracy``, ``chance``, ``p`` (labels of the objects
    permuted, one-sided; ``n_units`` objects), ``n`` trials.
    """
    rows: list[dict[str, object]] = []
    for name, similarity in decoders.items():
        guess = similarity(test.z).argmax(axis=1)
        confusion = np.zeros((n_objects, n_objects))
        np.add.at(confusion, (test.label, guess), 1)
        hits = np.trace(confusion)
        at = np.arange(n_objects)
        null = [confusion[at, rng.permutation(n_objects)].sum() for _ in range(n_permutations)]
        rows.append(
            {
                "decoder": name,
                "direction": direction,
                "accuracy": hits / len(guess),
                "chance": 1 / n_objects,
                "p": (1 + (np.array(null) >= hits).sum()) / (1 + n_permutations),
                "n": len(guess),
                "n_unit": "trials",
                "n_units": n_objects,
                "units": "objects",
            }
        )
    return rows


def measure_cross_decoding(
    imagery: list[StateTrials],
    perception: list[StateTrials],
    *,
    trained_on_perception: Mapping[str, Similarity],
    n_permutations: int,
    rng: np.random.Generator,
) -> tuple[pd.DataFrame, HypothesisTable]:
    """Both directions, with object classifiers and with decoders fitted on perception.

    p-values are Holm-corrected over all rows (``p_corrected``).
    ``trained_on_perception`` holds further decoders, fitted on perceived images other than the
    objects; they are tested on imagined and, as a reference, on perceived trials of the objects.
    """
    objects = shared_objects(imagery)
    n, rows = len(objects), []
    imagined, perceived = (population_trials(t, objects, rng=rng) for t in (imagery, perception))
    seen = {"object centroids": nearest_centroid(perceived, n), **trained_on_perception}
    for direction, decoders, test in (
        ("perception to imagery", seen, imagined),
        ("imagery to perception", {"object centroids": nearest_centroid(imagined, n)}, perceived),
        ("perception to perception", trained_on_perception, perceived),
    ):
        rows += cross_decode(
            decoders,
            test,
            direction=direction,
            n_objects=n,
            n_permutations=n_permutations,
            rng=rng,
        )
    table = pd.DataFrame(rows)
    table["p_corrected"] = adjust(table["p"].to_numpy(), "holm")
    how = (
        f"permutation of the objects' labels, {n_permutations} permutations, accuracy above "
        "chance, one-sided"
    )
    tests = [
        {
            "question": "is the object decoded in the other state?",
            "group": row["direction"],
            "metric": f"accuracy, {row['decoder']}",
            "test": how,
            "p": row["p"],
            "p_corrected": row["p_corrected"],
            "correction": f"Holm over {len(table)}",
            "n": n,
            "n_unit": "objects",
            "effect_name": "accuracy less chance",
            "effect": row["accuracy"] - row["chance"],
            "note": out_of_reach(1 / math.factorial(n), n, "objects"),
        }
        for row in table.to_dict("records")
    ]
    return table, HypothesisTable.from_rows(tests)
