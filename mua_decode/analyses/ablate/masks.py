"""Which masks to ask about: regions, groups, subsets, segments, single sites, equal numbers."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from mua_decode.analyses.ablate.plan import AblationPlan
from mua_decode.types import InputError, Segment, SiteMask, SiteTable, Stream

_MOST_REGIONS = 10  # 1024 subsets


def masks_asked(
    plan: AblationPlan, sites: SiteTable, segments: Sequence[Segment]
) -> list[SiteMask]:
    """Every mask a plan asks for, family after family, the unmasked population first.

    Families that compare regions with each other are left out where there is but one.

    Raises InputError if the plan asks for a region that is not among the sites.
    """
    asked = sites.regions if plan.regions is None else list(plan.regions)
    sites.in_regions(asked)  # all are known
    several = len(asked) > 1
    masks = [no_mask(sites), *region_masks(sites, asked), *group_masks(sites, plan.groups)]
    if plan.subsets and several:
        masks += subset_masks(sites, asked)
    if plan.segments and len(segments) > 1:
        masks += segment_masks(sites, segments, asked)
    if plan.equal.repeats > 0 and several:
        masks += equal_masks(
            sites,
            asked,
            n_sites=plan.equal.n_sites,
            repeats=plan.equal.repeats,
            rng=Stream.EQUAL_SITES.rng(plan.seed),
        )
    return masks + (site_masks(sites) if plan.sites else [])


def no_mask(sites: SiteTable) -> SiteMask:
    """Return the mask that leaves everything in."""
    return SiteMask(family="unmasked", keep=np.ones(len(sites), bool))


def region_masks(sites: SiteTable, regions: Sequence[str] | None = None) -> list[SiteMask]:
    """One mask per region, or per region named, which takes that region away."""
    return [
        SiteMask(family="region", keep=sites.region != region, regions=(region,))
        for region in (sites.regions if regions is None else regions)
    ]


def group_masks(sites: SiteTable, groups: Sequence[Sequence[str]]) -> list[SiteMask]:
    """One mask per group of regions, which takes the group away.

    Raises InputError if a region is not among the sites, or a group holds none.
    """
    if not all(map(len, groups)):
        raise InputError("groups: a group of regions is empty")
    return [
        SiteMask(family="group", keep=~sites.in_regions(list(group)), regions=tuple(group))
        for group in groups
    ]


def subset_masks(sites: SiteTable, regions: Sequence[str] | None = None) -> list[SiteMask]:
    """All 2^R masks that leave a subset of the R regions in, and all sites of others.

    Mask number s leaves in the regions whose bit is set in s (bit 0 is the first region), so the
    first mask takes all of these regions away and the last leaves everything in.

    Parameters
    ----------
    regions
        ``None``: every region.

    Raises InputError if there are more than 10 regions.
    """
    regions = sites.regions if regions is None else regions
    others = ~sites.in_regions(list(regions))
    if len(regions) > _MOST_REGIONS:
        raise InputError(
            f"{len(regions)} regions have {2 ** len(regions)} subsets; exact Shapley values need "
            f"at most {_MOST_REGIONS}: name those to take away, regions=[{','.join(regions[:3])}], "
            "or leave Shapley values out, subsets=false"
        )
    subsets = [
        tuple(region for i, region in enumerate(regions) if bits >> i & 1)
        for bits in range(2 ** len(regions))
    ]
    return [
        SiteMask(
            family="subset",
            keep=np.isin(sites.region, s) | others,
            regions=s,
            others=bool(others.any()),
        )
        for s in subsets
    ]


def segment_masks(
    sites: SiteTable, segments: Sequence[Segment], regions: Sequence[str] | None = None
) -> list[SiteMask]:
    """One mask per region and segment, which takes the region away in the bins of the segment."""
    n_bins = segments[-1].stop
    masks: list[SiteMask] = []
    for region, segment in itertools.product(regions or sites.regions, segments):
        keep = np.ones((n_bins, len(sites)), bool)
        keep[segment.start : segment.stop, sites.in_regions([region])] = False
        masks.append(SiteMask(family="segment", keep=keep, regions=(region,), segment=segment.name))
    return masks


def site_masks(sites: SiteTable) -> list[SiteMask]:
    """One mask per site, which takes that site away."""
    return [
        SiteMask(family="site", keep=np.arange(len(sites)) != n, site=str(name))
        for n, name in enumerate(sites.site_id)
    ]


def equal_masks(
    sites: SiteTable,
    regions: Sequence[str] | None = None,
    *,
    n_sites: int | None,
    repeats: int,
    rng: np.random.Generator,
) -> list[SiteMask]:
    """Masks that take the same number of sites away from every region, drawn ``repeats`` times.

    A region with many sites loses more by being masked than one with few, whatever it does; with
    equal numbers the comparison is of sites, not of sample sizes.

    Parameters
    ----------
    n_sites
        Sites taken from each region; ``None``: as many as the smallest region has.

    Raises InputError if a region has fewer sites.
    """
    sizes = {region: int((sites.region == region).sum()) for region in regions or sites.regions}
    number = min(sizes.values()) if n_sites is None else n_sites
    if not 1 <= number <= min(sizes.values()):
        smallest = min(sizes, key=lambda r: sizes[r])
        raise InputError(
            f"equal numbers: cannot take {number} sites from each region, "
            f"{smallest} has {sizes[smallest]}"
        )
    masks: list[SiteMask] = []
    for region in sizes:
        available = np.flatnonzero(sites.region == region)
        for repeat in range(repeats):
            keep = np.ones(len(sites), bool)
            keep[rng.choice(available, number, replace=False)] = False
            masks.append(SiteMask(family="equal", keep=keep, regions=(region,), draw=repeat + 1))
    return masks
