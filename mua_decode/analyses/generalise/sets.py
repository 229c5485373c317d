"""Which conditions to hold out, so that what is asked for was never trained on as a whole."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mua_decode.analyses.generalise.plan import HeldOutPlan
from mua_decode.types import InputError, Stream

_STIMULUS = ("colour", "direction_deg")
_MOVIE = ("category", "movie")


@dataclass(frozen=True)
class HeldOutSet:
    """Conditions, by their numbers, that leave training together; ``what`` the set tests, in words.

    The name is fit for a folder.
    """

    name: str
    what: str
    conditions: tuple[int, ...]


def attributes(conditions: pd.DataFrame) -> dict[str, list[str]]:
    """What a decoded video can be right about beside its condition: labels (K,) by attribute.

    Those of cue, colour and direction that the table has, with more than one value.
    """
    named = {"cue": "cue", "colour": "colour", "direction": "direction_deg"}
    found = {n: conditions[c].astype(str).tolist() for n, c in named.items() if c in conditions}
    return {name: labels for name, labels in found.items() if len(set(labels)) > 1}


def held_out_sets(conditions: pd.DataFrame, plan: HeldOutPlan, *, seed: int) -> list[HeldOutSet]:
    """Choose sets of conditions to hold out.

    With columns ``colour`` and ``direction_deg``: one set per combination of the two, held out
    with all its cues, so that the decoder has seen the colour in other directions and the
    direction in other colours. With a column ``cue`` besides: one set of pairs of cue and
    stimulus, at most one per stimulus, so that every stimulus stays in training with other cues.
    With columns ``category`` and ``movie``: sets of movies, each with all its versions. Any other
    table: sets of conditions. A set of movies or conditions is a tenth of them, at least one.

    Row number = condition in ``conditions``. Raises InputError if a set would leave nothing to
    recombine, or nothing is to be held out.
    """
    rng = Stream.HELD_OUT.rng(seed)
    columns = conditions.columns
    if not set(_STIMULUS) <= set(columns):
        return _whole(conditions, plan.others, rng)
    sets: list[HeldOutSet] = []
    stimulus = conditions.groupby(list(_STIMULUS), sort=False).ngroup().to_numpy()
    first = conditions.drop_duplicates(list(_STIMULUS))
    for which in _spread_out(first, plan.combinations, rng):
        rows = tuple(np.flatnonzero(stimulus == which).tolist())
        colour, direction = first.iloc[which][list(_STIMULUS)]
        what = f"{colour} moving at {direction:g} degrees, with every cue"
        sets.append(HeldOutSet(_folder(f"{colour}_{direction:g}"), what, rows))
    if "cue" in columns and len(set(conditions["cue"])) > 1 and plan.pairs > 0:
        sets.append(_pairs(conditions, stimulus, plan.pairs, rng))
    if not sets:
        raise InputError("held_out: nothing is held out; set combinations or pairs above 0")
    return sets


def _folder(name: str) -> str:
    return re.sub(r"[^\w.+-]", "_", name)


def _spread_out(stimuli: pd.DataFrame, number: int, rng: np.random.Generator) -> list[int]:
    """Combinations that share neither colour nor direction as long as there are any."""
    for column in _STIMULUS:
        if number and stimuli[column].nunique() < 2:
            raise InputError(f"held_out: one {column} only, so no combination can be held out")
    if number >= len(stimuli):
        raise InputError(
            f"held_out.combinations: expected fewer than the {len(stimuli)} there are, "
            f"found {number}"
        )
    used: dict[str, list[object]] = {c: [] for c in _STIMULUS}
    chosen: list[int] = []
    waiting = rng.permutation(len(stimuli)).tolist()
    while len(chosen) < number:
        overlap = [sum(stimuli.iloc[i][c] in used[c] for c in _STIMULUS) for i in waiting]
        best = waiting.pop(int(np.argmin(overlap)))
        chosen.append(best)
        for c in _STIMULUS:
            used[c].append(stimuli.iloc[best][c])
    return chosen


def _pairs(
    conditions: pd.DataFrame, stimulus: np.ndarray, share: float, rng: np.random.Generator
) -> HeldOutSet:
    n_stimuli = int(stimulus.max()) + 1
    number = max(1, round(share * len(conditions)))
    if number > n_stimuli:
        raise InputError(
            f"held_out.pairs: at most one pair per stimulus can be held out, {n_stimuli} of "
            f"{len(conditions)} conditions; found {share:g}"
        )
    cue = conditions["cue"].astype(str).to_numpy()
    cues = rng.permutation(np.unique(cue))
    rows = []
    for turn, which in enumerate(rng.permutation(n_stimuli)[:number]):
        both = np.flatnonzero((stimulus == which) & (cue == cues[turn % len(cues)]))
        rows += both.tolist()
    what = f"pairs of cue and stimulus, {number} of {len(conditions)}, each part seen in others"
    return HeldOutSet("cue_stimulus_pairs", what, tuple(sorted(rows)))


def _whole(conditions: pd.DataFrame, number: int, rng: np.random.Generator) -> list[HeldOutSet]:
    movies = set(_MOVIE) <= set(conditions.columns)
    keys = list(_MOVIE) if movies else ["name"]
    unit = conditions.groupby(keys, sort=False).ngroup().to_numpy()
    shuffled = rng.permutation(unit.max() + 1)
    size = max(1, round(len(shuffled) / 10))
    if not 1 <= number <= (len(shuffled) - 1) // size:
        raise InputError(
            f"held_out.others: expected 1 to {(len(shuffled) - 1) // size} sets, found {number}"
        )
    kind = "movies" if movies else "conditions"
    what = f"{size} of {len(shuffled)} {kind}"
    chosen = [np.isin(unit, shuffled[i * size : (i + 1) * size]) for i in range(number)]
    rows = [tuple(np.flatnonzero(inside).tolist()) for inside in chosen]
    return [HeldOutSet(f"{kind}_{i}", what, own) for i, own in enumerate(rows)]
