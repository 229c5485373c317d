"""Which conditions leave together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mua_decode.analyses.likelihood.plan import LeaveOutPlan
from mua_decode.data.splitting import linked_conditions
from mua_decode.types import InputError, nearest_name

_AUTO: tuple[tuple[str, ...], ...] = (("movie",), ("colour", "direction_deg"))


@dataclass(frozen=True, eq=False)
class Groups:
    """Conditions that never lie on both sides of a fit."""

    name: str  # what a group is, plural
    label: np.ndarray  # int (K,): group of every condition

    @property
    def number(self) -> int:
        """How many there are."""
        return int(self.label.max()) + 1


@dataclass(frozen=True, eq=False)
class Fold:
    """Rows of the conditions on either side."""

    partition: int
    number: int
    train: np.ndarray
    test: np.ndarray


def group_conditions(conditions: pd.DataFrame, by: str) -> Groups:
    """Group the rows of a table of conditions; see :class:`LeaveOutPlan`.

    Raises InputError if a column is missing.
    """
    columns = tuple(by.split("+"))
    if by == "auto":
        columns = next((c for c in _AUTO if set(c) <= set(conditions.columns)), ("name",))
    for column in columns:
        if column not in conditions.columns:
            known = [str(c) for c in conditions.columns]
            raise InputError(
                f"leave_out.by: the conditions have no column '{column}'"
                f"{nearest_name(column, known)}; found: {', '.join(known)}"
            )
    label = conditions.groupby(list(columns), sort=False, dropna=False).ngroup().to_numpy()
    names: dict[tuple[str, ...], str] = {("name",): "conditions", ("movie",): "movies"}
    return Groups(names.get(columns, " and ".join(columns) + " groups"), label)


def keep_presentations_whole(groups: Groups, linked: np.ndarray) -> Groups:
    """Join groups whose conditions share recorded presentations (``linked``, int (K,)).

    A trial of which one part is held out and another trained on would tell of itself.
    """
    joined = linked_conditions([(groups.label, linked)], groups.number)[groups.label]
    if len(np.unique(joined)) == groups.number:
        return groups
    label = np.unique(joined, return_inverse=True)[1]
    return Groups(f"{groups.name}, joined where they share recorded trials", label)


def make_folds(groups: Groups, plan: LeaveOutPlan, *, seed: int) -> list[Fold]:
    """Deal whole groups to folds of ``plan.share``, once per partition.

    The first partition's first fold of stills is the held-out part of ``axis`` of the same seed.
    Raises InputError if too few groups would train.
    """
    size = max(1, round(groups.number * plan.share))
    if groups.number - size < 2:
        raise InputError(
            f"leave_out: {groups.number} {groups.name} are too few to leave {size} out; name "
            "another column in leave_out.by"
        )
    first, *_ = np.random.SeedSequence(seed).spawn(3)  # as in axis
    rng = np.random.default_rng(first)
    found = []
    for partition in range(plan.partitions):
        order = rng.permutation(groups.number)
        starts = range(0, groups.number - size + 1, size)
        for number, start in enumerate(list(starts)[: plan.folds]):
            out = np.isin(groups.label, order[start : start + size])
            found.append(Fold(partition, number, np.flatnonzero(~out), np.flatnonzero(out)))
    return found


def deal(labels: Sequence[int] | np.ndarray, n_folds: int) -> list[np.ndarray]:
    """Deal rows to inner folds by their label, every label whole; at most one fold per label."""
    found = np.unique(labels)
    order = np.random.default_rng(len(found)).permutation(found)
    parts = np.array_split(order, min(n_folds, len(order)))
    return [np.flatnonzero(np.isin(labels, part)) for part in parts]
