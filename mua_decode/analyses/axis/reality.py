"""Reality monitoring: perceived or imagined, told from a growing number of sites."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mua_decode.analyses.axis.imagery import StateTrials, shared_objects
from mua_decode.analyses.axis.statistics import TestNote
from mua_decode.statistics import adjust

_FOLDS = 5


def measure_reality(
    imagery: list[StateTrials],
    perception: list[StateTrials],
    *,
    sizes: Sequence[int],
    draws: int,
    n_permutations: int,
    rng: np.random.Generator,
) -> tuple[pd.DataFrame, TestNote]:
    """Accuracy of telling perceived from imagined trials of the same objects.

    Equally many trials per object and state; a ridge classifier, cross-validated over trials
    (five folds), on random subsets of the sites; averaged over subsets. The null permutes the
    states of trials, the same way for all subsets.

    Parameters
    ----------
    imagery, perception
        Single trials of the sessions.
    sizes
        Numbers of sites; those above the population are replaced by the whole population.
    draws
        Random subsets per number.
    n_permutations
        Permutations.

    Returns
    -------
    One row per number of sites: ``n_sites``, ``accuracy``, ``sd_over_subsets``, ``chance``,
    ``null_95`` (95th percentile of the null), ``p``, ``p_corrected`` (Holm over sizes), ``n``.
    """
    objects = shared_objects(imagery)
    x, label = _paired(imagery, perception, objects, rng)
    n_sites = x.shape[1]
    sizes = sorted({min(int(s), n_sites) for s in sizes})
    labels = np.stack([label, *(rng.permutation(label) for _ in range(n_permutations))], axis=1)
    folds = rng.permutation(len(x)) % _FOLDS
    rows = []
    for size in sizes:
        subsets = [
            rng.choice(n_sites, size, replace=False) for _ in range(1 if size == n_sites else draws)
        ]
        hits = np.stack([_accuracy(x[:, s], labels, folds) for s in subsets])
        mean = hits.mean(axis=0)
        rows.append(
            {
                "n_sites": size,
                "accuracy": mean[0],
                "sd_over_subsets": hits[:, 0].std(),
                "chance": 0.5,
                "null_95": np.quantile(mean[1:], 0.95),
                "p": (1 + (mean[1:] >= mean[0]).sum()) / (1 + n_permutations),
                "n": len(x),
            }
        )
    table = pd.DataFrame(rows)
    table["p_corrected"] = adjust(table["p"].to_numpy(), "holm")
    note = TestNote(
        "reality_monitoring",
        f"permutation of states, {n_permutations} permutations, accuracy above chance, one-sided",
        f"{len(x)} trials",
        len(table),
        "holm",
    )
    return table, note


def _paired(
    imagery: list[StateTrials],
    perception: list[StateTrials],
    objects: np.ndarray,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Rates (R, N) of equally many trials of both states, and +1 perceived, -1 imagined."""
    rows, label = [], []
    for o in objects:
        here = [
            [rng.permutation(np.flatnonzero(t.condition == o)) for t in state]
            for state in (perception, imagery)
        ]
        n = min(len(h) for state in here for h in state)
        for state, picked, sign in ((perception, here[0], 1.0), (imagery, here[1], -1.0)):
            rates = [t.rate[h[:n]] for t, h in zip(state, picked, strict=True)]
            rows.append(np.concatenate(rates, axis=1))
            label.append(np.full(n, sign))
    x = np.concatenate(rows)
    return np.where(np.isfinite(x), x, np.nanmean(x, axis=0)), np.concatenate(label)


def _accuracy(x: np.ndarray, labels: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """Cross-validated accuracy for every column of labels (R, 1 + permutations)."""
    hits = np.zeros(labels.shape[1])
    for k in range(_FOLDS):
        train, test = folds != k, folds == k
        mean, sd = x[train].mean(axis=0), x[train].std(axis=0)
        z = (x - mean) / np.where(sd > 0, sd, 1)
        centre = labels[train].mean(axis=0)
        gram = z[train].T @ z[train]
        penalty = max(float(np.trace(gram)) / len(gram), 1e-9)
        weight = np.linalg.solve(
            gram + penalty * np.eye(len(gram)), z[train].T @ (labels[train] - centre)
        )
        hits += ((z[test] @ weight + centre) * labels[test] > 0).sum(axis=0)
    return hits / len(x)
