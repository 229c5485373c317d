"""The places along the site axis, where every pseudo-trial draws its own sites for them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mua_decode.types import SiteTable

RANDOM_SITES = "random_sites"
_ANY = "drawn anew"
_ROWS = 2048


def place_table(sites: SiteTable, number: Mapping[str, int]) -> SiteTable:
    """The table of the N places: each has a region, but no site, session or subject of its own.

    Parameters
    ----------
    sites
        The sites that are drawn from; regions keep their order, the places of one lie together.
    number
        Places by region; a region has no more than it has sites, and none where it is not named.
    """
    region = [
        r
        for r in sites.regions
        for _ in range(min(number.get(r, 0), int((sites.region == r).sum())))
    ]
    ids = [f"place {n} ({r})" for n, r in enumerate(region)]
    any_one = np.full(len(region), _ANY)
    return SiteTable(
        site_id=np.array(ids), region=np.array(region), session=any_one, subject=any_one
    )


def draw_places(
    sites: SiteTable, places: SiteTable, *, number: int, rng: np.random.Generator
) -> np.ndarray:
    """Choose a site of its region for every place in every pseudo-trial, int32 (number, N).

    Without replacement: a site takes one place of a pseudo-trial at most.
    """
    chosen = np.empty((number, len(places)), np.int32)
    for region in places.regions:
        own, place = (np.flatnonzero(t.region == region) for t in (sites, places))
        for first in range(0, number, _ROWS):
            rows = slice(first, min(number, first + _ROWS))
            order = rng.random((rows.stop - first, len(own)), dtype=np.float32).argsort(axis=1)
            chosen[rows, place[0] : place[-1] + 1] = own[order[:, : len(place)]]
    return chosen


def mean_by_place(values: np.ndarray, sites: SiteTable, places: SiteTable) -> np.ndarray:
    """Average values of the sites (..., M) within regions, for every place (..., N)."""
    means = {r: values[..., sites.region == r].mean(axis=-1) for r in places.regions}
    return np.stack([means[r] for r in places.region.tolist()], axis=-1).astype(values.dtype)
