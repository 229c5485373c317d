"""What units tell of the conditions, without any video: rates, reliability, identification."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mua_decode.data.windows import Window, window_session
from mua_decode.statistics import correct, permutation_null, with_reach
from mua_decode.types import HypothesisTable, InputError, Recording, Session, Stream

_BINS = 20  # of a trial, about: fine bins hold few spikes, and their noise drowns the rest
_PERMUTATIONS = 199  # at least; as many more as the correction over many regions needs
_MOST_PERMUTATIONS = 999
_MOST_TRIALS = 2000  # whose pairs are compared; time and memory grow with their square


@dataclass(frozen=True, eq=False)
class Activity:
    """Activity of every region in every session.

    Parameters
    ----------
    rows
        Columns session, region ("all" among them), sites, trials, conditions (with two trials or
        more), rate_hz (mean; of standardised activity its mean, no rate), half_r (see
        :func:`half_correlation`, median over sites), identified, chance, p_corrected.
    tests
        One row per session and region: are conditions identified above chance?
    rates
        Columns region, condition, time_s (middle of the bin), rate_hz: means over trials and sites.
    notes
        What has to be known of them, one line each.
    """

    rows: pd.DataFrame
    tests: HypothesisTable
    rates: pd.DataFrame
    notes: tuple[str, ...]


def measure_activity(recording: Recording, *, seed: int) -> Activity:
    """Ask every region of every session whether its units tell the conditions apart.

    Nothing is fitted but means over trials, and none of them holds the trial that is identified.
    """
    rows, tested, rates = [], [], []
    notes: dict[str, None] = {}
    names = recording.stimuli.names
    asked_of = [len([*_regions(s, np.ones(len(s.sites), bool))]) for s in recording.sessions]
    draws = max(_PERMUTATIONS, min(_MOST_PERMUTATIONS, 40 * sum(asked_of)))
    for number, session in enumerate(recording.sessions):
        values, bin_s, whole = _binned(session)
        if not whole.all():
            notes[
                f"{session.name}: {int((~whole).sum())} sites are missing in trials; left out"
            ] = None
        scale = 1.0 if session.measure == "standardised" else 1 / bin_s
        for region, inside in _regions(session, whole):
            part = values[:, :, inside]
            asked = _identified(
                part, session, rng=Stream.CONDITION_PERMUTATION.rng(seed, number), draws=draws
            )
            group = f"{session.name}, {region}"
            about = {"session": session.name, "region": region, "sites": int(inside.sum())}
            half = half_correlation(part, session.condition)
            rows.append({
                **about, "trials": asked["n"], "conditions": asked["conditions"],
                "rate_hz": float(part.mean() * scale), "half_r": half,
                "identified": asked["value"], "chance": asked["chance"],
            })  # fmt: skip
            tested.append(_test(group, asked))
            if region != "all":
                rates.append(_rates(part * scale, session, names, bin_s).assign(region=region))
    if not rows:
        raise InputError("activity: every site misses trials, so that none can be compared")
    tests, said = with_reach(
        correct(HypothesisTable.from_rows(tested)), draws, drawn="permutations", option="n"
    )
    table = pd.DataFrame(rows).assign(p_corrected=tests.frame["p_corrected"].to_numpy())
    lacking = tests.frame.loc[tests.frame["p"].isna(), ["group", "note"]]
    notes |= dict.fromkeys(f"{g}: not identified, {n}" for g, n in lacking.to_numpy().tolist())
    notes |= dict.fromkeys(line.split(";")[0] for line in said)
    keys = ["region", "condition", "time_s"]
    mean = pd.concat(rates).groupby(keys, sort=False)["rate_hz"].mean().reset_index()
    return Activity(table, tests, mean, tuple(notes))


def half_correlation(values: np.ndarray, condition: np.ndarray) -> float:
    """Correlate condition differences between two halves of the trials, median over sites.

    Every other trial of a condition goes into the other half. The mean over conditions is taken
    from each half, so that an onset which all conditions share counts for nothing; r runs over
    conditions × bins. NaN with fewer than two conditions that have two trials.

    Parameters
    ----------
    values
        float (R, T, N).
    condition
        int (R,).
    """
    rank = _rank(condition)
    known = [k for k in np.unique(condition) if (condition == k).sum() > 1]
    if len(known) < 2:
        return float("nan")
    halves = []
    for half in (0, 1):
        mean = np.stack([values[(condition == k) & (rank % 2 == half)].mean(0) for k in known])
        halves.append((mean - mean.mean(0)).reshape(-1, values.shape[2]))
    one, other = halves
    size = np.sqrt((one**2).sum(0) * (other**2).sum(0))
    r = np.divide((one * other).sum(0), size, out=np.full(len(size), np.nan), where=size > 0)
    return float(np.nanmedian(r)) if np.isfinite(r).any() else float("nan")


def nearest_mean(gram: np.ndarray, condition: np.ndarray) -> float:
    """Share of trials that are nearest to the mean of the other trials of their own condition.

    One trial of every other condition is left out of its mean as well, so that no mean is closer
    for being less noisy.

    Parameters
    ----------
    gram
        float (R, R): inner products of the trials.
    condition
        int (R,), 0..K-1, two trials or more of each.
    """
    order = np.argsort(condition, kind="stable")
    gram = gram[np.ix_(order, order)]
    count = np.bincount(condition)
    start = np.concatenate([[0], np.cumsum(count)[:-1]])
    label = np.repeat(np.arange(len(count)), count)
    sums = np.add.reduceat(gram, start, axis=1)  # (R, K): of trial i with all of condition c
    own = np.arange(len(label))
    within = np.add.reduceat(sums[own, label], start)  # (K,): of a condition with itself
    # Of the mean without trial j, which is of its condition: squared length, and product with i.
    length = (within[label] - 2 * sums[own, label] + gram[own, own]) / (count[label] - 1) ** 2
    left_out = start + (own - start[label])[:, None] % count  # (R, K): trial j for trial i
    product = (sums - gram[own[:, None], left_out]) / (count - 1)
    distance = length[left_out] - 2 * product
    nearest = distance <= distance.min(1, keepdims=True) + 1e-9 * np.abs(distance).max()
    return float((nearest[own, label] / nearest.sum(1)).mean())


def _identified(
    values: np.ndarray, session: Session, *, rng: np.random.Generator, draws: int
) -> dict[str, float | int | str]:
    """Share identified and its permutation test, of conditions with two trials or more."""
    condition = session.condition
    used = np.flatnonzero(np.bincount(condition)[condition] > 1)
    used = used[_rank(condition[used]) < max(2, _MOST_TRIALS // max(1, len(np.unique(condition))))]
    unit = session.trials["presentation"].to_numpy()[used]
    names, label = np.unique(condition[used], return_inverse=True)
    found: dict[str, float | int | str] = {
        "n": len(used), "conditions": len(names), "units": len(np.unique(unit)),
        "value": float("nan"), "chance": 1 / len(names) if len(names) else float("nan"),
        "p": float("nan"), "note": "fewer than 2 conditions with 2 trials", "draws": draws,
    }  # fmt: skip
    if len(names) < 2:
        return found
    flat = values[used].reshape(len(used), -1)
    if session.measure == "counts":
        flat = np.sqrt(flat)  # of Poisson counts, the variance is then the same whatever the mean
    flat = flat - flat.mean(0)
    gram = (flat @ flat.T).astype(float)
    null = permutation_null(
        lambda permuted: nearest_mean(gram, permuted),
        label, rng=rng, n=draws, units=unit,
    )  # fmt: skip
    most = np.bincount(label).max() / len(label)
    value = float(null.observed)
    return found | {
        "value": value, "p": float(null.p), "note": null.note, "chance": max(1 / len(names), most)
    }  # fmt: skip


def _test(group: str, asked: dict[str, float | int | str]) -> dict[str, object]:
    return {
        "question": "are conditions identified above chance?",
        "group": group,
        "metric": "identified",
        "test": "conditions permuted among the trials, nearest trial mean without the trial, "
        f"{asked['draws']} permutations, one-sided",
        "statistic": asked["value"],
        "p": asked["p"],
        "n": asked["units"],
        "n_unit": "presentations",
        "effect_name": "share identified less chance",
        "effect": float(asked["value"]) - float(asked["chance"]),
        "note": asked["note"],
    }


def _binned(session: Session) -> tuple[np.ndarray, float, np.ndarray]:
    """Activity float32 (R, T, N), seconds of a bin, and the sites that miss no trial, bool (N,)."""
    window = None
    if session.spike_times is not None:
        width_s = session.spike_times.duration_s / _BINS
        window = Window(width_s=width_s, step_s=width_s)
    found = window_session(session, window)
    counts = found.counts.astype(np.float32)
    merged = max(1, counts.shape[1] // _BINS)  # neighbouring bins; what is left over ends a trial
    n_bins = counts.shape[1] // merged
    wide = counts[:, : n_bins * merged].reshape(len(counts), n_bins, merged, -1)
    values = wide.mean(2) if session.measure == "standardised" else wide.sum(2)
    return values, found.bin_s * merged, np.asarray(found.observed.all(axis=0))


def _rank(condition: np.ndarray) -> np.ndarray:
    """Number of every trial among those of its condition, int (R,)."""
    return pd.Series(condition).groupby(condition).cumcount().to_numpy()


def _regions(session: Session, whole: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Name and sites, bool (N,), of every region, and of all where there are several."""
    names = [str(r) for r in session.sites.regions]
    for name in [*names, *(["all"] if len(names) > 1 else [])]:
        inside = whole & ((session.sites.region == name) | (name == "all"))
        if inside.any():
            yield name, inside


def _rates(
    values: np.ndarray, session: Session, names: Sequence[str], bin_s: float
) -> pd.DataFrame:
    """Mean over trials and sites of every condition, bin by bin."""
    tables = []
    for k in np.unique(session.condition):
        mean = values[session.condition == k].mean(axis=(0, 2))
        time_s = (np.arange(len(mean)) + 0.5) * bin_s
        tables.append(pd.DataFrame({"condition": names[k], "time_s": time_s, "rate_hz": mean}))
    return pd.concat(tables)
