"""Intervals over what is independent: sites of a session share its noise, sessions do not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mua_decode.statistics import Interval, pooled_interval, share
from mua_decode.types import SiteTable

_FEW = 20  # units below which a bootstrap over them is too narrow


@dataclass(frozen=True, eq=False)
class Units:
    """The independent unit that every site belongs to."""

    label: np.ndarray  # (N,), one per site
    name: str  # what a unit is, in plural: "subjects", "sessions"

    @classmethod
    def of_sites(cls, sites: SiteTable) -> Units:
        """Subjects where at least two are known, else sessions."""
        known = ~np.isin(np.char.lower(sites.subject), ["", "nan", "none", "unknown"])
        if known.all() and len(np.unique(sites.subject)) > 1:
            return cls(sites.subject, "subjects")
        return cls(sites.session, "sessions")

    @property
    def said(self) -> str:
        """What intervals over these units speak for, or why there are none."""
        n = len(np.unique(self.label))
        if n < 2:
            return f"one of the {self.name}: no interval over {self.name}"
        how = "cluster bootstrap" if n >= _FEW else "t from the spread of their means"
        return f"95 % intervals over {n} {self.name} ({how})"

    def by_unit(self, values: np.ndarray, asked: np.ndarray) -> dict[str, float]:
        """Mean of the asked values of every unit, NaN where it has none."""
        return {str(u): _mean(values[asked & (self.label == u)]) for u in np.unique(self.label)}


def unit_correlation(values: np.ndarray, units: np.ndarray, *, level: float = 0.95) -> Interval:
    """Median of correlations over sites with its interval over units, inside [-1, 1]."""
    return Interval(*np.clip(pooled_interval(values, units, of="median", level=level), -1, 1))


def unit_share(hits: np.ndarray, units: np.ndarray) -> Interval:
    """Share of True over sites with its 95 % interval over units; see ``statistics.share``."""
    return share(hits, units)


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")
