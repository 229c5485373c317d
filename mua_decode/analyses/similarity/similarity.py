"""How alike is the activity of two trials: of one condition, of two, of train and test?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mua_decode.data import DecodingData
from mua_decode.data.recorded import SessionTrials, recorded_trials
from mua_decode.types import InputError, ResultTable, Stream, only

METRICS = (
    "within_condition_correlation",
    "between_condition_correlation",
    "train_test_correlation",
    "train_test_between_correlation",
)
# Training and test trials that may be compared with each other.
_Pair = tuple[SessionTrials, SessionTrials]


def similarity(data: DecodingData, *, max_pairs: int, seed: int) -> ResultTable:
    """Pearson correlations between trials of the standardised activity, per region and over all.

    Recorded trials come first: a trial is the vector over sites × bins of one session's sites of a
    region, and both trials of a pair come from that session. Pseudo-trials, the published level,
    follow. Two pseudo-trials of one condition in one part may contain the same recorded trial of a
    site, so on pure noise their within-condition correlation is about one over the recorded trials
    of a condition, not 0; train–test is then 0 unless pseudo-trials were assembled before the split
    (the published order), which puts it as high as within. Raises InputError if ``max_pairs`` is
    below 4.

    Parameters
    ----------
    data
        Population, split and standardisation; training pseudo-trials as drawn for epoch 0.
    max_pairs
        Most ordered pairs of trials compared at once, per session or population; above it, as
        many trials of every condition are drawn as fit (at least two). It bounds the memory, at
        about 100 bytes per pair.

    Returns
    -------
    ResultTable
        ``run`` "data"; ``trial`` "recorded_trial" or "pseudo_trial"; ``mask`` "only REGION" or
        "none"; one row per condition and one ("all") averaged over all pairs; ``n`` pairs.
        Metrics: ``within_condition_correlation`` and ``between_condition_correlation`` between
        training trials, ``train_test_correlation`` between a training and a test trial of one
        condition, ``train_test_between_correlation`` of two. A condition's between-rows average
        the pairs it takes part in.
    """
    if max_pairs < 4:
        raise InputError(f"similarity: max_pairs must be at least 4, found {max_pairs}")
    rows: list[dict[str, object]] = []
    n_conditions = data.stimuli.n_conditions
    for trial, groups in (
        ("recorded_trial", _recorded(data, max_pairs, seed)),
        ("pseudo_trial", _pseudo(data, max_pairs, seed)),
    ):
        tallies: dict[str, np.ndarray] = {}
        sites = data.sites if trial == "pseudo_trial" else data.pool.sites
        for train, test in groups:
            for mask, columns in _masks(sites.region[train.columns]):
                a, b = train.sites(columns), test.sites(columns)
                both = np.stack([_compare(a, a, n_conditions), _compare(a, b, n_conditions)])
                tallies[mask] = tallies[mask] + both if mask in tallies else both
        for mask in ["none", *map(only, sites.regions)]:
            if mask in tallies:
                rows += _rows(data, trial, mask, *tallies[mask])
    return ResultTable.from_rows(rows)


def _recorded(data: DecodingData, max_pairs: int, seed: int) -> Iterator[_Pair]:
    """Every session's trials."""
    rng = Stream.SIMILARITY_RECORDED.rng(seed)
    both = zip(recorded_trials(data, "train"), recorded_trials(data, "test"), strict=True)
    for pair in both:
        train, test = (trials.rows(_draw(trials.condition, max_pairs, rng)) for trials in pair)
        yield train, test


def _pseudo(data: DecodingData, max_pairs: int, seed: int) -> Iterator[_Pair]:
    """The whole population's pseudo-trials, each of a presentation of its own."""
    rng = Stream.SIMILARITY_PSEUDO.rng(seed)
    parts, first = [], 0
    for part in ("train", "test"):
        pseudo = data.pseudo_trials(part)
        index = _draw(pseudo.condition, max_pairs, rng)
        trials = SessionTrials(
            values=data.standardise.trials(pseudo, index),
            observed=np.ones((len(index), data.n_sites), bool),
            condition=pseudo.condition[index],
            presentation=first + np.arange(len(index)),
            columns=np.arange(data.n_sites),
        )
        first += len(index)
        parts.append(trials)
    yield parts[0], parts[1]


def _masks(regions: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    yield "none", np.arange(len(regions))
    for region in dict.fromkeys(regions.tolist()):
        yield only(region), np.flatnonzero(regions == region)


def _draw(condition: np.ndarray, max_pairs: int, rng: np.random.Generator) -> np.ndarray:
    """Rows of the trials to compare: all, or equally many per condition."""
    if len(condition) ** 2 <= max_pairs:
        return np.arange(len(condition))
    known = np.unique(condition)
    number = max(2, int(np.sqrt(max_pairs)) // len(known))
    chosen = [rng.permutation(np.flatnonzero(condition == k))[:number] for k in known]
    return np.sort(np.concatenate(chosen))


def _compare(a: SessionTrials, b: SessionTrials, n_conditions: int) -> np.ndarray:
    """Tally the correlations of every trial of ``a`` with every one of ``b``.

    Their sum and the number of pairs by the conditions of the two trials, float (2, K, K). Trials
    of one presentation share recorded data and are not compared.
    """
    r = _correlations(a, b)
    valid = np.isfinite(r) & (a.presentation[:, None] != b.presentation[None, :])
    left, right = (
        (x.condition[None, :] == np.arange(n_conditions)[:, None]).astype(np.float32)
        for x in (a, b)
    )
    total = left @ np.where(valid, r, 0) @ right.T
    return np.stack([total.astype(float), np.rint(left @ valid.astype(np.float32) @ right.T)])


def _correlations(a: SessionTrials, b: SessionTrials) -> np.ndarray:
    """Pearson correlations (A, B) over the bins of the sites observed in both trials, float32.

    Unobserved values are 0, so that sums over common sites are products with the other trial's
    mask; the only large product is that of the activities.
    """
    x, y = a.values * a.observed[:, None, :], b.values * b.observed[:, None, :]
    seen_a, seen_b = a.observed.astype(np.float32), b.observed.astype(np.float32)
    n = a.values.shape[1] * (seen_a @ seen_b.T)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean_x, mean_y = x.sum(axis=1) @ seen_b.T / n, seen_a @ y.sum(axis=1).T / n
        var_x = (x * x).sum(axis=1) @ seen_b.T / n - mean_x**2
        var_y = seen_a @ (y * y).sum(axis=1).T / n - mean_y**2
        cross = x.reshape(len(x), -1) @ y.reshape(len(y), -1).T / n
        size = np.sqrt(var_x * var_y)
        # Rounding leaves a constant trial a tiny variance.
        flat = (var_x < 1e-6) | (var_y < 1e-6)
        return np.asarray(np.where(flat, np.nan, (cross - mean_x * mean_y) / size))


def _rows(
    data: DecodingData, trial: str, mask: str, same: np.ndarray, cross: np.ndarray
) -> Iterator[dict[str, object]]:
    leak = " (leaking)" if data.leaking else ""
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
            "run": "data", "split": split + leak, "trial": trial, "mask": mask,
            "segment": "all", "metric": metric, "unit": "1",
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
