"""Which part of the population a decoder is allowed to see."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mua_decode.types.errors import InputError


@dataclass(frozen=True, eq=False)
class SiteMask:
    """Sites, or sites in some bins, that are taken away from a trained decoder at test time.

    Parameters
    ----------
    name
        Name in result tables: ``"none"``, ``"without MT"``, ``"only MT+V4"`` ...
    keep
        bool (N,), the sites left in; or (T, N) where it depends on the bin.

    Raises
    ------
    InputError
        If ``keep`` is not boolean or has another number of axes.
    """

    name: str
    keep: np.ndarray

    def __post_init__(self) -> None:
        if self.keep.dtype != np.bool_ or self.keep.ndim not in (1, 2):
            raise InputError(
                f"mask '{self.name}': keep must be bool (N,) or (T, N), "
                f"found {self.keep.dtype} {self.keep.shape}"
            )

    @property
    def n_removed(self) -> int:
        """Sites removed in at least one bin."""
        return int((~np.atleast_2d(self.keep)).any(axis=0).sum())
