"""Recorded trials -> train, val and test, before anything is pooled."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Sequence

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from mua_decode.data.blocks import Stretches
from mua_decode.data.split_plan import SplitPlan
from mua_decode.types import (
    PARTS,
    STORED_PART,
    InputError,
    Recording,
    Session,
    Split,
    Stream,
    composed,
    nearest_name,
)


def deal_pooled(rows: np.ndarray, plan: SplitPlan) -> dict[str, np.ndarray]:
    """Deal shuffled pseudo-trials out to the parts, as published; test parts of folds tile them.

    Parameters
    ----------
    rows
        int (P,): numbers of the pseudo-trials, shuffled in the same way for every fold.
    """
    n_val = round(plan.shares["val"] * len(rows))
    n_train = round(plan.shares["train"] * len(rows))
    if plan.n_folds is not None:
        # Turned so that this fold comes last, where the test part lies.
        folds = np.array_split(rows, plan.n_folds)
        rows = np.concatenate([*folds[plan.fold + 1 :], *folds[: plan.fold + 1]])
        n_train = len(rows) - len(folds[plan.fold]) - n_val
    train, val, test = np.split(rows, [n_train, n_train + n_val])
    return {"train": train, "val": val, "test": test}


def split_recording(recording: Recording, plan: SplitPlan, *, seed: int) -> Split:
    """Split the recorded trials of every session.

    Trials that share recorded data (one ``presentation``) stay together, and every condition is
    divided in the same proportions; with unit ``condition`` every condition lies in one part, and
    with unit ``block`` every stretch of a film lies in one, or in the guards between them.
    Raises InputError if a session has too few trials of a condition, naming it, or there are too
    few conditions.
    """
    deal = {"condition": deal_conditions, "block": deal_blocks}.get(plan.unit)
    dealt = deal(recording, plan, seed=seed) if deal is not None else None
    trials: dict[str, dict[str, np.ndarray]] = {part: {} for part in PARTS}
    for number, session in enumerate(recording.sessions):
        rng = plan.rng(seed, number)
        if plan.unit == "pseudo_trial":
            parts = {part: np.arange(session.n_trials) for part in PARTS}
        elif plan.unit == "published":
            parts = _stored_parts(session)
        elif dealt is not None:
            parts = _by_condition(session, plan, dealt, rng)
        else:
            parts = _split_session(session, plan, rng)
        for part in PARTS:
            trials[part][session.name] = parts[part]
    held_out = tuple(dealt["test"].tolist()) if dealt is not None else ()
    return Split(
        trials=trials, unit=plan.unit, seed=seed, held_out=held_out, stored=recording.stored
    )


def deal_conditions(recording: Recording, plan: SplitPlan, *, seed: int) -> dict[str, np.ndarray]:
    """Conditions of every part, int (K_part,); those that share recorded data lie in one part.

    Those that share data with one named in ``plan.held_out``, and are not named, are in none.
    Raises InputError if there are too few.
    """
    k = recording.stimuli.n_conditions
    pairs = ((s.condition, _presentations(s)) for s in recording.sessions)
    group = linked_conditions(pairs, k)
    shown = np.unique(np.concatenate([s.condition for s in recording.sessions]))
    rng = Stream.SPLIT.rng(seed, 0, 1)
    named = np.array(match_conditions(plan.held_out, recording.stimuli.names), int)
    shuffled = rng.permutation(np.setdiff1d(group[shown], group[named]))
    if plan.held_out:
        test, rest = group[named], shuffled
    else:
        test, rest = _test_and_rest(shuffled, plan, f"{len(shuffled)} conditions", of="conditions")
    n_val = _count(plan.val / (plan.train + plan.val), len(rest))
    if len(rest) - n_val < 1 or not len(test):
        raise InputError(
            f"split: {len(shuffled)} conditions (those that share trials count as one) are too few "
            "for train and val beside test; hold out fewer, or train without validation: "
            "data.split.val=0"
        )
    parts = {"train": rest[n_val:], "val": rest[:n_val], "test": test}
    of = {
        part: np.intersect1d(np.flatnonzero(np.isin(group, g)), shown) for part, g in parts.items()
    }
    return of | ({"test": named} if plan.held_out else {})


def deal_blocks(recording: Recording, plan: SplitPlan, *, seed: int) -> dict[str, np.ndarray]:
    """Conditions of every part, int (K_part,), dealt out by blocks of time of the films.

    Conditions of two parts are at least ``plan.guard_s`` apart; those in between are in none.
    Trials of one presentation may serve different parts in different blocks.
    Raises InputError if the recording was not cut, there are too few blocks, or no guard is known.
    """
    if plan.block_s is None or plan.guard_s is None:
        raise InputError("split: unit=block needs block_s and guard_s (seconds)")
    stretches = Stretches.of(recording.stimuli)
    blocks = stretches.blocks(plan.block_s)
    shuffled = Stream.SPLIT.rng(seed, 0, 1).permutation(np.unique(blocks))
    test, rest = _test_and_rest(shuffled, plan, f"{len(shuffled)} blocks", of="blocks")
    n_val = _count(plan.val / (plan.train + plan.val), len(rest))
    if len(rest) - n_val < 1:
        raise InputError(
            f"split: {len(shuffled)} blocks of {plan.block_s:g} s are too few for train and val "
            "beside test; make data.split.block_s shorter"
        )
    dealt = {"train": rest[n_val:], "val": rest[:n_val], "test": test}
    return stretches.guarded(dealt, blocks, plan.guard_s)


def _stored_parts(session: Session) -> dict[str, np.ndarray]:
    """Rows of the trials that were stored in each part; val and test may have none."""
    if STORED_PART not in session.trials.columns:
        raise InputError(
            f"split: unit=published needs trials that were stored in parts (trials column "
            f"{STORED_PART}, as recording=tensors has it), session '{session.name}' has none"
        )
    stored = session.trials[STORED_PART].astype(str).to_numpy()
    unknown = sorted(set(stored) - set(PARTS))
    if unknown or "train" not in stored:
        found = ", ".join(sorted(set(stored)))
        raise InputError(
            f"session '{session.name}': {STORED_PART} must hold train and may hold val and test, "
            f"found {found}"
        )
    return {part: np.flatnonzero(stored == part) for part in PARTS}


def match_conditions(patterns: Sequence[str], names: list[str]) -> tuple[int, ...]:
    """Return the conditions that names or wildcard patterns match, in order.

    Raises InputError if a pattern matches none, or all of them are matched.
    """
    found: set[int] = set()
    for pattern in [patterns] if isinstance(patterns, str) else map(str, patterns):
        wanted = composed(pattern)
        hits = [k for k, name in enumerate(names) if fnmatch.fnmatchcase(name, wanted)]
        if not hits:
            raise InputError(
                f"split: held_out '{pattern}' matches no condition{nearest_name(pattern, names)}"
            )
        found.update(hits)
    if len(found) == len(names):
        raise InputError("split: held_out matches every condition; nothing is left to train on")
    return tuple(sorted(found))


def _by_condition(
    session: Session, plan: SplitPlan, dealt: dict[str, np.ndarray], rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Rows of the trials of each part's conditions; of training as many as the plan keeps."""
    condition, presentation = session.condition, _presentations(session)
    parts = {part: np.flatnonzero(np.isin(condition, own)) for part, own in dealt.items()}
    if plan.train_trials is None:
        return parts
    kept = []
    for k in np.unique(condition[parts["train"]]):
        rows = parts["train"][condition[parts["train"]] == k]
        chosen = rng.permutation(np.unique(presentation[rows]))
        _check_train_trials(plan, len(chosen), f"session '{session.name}', condition {k}")
        kept.append(rows[np.isin(presentation[rows], chosen[: plan.train_trials])])
    return parts | {"train": np.sort(np.concatenate([np.empty(0, int), *kept]))}


def _presentations(session: Session) -> np.ndarray:
    """Number of the presentation of every trial, int (trials,)."""
    return np.unique(session.trials["presentation"].to_numpy(), return_inverse=True)[1]


def _split_session(
    session: Session, plan: SplitPlan, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    condition, presentation = session.condition, _presentations(session)
    # Conditions linked by shared presentations are dealt out together.
    stratum = linked_conditions([(condition, presentation)], int(condition.max()) + 1)[condition]
    parts: dict[str, list[np.ndarray]] = {part: [] for part in PARTS}
    for s in np.unique(stratum):
        rows = np.flatnonzero(stratum == s)
        where = f"session '{session.name}', condition {condition[rows[0]]}"
        shuffled = rng.permutation(np.unique(presentation[rows]))
        for part, chosen in _deal(shuffled, plan, where).items():
            parts[part].append(rows[np.isin(presentation[rows], chosen)])
    empty = np.empty(0, int)
    return {part: np.sort(np.concatenate([empty, *rows])) for part, rows in parts.items()}


def linked_conditions(sessions: Iterable[tuple[np.ndarray, np.ndarray]], k: int) -> np.ndarray:
    """Label k conditions, those linked by a shared presentation of some session alike.

    Parameters
    ----------
    sessions
        Condition and presentation of every trial, int (trials,) each, per session.

    Returns
    -------
    int (k,): 0, 1, ... in order of the first condition.
    """
    condition: list[np.ndarray] = []
    node: list[np.ndarray] = []
    first = k  # presentations are nodes behind the conditions, numbered through the sessions
    for shown, presentation in sessions:
        condition.append(shown)
        node.append(first + presentation)
        first += int(presentation.max(initial=-1)) + 1
    ends = np.concatenate(condition), np.concatenate(node)
    links = coo_array((np.ones(len(ends[0])), ends), shape=(first, first))
    return connected_components(links, directed=False)[1][:k].astype(np.int64)


def _deal(items: np.ndarray, plan: SplitPlan, where: str) -> dict[str, np.ndarray]:
    n = len(items)
    test, rest = _test_and_rest(items, plan, where, of="trials")
    n_val = _count(plan.val / (plan.train + plan.val), len(rest))
    if len(rest) - n_val < 1:
        # A film cut into stretches: those beside each other are nearly the same.
        unit, what = (
            ("condition", "conditions") if plan.block_s is None else ("block", "blocks of time")
        )
        hint = f"; shown so rarely, {what} can be held apart instead: data.split.unit={unit}"
        raise InputError(f"{where}: {n} trials are too few for train, val and test{hint}")
    train = rest[n_val:]
    _check_train_trials(plan, len(train), where)
    return {"train": train[: plan.train_trials], "val": rest[:n_val], "test": test}


def _test_and_rest(
    items: np.ndarray, plan: SplitPlan, where: str, *, of: str
) -> tuple[np.ndarray, np.ndarray]:
    n = len(items)
    if plan.n_folds is None:
        n_test = _count(plan.test, n)
        return items[:n_test], items[n_test:]
    if n < plan.n_folds:
        said = f"{where}: {n} {of}" if of == "trials" else f"split: {where}"
        raise InputError(f"{said} are fewer than n_folds={plan.n_folds}")
    folds = np.array_split(items, plan.n_folds)
    test = folds.pop(plan.fold)
    return test, np.concatenate(folds)


def _check_train_trials(plan: SplitPlan, n: int, where: str) -> None:
    if plan.train_trials is not None and plan.train_trials > n:
        raise InputError(f"{where}: train_trials={plan.train_trials}, but training has only {n}")


def _count(share: float, n: int) -> int:
    return 0 if share == 0 else max(1, round(share * n))
