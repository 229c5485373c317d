"""The table that says where each recording site lies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mua_decode.types.errors import InputError, nearest_name
from mua_decode.types.names import all_composed, composed

_COLUMNS = ("site_id", "region", "session", "subject")


@dataclass(frozen=True, eq=False)
class SiteTable:
    """One row per recording site; the only place that maps a site to its region.

    Raises InputError if lengths differ, a site id repeats, or a site has no region.

    Parameters
    ----------
    site_id, region, session, subject
        Arrays of strings, shape (N,). ``site_id`` is unique within the table.
    """

    site_id: np.ndarray
    region: np.ndarray
    session: np.ndarray
    subject: np.ndarray

    def __post_init__(self) -> None:
        for name in _COLUMNS:
            object.__setattr__(self, name, all_composed(np.asarray(getattr(self, name))))
        shapes = {name: getattr(self, name).shape for name in _COLUMNS}
        if len(set(shapes.values())) > 1 or self.site_id.ndim != 1:
            raise InputError(f"site table: columns must share one shape (N,), found {shapes}")
        ids, seen = np.unique(self.site_id, return_counts=True)
        if (seen > 1).any():
            raise InputError(f"site table: duplicate site id '{ids[seen > 1][0]}'")
        blank = np.isin(np.char.lower(self.region), ["", "nan", "none"])
        if blank.any():
            raise InputError(f"site table: site '{self.site_id[blank][0]}' has no region")

    def __len__(self) -> int:
        return len(self.site_id)

    @property
    def regions(self) -> list[str]:
        """Region names in order of first appearance."""
        return list(dict.fromkeys(self.region.tolist()))

    def in_regions(self, regions: Sequence[str]) -> np.ndarray:
        """Boolean mask (N,) of sites in any of ``regions``; a misspelt region is an error."""
        wanted = [composed(name) for name in regions]
        for name in wanted:
            if name not in self.regions:
                raise InputError(
                    f"region '{name}' is not in this recording{nearest_name(name, self.regions)}; "
                    f"found: {', '.join(self.regions)}"
                )
        return np.isin(self.region, wanted)

    def select(self, index: np.ndarray) -> SiteTable:
        """Return the table of the sites picked by an index or boolean array."""
        return SiteTable(**{name: getattr(self, name)[index] for name in _COLUMNS})

    def to_frame(self) -> pd.DataFrame:
        """Return the table as a DataFrame with one row per site."""
        return pd.DataFrame({name: getattr(self, name) for name in _COLUMNS})

    @classmethod
    def concat(cls, tables: Sequence[SiteTable]) -> SiteTable:
        """Stack tables in order."""
        return cls(**{n: np.concatenate([getattr(t, n) for t in tables]) for n in _COLUMNS})
