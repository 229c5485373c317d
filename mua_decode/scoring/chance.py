"""Whether conditions are identified above chance, by a test that counts what is independent."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import binom

from mua_decode.data import DecodingData
from mua_decode.data.independence import condition_groups
from mua_decode.types import whole

_ALPHA = 0.05
_ONE = "chance/most_frequent_condition"


@dataclass(frozen=True)
class Chance:
    """Identification of single trials beside what a decoder scores that ignores the activity.

    Parameters
    ----------
    value
        Share of single trials identified, in [0, 1].
    chance
        1 / K, guessing among all candidates.
    naming_one
        What naming one and the same video in every trial gives at most: the share of trials of the
        condition that was shown most often. No decoder scores more that does not look at the
        activity; 1 / K where all candidates were shown equally often.
    n, n_unit
        Independent trials, see :func:`independent_trials`, and what is counted.
    """

    value: float
    chance: float
    naming_one: float
    n: int
    n_unit: str = "independent trials"

    @property
    def p(self) -> float:
        """Exact binomial test, one-sided, of the trials identified among the n independent ones.

        Conservative: answers that do not depend on what is shown are right with probabilities that
        average ``naming_one`` at most, and their number spreads less than a binomial one
        (Hoeffding 1956, doi 10.1214/aoms/1177728178).
        """
        hits = math.floor(self.value * self.n + 1e-6)
        return float(binom.sf(hits - 1, self.n, min(1.0, max(self.chance, self.naming_one))))

    @property
    def above(self) -> bool:
        """Whether the score is told from chance, p < .05."""
        return self.value > self.chance and self.p < _ALPHA

    @property
    def said(self) -> str:
        """``identified 0.011, chance 0.011 (n = 18 independent trials; ...)``."""
        against = ""
        if self.naming_one > self.chance * (1 + 1e-9):
            against = f" against {self.naming_one:.3f}, which naming one video always gives"
        return (
            f"identified {self.value:.3f}, chance {self.chance:.3f} (n = {self.n} "
            f"{self.n_unit}; exact binomial test{against}, one-sided, p = {self.p:.2g})"
        )


def independent_trials(data: DecodingData, part: str) -> int:
    """Pseudo-trials of a part that share no recorded trial, at most.

    Of the conditions that share presentations (stretches of a film) a presentation counts once;
    of every site's recorded trials the fewest count, since every pseudo-trial needs one.
    """
    pseudo = data.pseudo_trials(part)
    groups = condition_groups(data)[pseudo.condition]
    total = 0
    for group in np.unique(groups):
        rows = np.flatnonzero(groups == group)
        sites = np.asarray(pseudo.sites(rows))
        sites = np.broadcast_to(np.atleast_2d(sites), pseudo.source_trial[rows].shape)
        shown = data.pool.presentation[pseudo.source_trial[rows], sites]
        total += min(len(np.unique(column)) for column in shown.T)
    return total


def chance_numbers(data: DecodingData, part: str) -> dict[str, float | int]:
    """What :func:`chance_of` reads back from the flat numbers of a run."""
    shown = np.unique(data.pseudo_trials(part).condition, return_counts=True)[1]
    return {
        f"{part}/n_independent_trials": independent_trials(data, part),
        _ONE: float(shown.max() / shown.sum()),
    }


def chance_of(flat: Mapping[str, Any], part: str, table: pd.DataFrame | None) -> Chance | None:
    """Take it from the flat numbers of a run; ``None`` where they do not identify.

    Parameters
    ----------
    table
        ``results.csv`` of a run of an earlier version, whose numbers say neither how many trials
        are independent nor how often a condition was shown; then recorded trials count.
    """
    value = known_number(flat.get(f"{part}/single_trial/identification"))
    chance = known_number(flat.get("chance/identification"))
    if value is None or chance is None or not (0 <= value <= 1 and 0 < chance <= 1):
        return None
    n, one = known_number(flat.get(f"{part}/n_independent_trials")), known_number(flat.get(_ONE))
    unit = "independent trials"
    if n is None or one is None:
        unit = "recorded trials"
        sizes = [flat.get(f"{part}/n_{kind}_trials") for kind in ("pseudo", "recorded")]
        known = [size for s in sizes if (size := known_number(s)) is not None]
        one = None if table is None else _most_frequent(table)
        if one is None or len(known) < 2:
            return None
        n = min(known)
    if not (1 <= n < 1e9 and 0 < one <= 1):
        return None
    return Chance(value, chance, one, int(n), unit)


def _most_frequent(table: pd.DataFrame) -> float | None:
    """Share of the trials that the condition shown most often has, in a table of results."""
    if any(c not in table for c in ("run", "trial", "metric", "condition", "segment", "n")):
        return None
    rows = whole(table[(table["run"] == "decoder") & (table["metric"] == "identification")])
    rows = rows[(rows["trial"] == "single_trial") & (rows["condition"] != "all")]
    n = pd.to_numeric(rows["n"], errors="coerce").to_numpy(float)
    return float(n.max() / n.sum()) if len(n) and np.isfinite(n).all() and n.sum() > 0 else None


def known_number(value: object) -> float | None:
    """Return a finite number of a file, ``None`` for everything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:  # a whole number of hundreds of digits
        return None
