"""Sites that can be drawn in every condition of every part; the others leave the population."""

from __future__ import annotations

import numpy as np

from mua_decode.data.pooling import Candidates, find_candidates, select_sites
from mua_decode.types import PARTS, InputError, Split, TrialPool

_COPIES = (
    "every condition has one training trial, and all its pseudo-trials are copies of that: "
    "data.pseudo.draw=recorded takes the trials of one session once each"
)


def complete_sites(
    pool: TrialPool, split: Split, *, n_conditions: int, draw: str
) -> tuple[TrialPool, dict[str, Candidates], list[str]]:
    """Find drawable trials; sites without any for some condition leave the population.

    Returns the pool of the sites that stay, the drawable trials of every part, and notes.
    Raises InputError if no site stays.
    """

    def find() -> dict[str, Candidates]:
        return {
            p: find_candidates(pool, split.trials[p], n_conditions=n_conditions, draw=draw)
            for p in PARTS
        }

    found = find()
    complete = np.ones(len(pool.sites), bool)
    for part in PARTS:
        complete &= (found[part].number[:, found[part].conditions] > 0).all(axis=1)
    if not complete.any():
        raise InputError(
            "no site was recorded in every condition of train, val and test; use fewer "
            "sessions, larger test and val shares, or pseudo.draw=site"
        )
    copies = [_COPIES] if draw != "recorded" and _shown_once(found["train"]) else []
    if complete.all():
        return pool, found, copies
    lost = pool.sites.select(~complete)
    note = (
        f"{len(lost)} of {len(complete)} sites left out: no recorded trial of some "
        f"condition in train, val or test ({', '.join(lost.site_id[:5])}"
        f"{' ...' if len(lost) > 5 else ''})"
    )
    pool = select_sites(pool, np.flatnonzero(complete))
    return pool, find(), [note, *copies]


def _shown_once(candidates: Candidates) -> bool:
    return bool((candidates.number[:, candidates.conditions] <= 1).all())
