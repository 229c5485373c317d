import numpy as np
import pytest

from mua_decode.analyses.ablate.masks import (
    equal_masks,
    group_masks,
    no_mask,
    region_masks,
    segment_masks,
    site_masks,
    subset_masks,
)
from mua_decode.types import InputError, Segment, SiteMask, SiteTable

REGIONS = ["V4", "V4", "MT", "PFC", "MT", "V4"]
SITES = SiteTable(
    site_id=[f"s{i}" for i in range(6)], region=REGIONS, session=["a"] * 6, subject=["m"] * 6
)


def test_a_region_mask_takes_that_region_and_leaves_all_others() -> None:
    masks = region_masks(SITES)
    assert [m.name for m in masks] == ["without V4", "without MT", "without PFC"]
    for mask, region in zip(masks, SITES.regions, strict=True):
        assert (mask.keep == (SITES.region != region)).all()
    assert no_mask(SITES).keep.all()
    assert no_mask(SITES).n_removed == 0


def test_groups_are_taken_together_and_misspelt_ones_named() -> None:
    (mask,) = group_masks(SITES, [["MT", "PFC"]])
    assert mask.name == "without MT+PFC"
    assert (mask.keep == (SITES.region == "V4")).all()
    with pytest.raises(InputError, match="MTT"):
        group_masks(SITES, [["MTT"]])
    with pytest.raises(InputError, match="empty"):
        group_masks(SITES, [[]])


def test_subsets_are_ordered_by_their_bits() -> None:
    masks = subset_masks(SITES)
    assert len(masks) == 8
    assert not masks[0].keep.any()
    assert masks[-1].keep.all()
    assert (masks[0b101].keep == np.isin(SITES.region, ["V4", "PFC"])).all()
    assert masks[0b010].name == "only MT"
    assert len({m.keep.tobytes() for m in masks}) == 8


def test_eleven_regions_are_too_many() -> None:
    names = [str(i) for i in range(11)]
    sites = SiteTable(site_id=names, region=names, session=["a"] * 11, subject=["m"] * 11)
    with pytest.raises(InputError, match="2048 subsets"):
        subset_masks(sites)


def test_segment_masks_take_a_region_in_those_bins_only() -> None:
    segments = (Segment("cue", 0, 2), Segment("stimulus", 2, 5))
    masks = {m.name: m for m in segment_masks(SITES, segments)}
    keep = masks["without MT in stimulus"].keep
    assert keep.shape == (5, 6)
    assert keep[:2].all()
    assert (keep[2:] == (SITES.region != "MT")).all()
    assert masks["without MT in stimulus"].n_removed == 2


def test_equal_masks_take_as_many_sites_from_every_region() -> None:
    rng = np.random.default_rng(0)
    masks = equal_masks(SITES, n_sites=None, repeats=3, rng=rng)
    assert [m.n_removed for m in masks] == [1] * 9
    for mask in masks:
        (region,) = set(SITES.region[~mask.keep])
        assert mask.name.startswith(f"without 1 of {region}, draw")
    with pytest.raises(InputError, match="PFC has 1"):
        equal_masks(SITES, n_sites=2, repeats=1, rng=rng)


def test_site_masks_take_one_site_each() -> None:
    masks = site_masks(SITES)
    assert (np.stack([m.keep for m in masks]) == ~np.eye(6, dtype=bool)).all()


def test_a_mask_must_be_boolean() -> None:
    with pytest.raises(InputError, match="bool"):
        SiteMask("x", np.ones(3))
    with pytest.raises(InputError, match="bool"):
        SiteMask("x", np.ones((2, 3, 4), bool))
