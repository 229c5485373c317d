"""How alike is the activity of two trials: of one condition, of two, of train and test?"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mua_decode.analyses.similarity.pairs import BINS, CROSS, SAME, Tally
from mua_decode.analyses.similarity.plan import SimilarityPlan
from mua_decode.data import DecodingData
from mua_decode.data.recorded import SessionTrials, recorded_trials
from mua_decode.runs.run import Run
from mua_decode.types import ResultTable, Stream, only

METRICS = (
    "within_condition_correlation",
    "between_condition_correlation",
    "train_test_correlation",
    "train_test_between_correlation",
)
_Subsets = Sequence[SessionTrials]
# Training and test trials that may be compared with each other.
_Pair = tuple[_Subsets, _Subsets]


@dataclass(frozen=True, eq=False)
class Similarity:
    """Correlations of trials.

    Parameters
    ----------
    table
        ``run`` "data"; ``trial`` "recorded_trial" or "pseudo_trial"; ``mask`` "only REGION" or
        "none"; one row per condition and one ("all") averaged over all pairs; ``n`` pairs.
        Metrics: ``within_condition_correlation`` and ``between_condition_correlation`` between
        training trials, ``train_test_correlation`` between a training and a test trial of one
        condition, ``train_test_between_correlation`` of two. A condition's between-rows average
        the pairs it takes part in.
    distributions
        Columns ``trial``, ``mask``, ``metric``, ``low`` and ``high`` (ends of a bin of r) and
        ``pairs``, each pair counted once; empty bins are left out.
    trials
        Columns ``trial``, ``part``, ``trials_per_condition`` (the fewest of any condition, in any
        session) and ``subsets``.
    """

    table: ResultTable
    distributions: pd.DataFrame
    trials: pd.DataFrame


def enough_pseudo_trials(run: Run, trials: int) -> Run:
    """Return the run with at least ``trials`` pseudo-trials of every condition in train and test.

    Nothing is trained on them; they serve the correlations alone.
    """
    shares = run.data.plan.shares
    needed = math.ceil(trials / min(shares["train"], shares["test"])) if shares["test"] else 0
    if needed <= run.data.pseudo_plan.per_condition:
        return run
    return run.changed([f"data.pseudo.per_condition={needed}"])


def similarity(data: DecodingData, plan: SimilarityPlan, *, seed: int) -> Similarity:
    """Pearson correlations between trials of the standardised activity, per region and over all.

    Recorded trials come first: a trial is the vector over sites × bins of one session's sites of a
    region, and both trials of a pair come from that session. Pseudo-trials, the published level,
    follow. Two pseudo-trials of one condition in one part may contain the same recorded trial of a
    site, so on pure noise their within-condition correlation is about one over the recorded trials
    of a condition, not 0; train–test is then 0 unless pseudo-trials were assembled before the split
    (the published order), which puts it as high as within.

    Trials are dealt to subsets of ``plan.subset`` per condition at random; all pairs of a subset
    are compared, and those of a training with a test subset. ``data`` is the population, split
    and standardisation; training pseudo-trials are those drawn for epoch 0.
    """
    rows: list[dict[str, object]] = []
    drawn: list[pd.DataFrame] = []
    counted: list[dict[str, object]] = []
    for trial, groups in (
        ("recorded_trial", _recorded(data, plan, seed)),
        ("pseudo_trial", _pseudo(data, plan, seed)),
    ):
        tallies: dict[str, Tally] = {}
        sites = data.sites if trial == "pseudo_trial" else data.pool.sites
        for train, test in groups:
            for mask, columns in _masks(sites.region[train[0].columns]):
                tally = tallies.setdefault(mask, Tally(data.stimuli.n_conditions))
                _compare(tally, train, test, columns)
            for part, subsets in (("train", train), ("test", test)):
                if subsets:
                    counted.append({"trial": trial, "part": part, **_count(subsets)})
        for mask in ["none", *map(only, sites.regions)]:
            if mask in tallies:
                rows += _rows(data, trial, mask, *tallies[mask].sums)
                drawn.append(_histograms(tallies[mask]).assign(trial=trial, mask=mask))
    fewest = pd.DataFrame(counted).groupby(["trial", "part"], sort=False, as_index=False).min()
    return Similarity(ResultTable.from_rows(rows), pd.concat(drawn, ignore_index=True), fewest)


def _recorded(data: DecodingData, plan: SimilarityPlan, seed: int) -> Iterator[_Pair]:
    """Every session's trials."""
    rng = Stream.SIMILARITY_RECORDED.rng(seed)
    both = zip(recorded_trials(data, "train"), recorded_trials(data, "test"), strict=True)
    for pair in both:
        train, test = (
            [trials.rows(rows) for rows in _subsets(trials.condition, plan, rng)] for trials in pair
        )
        if train:
            yield train, test


def _pseudo(data: DecodingData, plan: SimilarityPlan, seed: int) -> Iterator[_Pair]:
    """The whole population's pseudo-trials, each of a presentation of its own."""
    rng = Stream.SIMILARITY_PSEUDO.rng(seed)
    parts, first = [], 0
    for part in ("train", "test"):
        pseudo, subsets = data.pseudo_trials(part), []
        for index in _subsets(pseudo.condition, plan, rng):
            trials = SessionTrials(
                values=data.standardise.trials(pseudo, index),
                observed=np.ones((len(index), data.n_sites), bool),
                condition=pseudo.condition[index],
                presentation=first + index,
                columns=np.arange(data.n_sites),
            )
            subsets.append(trials)
        first += len(pseudo)
        parts.append(subsets)
    if parts[0]:
        yield parts[0], parts[1]


def _masks(regions: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    yield "none", np.arange(len(regions))
    for region in dict.fromkeys(regions.tolist()):
        yield only(region), np.flatnonzero(regions == region)


def _subsets(
    condition: np.ndarray, plan: SimilarityPlan, rng: np.random.Generator
) -> list[np.ndarray]:
    """Deal trials to subsets, as many of every condition in each as there are; sorted rows."""
    order = rng.permutation(len(condition))
    rank = np.empty(len(condition), np.int64)
    rank[order] = pd.Series(condition[order]).groupby(condition[order]).cumcount().to_numpy()
    subset = rank // plan.subset
    return [np.flatnonzero(subset == i) for i in range(math.ceil(plan.trials / plan.subset))
            if (subset == i).any()]  # fmt: skip


def _compare(tally: Tally, train: _Subsets, test: _Subsets, columns: np.ndarray) -> None:
    """Compare every training subset with itself, and with a test subset in turn."""
    for i, subset in enumerate(train):
        own = subset.sites(columns)
        tally.add(SAME, own, own)
        if test:
            tally.add(CROSS, own, test[i % len(test)].sites(columns))


def _histograms(tally: Tally) -> pd.DataFrame:
    """Pairs by their r, without empty bins."""
    edges, bins = np.linspace(-1, 1, BINS + 1), tally.bins.reshape(-1, BINS)
    row, place = np.nonzero(bins)
    ends = {"low": edges[place], "high": edges[place + 1]}
    return pd.DataFrame({"metric": np.array(METRICS)[row]} | ends | {"pairs": bins[row, place]})


def _count(subsets: _Subsets) -> dict[str, int]:
    """The fewest trials of any condition over all subsets, and how many subsets there are."""
    condition = np.concatenate([s.condition for s in subsets])
    fewest = int(np.unique(condition, return_counts=True)[1].min())
    return {"trials_per_condition": fewest, "subsets": len(subsets)}


def _rows(
    data: DecodingData, trial: str, mask: str, same: np.ndarray, cross: np.ndarray
) -> Iterator[dict[str, object]]:
    # How often one pair is counted in its condition's number, and in the sum of all numbers:
    # trials of one part meet twice, and a pair of two conditions is in the numbers of both.
    for metric, split, tally, once, over in (
        (METRICS[0], "train", same, 2, 2),
        (METRICS[1], "train", same, 1, 2),
        (METRICS[2], "train-test", cross, 1, 1),
        (METRICS[3], "train-test", cross, 1, 2),
    ):
        if metric in (METRICS[0], METRICS[2]):
            total, number = map(np.diag, tally)
        else:
            total, number = map(_others, tally)
            if tally is same:
                total, number = total / 2, number / 2
        base = {
            "run": "data", "split": data.leaks.label(split), "trial": trial, "mask": mask,
            "segment": "all", "metric": metric, "unit": "1", "n_unit": "pairs of trials",
        }  # fmt: skip
        mean, n = _ratio(total.sum(), number.sum()), round(number.sum() / over)
        yield base | {"condition": "all", "value": mean, "n": n}
        for name, t, pairs in zip(data.stimuli.names, total, number, strict=True):
            yield base | {"condition": name, "value": _ratio(t, pairs), "n": round(pairs / once)}


def _others(table: np.ndarray) -> np.ndarray:
    """Sum of each condition's pairs with other conditions, whichever trial comes first."""
    off = table - np.diag(np.diag(table))
    return np.asarray(off.sum(axis=0) + off.sum(axis=1))


def _ratio(total: float, number: float) -> float:
    return float(total / number) if number else float("nan")
