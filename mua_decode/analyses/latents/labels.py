"""Points of any space with what is known of each, and what a label belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from mua_decode.data.independence import unit_of
from mua_decode.types import InputError, StimulusSet

MIXED = "mixed"
"""Response of a pseudo-trial whose sites have no response in common: no class of its own."""
_SHARED = (
    "no p: pseudo-trials of one condition and response share recorded trials, and are unequal in "
    "number; the response is tested in recorded trials"
)

_MIXED = "no p: conditions of several classes share recorded trials, which no permutation keeps"


@dataclass(frozen=True, eq=False)
class Units:
    """What a label belongs to: points of one unit are relabelled together.

    Parameters
    ----------
    name
        What a unit is: ``"sites"``, ``"conditions"``, ``"recorded trials"``.
    index
        int (n,): unit of every point.
    within
        int (n,): labels change places only among units of one such group; ``None``: among all.
        A response follows the condition, and sites of a session share its trials: permuted over
        all units, such a label would be found wherever the group alone is.
    within_name
        What a group is: ``"conditions"``, ``"sessions"``.
    untested
        Why no permutation of the label is a test, if none is.
    no_class
        Text of points that have none of the classes; silhouettes leave them out.
    """

    name: str
    index: np.ndarray
    within: np.ndarray | None = None
    within_name: str = ""
    untested: str = ""
    no_class: str | None = None

    def where(self, chosen: np.ndarray) -> Units:
        """Units of some of the points, by mask or index."""
        within = None if self.within is None else self.within[chosen]
        return replace(self, index=self.index[chosen], within=within)


@dataclass(frozen=True, eq=False)
class Vectors:
    """Points of one space, float32 (n, D), with what is known of each.

    Raises InputError if the lengths differ, or a value is not finite.

    Parameters
    ----------
    labels
        One row per point, one text column per label.
    units
        One entry per label.
    space
        What the points are, in words; goes into tables and titles.
    trial
        ``"recorded_trial"`` or ``"pseudo_trial"``.
    part
        Part of the split they come from; says so where the split leaks.
    """

    points: np.ndarray
    labels: pd.DataFrame
    units: Mapping[str, Units]
    space: str
    trial: str
    part: str

    def __post_init__(self) -> None:
        n = len(self.points)
        if self.points.ndim != 2 or len(self.labels) != n or set(self.units) != set(self.labels):
            raise InputError(
                f"vectors '{self.space}': expected points (n, D) with a label row and a unit each, "
                f"found {self.points.shape}, {self.labels.shape} and units of {sorted(self.units)}"
            )
        if any(u.index.shape != (n,) for u in self.units.values()):
            raise InputError(f"vectors '{self.space}': every label needs {n} unit numbers")
        groups = [u.within for u in self.units.values() if u.within is not None]
        if any(g.shape != (n,) for g in groups):
            raise InputError(f"vectors '{self.space}': groups of units need {n} numbers")
        if not np.isfinite(self.points).all():
            raise InputError(f"vectors '{self.space}': NaN or infinite value")


def condition_labels(stimuli: StimulusSet) -> pd.DataFrame:
    """Text labels of the K conditions.

    Returns
    -------
    DataFrame (K rows): the columns ``cue``, ``colour``, ``direction_deg`` and ``movie`` the
    conditions have, and ``stimulus``, colour and direction together; ``condition``, the name,
    where they have none of these.
    """
    table = stimuli.conditions
    known = [c for c in ("cue", "colour", "direction_deg", "movie") if c in table.columns]
    labels = pd.DataFrame({c: table[c].map(as_text) for c in known})
    if {"colour", "direction_deg"} <= set(known):
        labels["stimulus"] = labels["colour"] + " " + labels["direction_deg"]
    if not known:
        labels = pd.DataFrame({"condition": stimuli.names})
    return labels.reset_index(drop=True)


def units_of(
    labels: pd.DataFrame,
    condition: np.ndarray,
    trial: np.ndarray,
    session: np.ndarray | None = None,
    *,
    groups: np.ndarray | None = None,
) -> dict[str, Units]:
    """Say what each label belongs to, given condition and trial (n,) of every point.

    The condition, if it decides the label and several conditions share one; else the trial. A
    label that varies within a condition (the response) is permuted within conditions, and within
    sessions (n,) where the points come from several. Conditions that share recorded trials
    (``groups``, int (K,)) are one unit.
    """
    units = {}
    linked = np.arange(condition.max(initial=0) + 1) if groups is None else groups
    for name in labels.columns:
        of_condition = labels[name].groupby(condition).nunique().max() == 1
        shared = labels[name].nunique() < len(np.unique(linked[condition]))
        if of_condition and (shared or len(np.unique(linked)) < len(linked)):
            units[str(name)] = condition_unit(labels[name], condition, linked)
        elif of_condition:
            units[str(name)] = Units("recorded trials", trial)
        else:
            pair = pd.DataFrame({"c": condition, "s": 0 if session is None else session})
            within = pair.groupby(["c", "s"], sort=False).ngroup().to_numpy()
            inside = "conditions" if session is None else "conditions of a session"
            units[str(name)] = Units("recorded trials", trial, within, inside)
    return units


def condition_unit(label: pd.Series, condition: np.ndarray, groups: np.ndarray) -> Units:
    """Unit of a label that the condition (n,) decides, given the groups (K,) of conditions.

    Points of conditions that share recorded trials share noise: relabelled one by one, a label
    that such conditions have in common is found in pure noise.
    """
    if len(np.unique(groups)) == len(groups):
        return Units("conditions", condition)
    group = groups[condition]
    if label.groupby(group).nunique().max() > 1:
        return Units("conditions", condition, untested=_MIXED)
    return Units(unit_of(groups), group)


def response_units(condition: np.ndarray, response: np.ndarray) -> Units:
    """Say what the response of pseudo-trials (n,) belongs to, and that it is not tested.

    Pseudo-trials of one condition and response share recorded trials, and correct ones outnumber
    errors. Swapped whole within a condition, as many points as there are correct trials go to the
    class of the errors, so that the response of a population that knows the condition alone is
    found in every recording; swapped among conditions, it is found wherever a category is.
    :func:`units_of` tests the response of recorded trials.
    """
    pair = pd.DataFrame({"c": condition, "r": response})
    each = pair.groupby(["c", "r"], sort=False).ngroup().to_numpy()
    return Units("responses to a condition", each, untested=_SHARED, no_class=MIXED)


def as_text(value: object) -> str:
    """Write a label; whole numbers without a point, no value as "missing"."""
    if value is None or value != value:
        return "missing"
    return f"{value:g}" if isinstance(value, float) else str(value)
