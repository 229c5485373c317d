"""Options of the comparison with other models."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ComparePlan:
    """What the decoder is compared with.

    Parameters
    ----------
    models
        Options of the config group ``model``.
    correction
        Over the models and floors of each metric: holm, fdr_bh or none.
    """

    models: tuple[str, ...]
    correction: str
