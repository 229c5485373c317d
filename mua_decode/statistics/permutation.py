"""Null distributions from shuffled labels, and how small a p they can give."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from mua_decode.statistics.units import Units
from mua_decode.types import InputError

# Sums in another order differ in the last digits, and a score read back from a table was rounded
# to six: a tie must not count as below. Relative to the observed alone, nothing ties with zero.
_TIE = 1e-5
_TIE_AT_ZERO = 1e-9
_ALPHA = 0.05


def rank_p(
    null: np.ndarray, observed: float | np.ndarray, *, tie: float = _TIE_AT_ZERO
) -> np.ndarray:
    """One-sided p of an observed statistic among draws of its null distribution; larger is better.

    Parameters
    ----------
    null
        float (n, ...). A draw within ``tie``, or within 1e-5 relative to the observed value, is a
        tie and has reached it; so has a draw that is NaN, which can only raise p.
    observed
        float (...).
    tie
        What is no difference, in units of the statistic.

    Returns
    -------
    float (...): (1 + number of draws that reach the observed) / (1 + n), never below 1 / (1 + n)
    (Phipson and Smyth 2010, doi 10.2202/1544-6115.1585); NaN where the observed value is.
    """
    null, observed = np.asarray(null, float), np.asarray(observed, float)
    below = null < observed - np.maximum(tie, _TIE * np.abs(observed))
    return np.where(np.isnan(observed), np.nan, (1 + (~below).sum(axis=0)) / (1 + len(null)))


def smallest_p(test: Literal["sign flip", "Wilcoxon"], n: int) -> float:
    """Return the smallest two-sided p of n paired differences: 2 of their 2ⁿ signs."""
    if test not in ("sign flip", "Wilcoxon"):
        raise InputError(f"smallest p: expected sign flip or Wilcoxon, found {test}")
    return min(1.0, 2.0 ** (1 - n))


def out_of_reach(least: float, n: int, unit: str, *, alpha: float = _ALPHA) -> str:
    """Say that a test of n units cannot conclude: its smallest p is above alpha; else empty."""
    return f"{n} {unit}: smallest possible p {least:.3g}" if least > alpha else ""


@dataclass(frozen=True, eq=False)
class PermutationNull:
    """What a statistic is, and what it is when the labels mean nothing.

    Parameters
    ----------
    observed
        float (...): the statistic of the true labels.
    null
        float (n, ...): of permuted labels.
    p
        float (...): one-sided, (1 + number of permutations at or above the observed) / (1 + n);
        NaN where the observed statistic is.
    note
        That p cannot fall below .05 with so few arrangements of the labels; else empty.
    """

    observed: np.ndarray
    null: np.ndarray
    p: np.ndarray
    note: str = ""


def permutation_null(
    statistic_of: Callable[[np.ndarray], float | np.ndarray],
    labels: np.ndarray,
    *,
    rng: np.random.Generator,
    n: int = 999,
    groups: np.ndarray | None = None,
    units: Units | np.ndarray | None = None,
) -> PermutationNull:
    """Permute labels n times, units whole and within groups if any; the statistic each time.

    Raises InputError if ``groups`` or ``units`` have another length than the labels, a unit lies in
    two groups, or n < 1.

    Parameters
    ----------
    statistic_of
        Takes labels (M, ...) permuted along their first axis, returns one number or an array;
        larger is further from chance.
    labels
        (M, ...); rows move together.
    groups
        (M,): labels only change places within a group (a session, say).
    units
        Units, or labels (M,): what is independent (conditions that share presentations are one).
        If all units have one label each, these change places; else the labels of a unit stay
        together, in order, and go to another of the same size.

    Returns
    -------
    PermutationNull
        The identity counts as one permutation, so that p is never below 1 / (1 + n) and the test
        keeps its level (Phipson and Smyth 2010, doi 10.2202/1544-6115.1585).
    """
    labels = np.asarray(labels)
    m = len(labels)
    if n < 1:
        raise InputError(f"permutations: expected at least 1, found {n}")
    within = _codes(groups, m, "group")
    unit = np.arange(m) if units is None else _codes(units, m, "unit")
    blocks = _blocks(unit, within, labels)
    observed = np.asarray(statistic_of(labels), float)
    null = np.empty((n, *observed.shape))
    for i in range(n):
        null[i] = statistic_of(labels[_rearranged(blocks, m, rng)])
    name = units.name if isinstance(units, Units) else "labels" if units is None else "units"
    least = max(1 / (1 + n), 1 / _arrangements(blocks, labels))
    note = out_of_reach(least, len(np.unique(unit)), name)
    return PermutationNull(observed, null, rank_p(null, observed), note)


@dataclass(frozen=True, eq=False)
class _Block:
    """Places that exchange what they hold: m of them, each taking from one of m sources."""

    to: list[np.ndarray]  # rows of every place
    take: np.ndarray  # (m, s): rows that a place of s rows takes, or (m, 1), one for all its rows

    def exchanged(self, rng: np.random.Generator) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        yield from zip(self.to, rng.permutation(self.take), strict=True)


def _blocks(unit: np.ndarray, within: np.ndarray, labels: np.ndarray) -> list[_Block]:
    if len(np.unique(unit)) == len(unit):
        members = [np.flatnonzero(within == g) for g in np.unique(within)]
        return [_Block([*rows[:, None]], rows[:, None]) for rows in members]
    rows = [np.flatnonzero(unit == u) for u in range(unit.max(initial=-1) + 1)]
    if any(len(np.unique(within[r])) > 1 for r in rows):
        raise InputError("permutations: a unit lies in two groups")
    alike = all((labels[r] == labels[r[0]]).all() for r in rows)
    keys = [(within[r[0]], 0 if alike else len(r)) for r in rows]
    blocks = []
    for key in sorted(set(keys)):
        to = [r for r, k in zip(rows, keys, strict=True) if k == key]
        blocks.append(_Block(to, np.stack([r[:1] if alike else r for r in to])))
    return blocks


def _rearranged(blocks: list[_Block], m: int, rng: np.random.Generator) -> np.ndarray:
    order = np.arange(m)
    for block in blocks:
        if len(block.take[0]) == 1 and len(block.to) == sum(map(len, block.to)):
            order[block.take[:, 0]] = rng.permutation(block.take[:, 0])
            continue
        for to, take in block.exchanged(rng):
            order[to] = take
    return order


def _arrangements(blocks: list[_Block], labels: np.ndarray) -> float:
    """How many different arrangements there are."""
    log = 0.0
    for block in blocks:
        held = labels[block.take].reshape(len(block.take), -1)
        held = held.astype(str) if held.dtype == object else held
        same = np.unique(held, axis=0, return_counts=True)[1]
        log += math.lgamma(len(held) + 1) - sum(math.lgamma(c + 1) for c in same.tolist())
    return math.exp(min(log, 700.0))


def block_orders(unit: np.ndarray, *, n: int, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """Orders int (n, K) that exchange whole units (K,) of the same size, and how many there are."""
    code = np.unique(unit, return_inverse=True)[1]
    size = np.bincount(code)
    orders = np.tile(np.arange(len(code)), (n, 1))
    log = 0.0
    for s in np.unique(size):
        members = np.stack([np.flatnonzero(code == u) for u in np.flatnonzero(size == s)])
        log += math.lgamma(len(members) + 1)
        drawn = rng.permuted(np.tile(np.arange(len(members)), (n, 1)), axis=1)
        orders[:, members] = members[drawn]
    return orders, math.exp(min(log, 700.0))


def _codes(labels: Units | np.ndarray | None, m: int, what: str) -> np.ndarray:
    """Numbers (M,) of groups or units; all zero without any."""
    if labels is None:
        return np.zeros(m, np.int64)
    shape = (len(labels.levels),) if isinstance(labels, Units) else np.shape(labels)
    if shape != (m,):
        raise InputError(f"permutations: expected one {what} per label, ({m},), found {shape}")
    if isinstance(labels, Units):
        return labels.code
    return np.unique(np.asarray(labels), return_inverse=True)[1].reshape(-1)
