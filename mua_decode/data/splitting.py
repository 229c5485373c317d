"""Recorded trials -> train, val and test, before anything is pooled."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from mua_decode.types import (
    PARTS,
    STORED_PART,
    InputError,
    Recording,
    Session,
    Split,
    Stream,
    nearest_name,
)

STREAMS = ("own", "shared")


@dataclass(frozen=True, kw_only=True)
class SplitPlan:
    """How to split.

    Parameters
    ----------
    unit
        ``recorded_trial`` (sound), ``condition`` (hold out whole conditions), ``pseudo_trial``
        (the published order; leaks) or ``published`` (the parts in which trials were stored).
    train, val, test
        Shares of the trials; they sum to 1. Stored parts have shares of their own.
    n_folds, fold
        With ``n_folds``, the test part is fold number ``fold`` (0-based) of ``n_folds`` and
        ``val`` is the share of the remaining trials.
    held_out
        Names or wildcard patterns (``*-90``) of conditions for unit ``condition``.
    train_trials
        Keep so many recorded training trials per condition and session (trials that share a
        presentation count as one); ``None`` keeps all. Val and test stay as they are, and a
        smaller number is a subset of a larger one.
    stream
        Random stream of the split: ``own``, or ``shared`` with the choice of sites and the order
        of pooled trials, as in runs that name none.
    """

    unit: str = "recorded_trial"
    train: float = 0.7
    val: float = 0.1
    test: float = 0.2
    n_folds: int | None = None
    fold: int = 0
    held_out: Sequence[str] = ()
    train_trials: int | None = None
    stream: str = "own"

    def __post_init__(self) -> None:
        total = self.train + self.val + self.test
        shares = (self.train, self.val, self.test)
        if min(shares) < 0 or self.train == 0 or not abs(total - 1) <= 1e-6:
            raise InputError(
                f"split: train, val and test must be shares that sum to 1, train above 0, found "
                f"{self.train:g} + {self.val:g} + {self.test:g} = {total:g}"
            )
        if self.n_folds is not None and not (self.n_folds >= 2 and 0 <= self.fold < self.n_folds):
            raise InputError(
                f"split: need n_folds >= 2 and 0 <= fold < n_folds, found n_folds={self.n_folds}, "
                f"fold={self.fold}"
            )
        if (self.unit == "condition") != bool(self.held_out):
            raise InputError(
                "split: unit=condition goes with a list of held_out conditions, "
                f"found unit={self.unit}, held_out={list(self.held_out)}"
            )
        if self.train_trials is not None and self.train_trials < 1:
            raise InputError(f"split: train_trials must be at least 1, found {self.train_trials}")
        if self.train_trials is not None and self.unit in ("pseudo_trial", "published"):
            raise InputError("split: train_trials needs a split of recorded trials or conditions")
        if self.n_folds is not None and self.unit == "published":
            raise InputError(
                "split: unit=published has the parts that were stored and no folds; for folds "
                "set data.split.unit=recorded_trial"
            )
        if self.stream not in STREAMS:
            raise InputError(f"split: stream must be own or shared, found {self.stream}")

    def rng(self, seed: int, session: int) -> np.random.Generator:
        """Generator of the split of a session, by its number."""
        if self.stream == "shared":
            return np.random.default_rng([seed, session])
        return Stream.SPLIT.rng(seed, session)

    @property
    def shares(self) -> dict[str, float]:
        """Share of the trials in train, val and test; with folds test is one fold."""
        if self.n_folds is None:
            return {"train": self.train, "val": self.val, "test": self.test}
        test = 1 / self.n_folds
        val = (1 - test) * self.val / (self.train + self.val)
        return {"train": 1 - test - val, "val": val, "test": test}


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
    divided in the same proportions. Raises InputError if a session has too few trials of a
    condition, naming it.
    """
    held_out = match_conditions(plan.held_out, recording.stimuli.names)
    trials: dict[str, dict[str, np.ndarray]] = {part: {} for part in PARTS}
    for number, session in enumerate(recording.sessions):
        rng = plan.rng(seed, number)
        if plan.unit == "pseudo_trial":
            parts = {part: np.arange(session.n_trials) for part in PARTS}
        elif plan.unit == "published":
            parts = _stored_parts(session)
        else:
            parts = _split_session(session, plan, held_out, rng)
        for part in PARTS:
            trials[part][session.name] = parts[part]
    return Split(
        trials=trials, unit=plan.unit, seed=seed, held_out=held_out, stored=recording.stored
    )


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
        hits = [k for k, name in enumerate(names) if fnmatch.fnmatchcase(name, pattern)]
        if not hits:
            raise InputError(
                f"split: held_out '{pattern}' matches no condition{nearest_name(pattern, names)}"
            )
        found.update(hits)
    if len(found) == len(names):
        raise InputError("split: held_out matches every condition; nothing is left to train on")
    return tuple(sorted(found))


def _split_session(
    session: Session, plan: SplitPlan, held_out: tuple[int, ...], rng: np.random.Generator
) -> dict[str, np.ndarray]:
    condition = session.condition
    _, presentation = np.unique(session.trials["presentation"].to_numpy(), return_inverse=True)
    # Conditions linked by shared presentations are dealt out together.
    stratum = linked_conditions([(condition, presentation)], int(condition.max()) + 1)[condition]
    parts: dict[str, list[np.ndarray]] = {part: [] for part in PARTS}
    for s in np.unique(stratum):
        rows = np.flatnonzero(stratum == s)
        if np.isin(condition[rows], held_out).any():
            # Conditions that share presentations with a held-out one leave training with it.
            parts["test"].append(rows[np.isin(condition[rows], held_out)])
            continue
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
    if plan.n_folds is not None:
        if n < plan.n_folds:
            raise InputError(f"{where}: {n} trials are fewer than n_folds={plan.n_folds}")
        folds = np.array_split(items, plan.n_folds)
        test = folds.pop(plan.fold)
        rest = np.concatenate(folds)
    else:
        n_test = 0 if plan.unit == "condition" else _count(plan.test, n)
        test, rest = items[:n_test], items[n_test:]
    n_val = _count(plan.val / (plan.train + plan.val), len(rest))
    if len(rest) - n_val < 1:
        raise InputError(f"{where}: {n} trials are too few for train, val and test")
    train = rest[n_val:]
    if plan.train_trials is not None and plan.train_trials > len(train):
        raise InputError(
            f"{where}: train_trials={plan.train_trials}, but training has only {len(train)}"
        )
    return {"train": train[: plan.train_trials], "val": rest[:n_val], "test": test}


def _count(share: float, n: int) -> int:
    return 0 if share == 0 else max(1, round(share * n))
