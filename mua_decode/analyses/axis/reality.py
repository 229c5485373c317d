"""Reality monitoring: perceived or imagined, told from a growing number of sites."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mua_decode.analyses.axis.plan import RealityPlan
from mua_decode.analyses.axis.statistics import TestNote
from mua_decode.analyses.axis.trials import StateTrials, shared_objects, side_by_side
from mua_decode.statistics import adjust

_FOLDS = 5


def measure_reality(
    imagery: list[StateTrials],
    perception: list[StateTrials],
    *,
    plan: RealityPlan,
    rng: np.random.Generator,
) -> tuple[pd.DataFrame, TestNote]:
    """Accuracy of telling perceived from imagined trials of the same objects.

    Equally many trials per object and state; a ridge classifier, cross-validated over trials (five
    folds), on random subsets of the sites; averaged over subsets. The null permutes the states of
    trials, the same way for all subsets. One row per number of sites: ``n_sites``, ``accuracy``,
    ``sd_over_subsets``, ``chance``, ``null_95`` (95th percentile of the null), ``p``,
    ``p_corrected`` (Holm over sizes), ``n``.
    """
    x, _, state = side_by_side([perception, imagery], shared_objects(imagery), rng=rng)
    x = np.where(np.isfinite(x), x, np.nanmean(x, axis=0))
    label, n_sites = 1.0 - 2 * state, x.shape[1]
    permuted = (rng.permutation(label) for _ in range(plan.n_permutations))
    labels = np.stack([label, *permuted], axis=1)
    folds = rng.permutation(len(x)) % _FOLDS
    rows = []
    for size in sorted({min(s, n_sites) for s in plan.sizes}):
        draws = 1 if size == n_sites else plan.draws
        subsets = [rng.choice(n_sites, size, replace=False) for _ in range(draws)]
        hits = np.stack([_accuracy(x[:, s], labels, folds) for s in subsets])
        mean = hits.mean(axis=0)
        rows.append(
            {
                "n_sites": size,
                "accuracy": mean[0],
                "sd_over_subsets": hits[:, 0].std(),
                "chance": 0.5,
                "null_95": np.quantile(mean[1:], 0.95),
                "p": (1 + (mean[1:] >= mean[0]).sum()) / (1 + plan.n_permutations),
                "n": len(x),
            }
        )
    table = pd.DataFrame(rows)
    table["p_corrected"] = adjust(table["p"].to_numpy(), "holm")
    test = f"permutation of states, {plan.n_permutations} permutations, accuracy above chance"
    n = f"{len(x)} trials"
    return table, TestNote("reality_monitoring", f"{test}, one-sided", n, len(table), "holm")


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
