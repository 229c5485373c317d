"""Reality monitoring: perceived or imagined, told from a growing number of sites."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mua_decode.analyses.axis.plan import RealityPlan
from mua_decode.analyses.axis.trials import StateTrials, shared_objects, side_by_side
from mua_decode.statistics import adjust
from mua_decode.types import HypothesisTable, SiteTable

_FOLDS = 5
# Names under which recordings list ventral temporal cortex.
VENTRAL = ("VTC", "IT", "ITC", "PIT", "CIT", "AIT", "TE", "TEO", "FFA", "FUS", "fusiform")


def ventral_sites(sites: SiteTable, regions: str | Sequence[str]) -> tuple[np.ndarray, str]:
    """Sites that tell perceived from imagined, bool (N,), and which they are in words.

    ``"auto"``: those of the ventral regions, all sites where none has a known name; ``"all"``; or
    a list of regions. Raises InputError for a region that is not in the recording.
    """
    if regions == "all":
        return np.ones(len(sites), bool), "all sites"
    if regions == "auto":
        known = [r for r in sites.regions if r.lower() in {v.lower() for v in VENTRAL}]
        if not known:
            return np.ones(len(sites), bool), "all sites (no ventral region is named)"
        regions = known
    return sites.in_regions(list(regions)), f"sites of {', '.join(regions)}"


def measure_reality(
    imagery: list[StateTrials],
    perception: list[StateTrials],
    sites: SiteTable,
    *,
    plan: RealityPlan,
    rng: np.random.Generator,
) -> tuple[pd.DataFrame, HypothesisTable]:
    """Accuracy of telling perceived from imagined trials of the same objects.

    Within objects: of every object as many trials in either state, in pairs of one perceived and
    one imagined; the object's mean over the training trials is taken off, so that what objects
    do to the sites neither helps nor hides. A ridge classifier, cross-validated over pairs (five
    folds), on random subsets of the chosen sites; averaged over subsets. The null swaps the states
    within pairs, the same way for all subsets. One row per number of sites: ``n_sites``,
    ``accuracy``, ``sd_over_subsets``, ``chance``, ``null_95`` (95th percentile of the null), ``p``,
    ``p_corrected`` (Holm over sizes), ``n`` (pairs of trials).
    """
    asked, said = ventral_sites(sites, plan.regions)
    objects = shared_objects(imagery)
    x, label, which = side_by_side([perception, imagery], objects, rng=rng)
    x = x[:, asked]
    x = np.where(np.isfinite(x), x, np.nanmean(x, axis=0))
    n_pairs, n_sites = len(x) // 2, x.shape[1]
    # Objects come in the same order in both states, as often in each.
    pair = np.empty(len(x), int)
    pair[which == 0] = pair[which == 1] = np.arange(n_pairs)
    state = 1.0 - 2 * which
    flips = rng.integers(0, 2, (n_pairs, plan.n_permutations)) * 2.0 - 1
    labels = state[:, None] * np.concatenate([np.ones((n_pairs, 1)), flips], axis=1)[pair]
    folds = (rng.permutation(n_pairs) % _FOLDS)[pair]
    rows = []
    for size in sorted({min(s, n_sites) for s in plan.sizes}):
        draws = 1 if size == n_sites else plan.draws
        subsets = [rng.choice(n_sites, size, replace=False) for _ in range(draws)]
        hits = np.stack([_accuracy(x[:, s], labels, folds, label) for s in subsets])
        mean = hits.mean(axis=0)
        rows.append(
            {
                "n_sites": size,
                "accuracy": mean[0],
                "sd_over_subsets": hits[:, 0].std(),
                "chance": 0.5,
                "null_95": np.quantile(mean[1:], 0.95),
                "p": (1 + (mean[1:] >= mean[0] - 1e-9).sum()) / (1 + plan.n_permutations),
                "n": n_pairs,
                "n_unit": "pairs of trials",
            }
        )
    table = pd.DataFrame(rows)
    table["p_corrected"] = adjust(table["p"].to_numpy(), "holm")
    return table, _tests(table, said, plan.n_permutations)


def _tests(table: pd.DataFrame, said: str, n_permutations: int) -> HypothesisTable:
    test = f"states swapped within pairs of trials of one object, {n_permutations} permutations"
    rows = [
        {
            "question": "is a trial told to be perceived or imagined?",
            "group": f"{row['n_sites']:.0f} {said}",
            "metric": "accuracy",
            "test": f"{test}, accuracy above chance, one-sided",
            "p": row["p"],
            "p_corrected": row["p_corrected"],
            "correction": f"Holm over {len(table)}",
            "n": row["n"],
            "n_unit": "pairs of trials",
            "effect_name": "accuracy less chance",
            "effect": row["accuracy"] - row["chance"],
        }
        for row in table.to_dict("records")
    ]
    return HypothesisTable.from_rows(rows)


def _accuracy(
    x: np.ndarray, labels: np.ndarray, folds: np.ndarray, objects: np.ndarray
) -> np.ndarray:
    """Cross-validated accuracy for every column of labels ±1 (R, 1 + permutations)."""
    hits = np.zeros(labels.shape[1])
    member = np.eye(objects.max() + 1)[objects]  # (R, O)
    for k in range(_FOLDS):
        train, test = folds != k, folds == k
        if not test.any():
            continue
        number = member[train].sum(axis=0)
        total = member[train].T @ x[train]
        # An object without a training trial lends the mean of all.
        mean = np.where(
            number[:, None] > 0, total / np.maximum(number, 1)[:, None], x[train].mean(0)
        )
        away = x - mean[objects]
        sd = away[train].std(axis=0)
        z = away / np.where(sd > 0, sd, 1)
        gram = z[train].T @ z[train]
        penalty = max(float(np.trace(gram)) / len(gram), 1e-9)
        weight = np.linalg.solve(gram + penalty * np.eye(len(gram)), z[train].T @ labels[train])
        hits += (z[test] @ weight * labels[test] > 0).sum(axis=0)
    return hits / len(x)
