"""Which condition was identified for which was shown."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mua_decode.figures.panels import grid
from mua_decode.types import InputError

_MOST_NAMES = 40  # more names than this no longer fit along an axis


def confusion(
    condition: np.ndarray,
    identified: np.ndarray,
    *,
    names: Sequence[str],
    groups: Sequence[str] | None = None,
    title: str = "",
) -> Figure:
    """Draw the share of each condition's trials that were identified as each condition.

    Raises InputError if lengths disagree, there is no trial, or a condition is outside 0..K-1.

    Parameters
    ----------
    condition
        Int array (B,): the condition shown, 0..K-1.
    identified
        Int array (B,): the condition identified; -1 (no nearest video) counts as a trial and
        falls into no column.
    names
        K names of conditions.
    groups
        K names of groups (the cue, say): conditions are put in the order of groups, blocks are
        outlined and, where there are too many conditions to name, the groups are named instead.
    title
        Printed on top; say here how trials were averaged.
    """
    k = len(names)
    counts = _counts(np.asarray(condition), np.asarray(identified), k)
    order = list(range(k))
    if groups is not None:
        if len(groups) != k:
            raise InputError(f"confusion: {k} conditions need {k} groups, found {len(groups)}")
        order.sort(key=lambda i: groups.index(groups[i]))
    trials = np.bincount(condition, minlength=k)
    share = counts / np.where(trials > 0, trials, np.nan)[:, None]
    side = min(max(4.0, 0.17 * k), 9.0)
    figure, (ax,) = grid(1, (side + 2.4, side + 1.6))
    ax.set_facecolor("0.8")  # rows without trials
    image = ax.imshow(
        share[order][:, order], vmin=0, vmax=1, cmap="cividis", interpolation="nearest"
    )
    figure.colorbar(image, ax=ax, shrink=0.8, label="share of the condition's trials")
    _label(ax, [names[i] for i in order], [groups[i] for i in order] if groups else None)
    accuracy = np.trace(counts) / len(condition)
    note = f"{accuracy:.1%} of {len(condition)} trials right, chance {1 / k:.1%}"
    if (trials == 0).any():
        note += f"; grey: no trial ({int((trials == 0).sum())} of {k} conditions)"
    if undecided := int((np.asarray(identified) < 0).sum()):
        note += f"\n{undecided} trials nearest to no video: wrong here, guesses in results.csv"
    ax.set_title(f"{title}\n{note}" if title else note, fontsize=10)
    return figure


def _counts(condition: np.ndarray, identified: np.ndarray, k: int) -> np.ndarray:
    """Trials (K, K) by condition shown and identified; -1 is in no column."""
    if condition.shape != identified.shape or condition.ndim != 1 or not len(condition):
        raise InputError(
            f"confusion: condition and identified must be one filled (B,), "
            f"found {condition.shape} and {identified.shape}"
        )
    if condition.min() < 0 or identified.min() < -1 or max(condition.max(), identified.max()) >= k:
        raise InputError(f"confusion: a trial names a condition outside 0..{k - 1}")
    known = identified >= 0
    counts = np.zeros((k, k))
    np.add.at(counts, (condition[known], identified[known]), 1)
    return counts


def _label(ax: Axes, names: list[str], groups: list[str] | None) -> None:
    """Name conditions, or where there are too many, their groups or every few of them."""
    k = len(names)
    middle, label = list(range(k)), list(names)
    if groups is not None:
        blocks = [len(list(block)) for _, block in groupby(groups)]
        stops = np.cumsum(blocks)
        for edge in stops[:-1]:
            ax.axhline(edge - 0.5, color="white", linewidth=0.8)
            ax.axvline(edge - 0.5, color="white", linewidth=0.8)
        if k > _MOST_NAMES:
            middle = (stops - (np.array(blocks) + 1) / 2).tolist()
            label = [g for g, _ in groupby(groups)]
    elif k > _MOST_NAMES:
        middle = list(range(0, k, -(-k // _MOST_NAMES)))
        label = [names[i] for i in middle]
    size = 10 if len(label) <= 8 else 8 if len(label) <= 24 else 6
    whole = groups is not None and k > _MOST_NAMES
    ax.set_xticks(middle, label, rotation=0 if whole and len(label) <= 6 else 90, fontsize=size)
    ax.set_yticks(middle, label, fontsize=size)
    suffix = f" ({k} conditions)" if len(label) < k else ""
    ax.set(xlabel=f"condition identified{suffix}", ylabel=f"condition shown{suffix}")
