"""Which part of the population a decoder is allowed to see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from mua_decode.types.errors import InputError

Family = Literal["unmasked", "region", "group", "subset", "segment", "equal", "site"]


def only(regions: str) -> str:
    """Return the column ``mask`` of rows on one region alone, or on some joined by +."""
    return f"only {regions}"


def region_of(mask: str) -> str:
    """Return what ``only`` was given, from a table: ``"all"`` where nothing is masked.

    For tables that come back from their files; what makes rows knows its regions.
    """
    return "all" if mask == "none" else mask.removeprefix(only(""))


@dataclass(frozen=True, eq=False, kw_only=True)
class SiteMask:
    """Sites, or sites in some bins, that are taken away from a trained decoder at test time.

    Parameters
    ----------
    family
        The question the mask belongs to.
    keep
        bool (N,), the sites left in; or (T, N) where it depends on the bin.
    regions
        Regions taken away, wholly or in part; those left in by a ``subset``.
    others
        Whether a ``subset`` leaves in regions that it was not asked about.
    segment, draw, site
        The segment they are taken away in, the number of the draw from 1, the site taken away: of
        the families ``segment``, ``equal`` and ``site``.

    Raises
    ------
    InputError
        If ``keep`` is not boolean or has another number of axes.
    """

    family: Family
    keep: np.ndarray
    regions: tuple[str, ...] = ()
    others: bool = False
    segment: str | None = None
    draw: int | None = None
    site: str | None = None

    def __post_init__(self) -> None:
        if self.keep.dtype != np.bool_ or self.keep.ndim not in (1, 2):
            raise InputError(
                f"mask of family '{self.family}': keep must be bool (N,) or (T, N), "
                f"found {self.keep.dtype} {self.keep.shape}"
            )

    @property
    def n_removed(self) -> int:
        """Sites removed in at least one bin."""
        return int((~np.atleast_2d(self.keep)).any(axis=0).sum())

    @property
    def label(self) -> str:
        """What is taken away, or left in by a subset, as tables write it."""
        regions = "+".join(self.regions)
        if self.family == "equal":
            return f"{self.n_removed} of {regions}, draw {self.draw}"
        if self.family == "segment":
            return f"{regions} in {self.segment}"
        return f"site {self.site}" if self.family == "site" else regions

    @property
    def name(self) -> str:
        """Name in result tables: ``"none"``, ``"without MT"``, ``"only MT+V4"`` ..."""
        if self.family == "unmasked":
            return "none"
        if self.family == "subset":
            return only(self.label or "nothing") + (" of those asked" if self.others else "")
        return f"without {self.label}"
