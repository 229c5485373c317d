from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from mua_decode.analyses.ablate.masks import (
    equal_masks,
    group_masks,
    masks_asked,
    no_mask,
    region_masks,
    segment_masks,
    site_masks,
    subset_masks,
)
from mua_decode.analyses.ablate.plan import AblationPlan, EqualPlan
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


def test_site_masks_are_named_by_their_site() -> None:
    assert [m.name for m in site_masks(SITES)][:2] == ["without site s0", "without site s1"]


def test_a_mask_knows_what_it_takes_away_and_tables_make_a_name_of_it() -> None:
    segments = (Segment("cue", 0, 2), Segment("stimulus", 2, 5))
    equal = equal_masks(SITES, n_sites=None, repeats=2, rng=np.random.default_rng(0))[1]
    assert (equal.family, equal.regions, equal.draw) == ("equal", ("V4",), 2)
    assert equal.name == "without 1 of V4, draw 2"
    part = segment_masks(SITES, segments)[1]
    assert (part.family, part.regions, part.segment) == ("segment", ("V4",), "stimulus")
    assert part.label == "V4 in stimulus"
    subset = subset_masks(SITES)[0b101]
    assert (subset.family, subset.regions) == ("subset", ("V4", "PFC"))
    assert (subset.name, subset.label) == ("only V4+PFC", "V4+PFC")
    assert (subset_masks(SITES)[0].name, subset_masks(SITES)[0].label) == ("only nothing", "")
    assert (no_mask(SITES).family, no_mask(SITES).name) == ("unmasked", "none")


def test_a_plan_names_the_families_and_one_region_is_compared_with_nothing() -> None:
    plan = AblationPlan(
        part="test", fills=("zero",), donors=1, regions=None, groups=(("V4",),), subsets=True,
        segments=True, equal=EqualPlan(n_sites=None, repeats=1), sites=True,
        trials_per_condition=None, average_only=(), guess=None, correction="holm", mixed=False,
        seed=0,
    )  # fmt: skip
    segments = (Segment("cue", 0, 2), Segment("stimulus", 2, 5))

    def families(sites: SiteTable) -> dict[str, int]:
        return dict(Counter(m.family for m in masks_asked(plan, sites, segments)))

    assert families(SITES) == {
        "unmasked": 1, "region": 3, "group": 1, "subset": 8, "segment": 6, "equal": 3, "site": 6,
    }  # fmt: skip
    alone = SITES.select(SITES.region == "V4")
    assert families(alone) == {"unmasked": 1, "region": 1, "group": 1, "segment": 2, "site": 3}
    few = replace(plan, groups=(), subsets=False, segments=False, sites=False,
                  equal=EqualPlan(n_sites=None, repeats=0))  # fmt: skip
    masks = masks_asked(few, SITES, segments)
    assert [m.name for m in masks] == ["none", "without V4", "without MT", "without PFC"]


def test_some_regions_of_many_are_asked_about_and_the_others_stay_in() -> None:
    many = SiteTable(
        site_id=[f"s{i}" for i in range(18)],
        region=[f"R{i:02d}" for i in range(18)],
        session=["a"] * 18,
        subject=["M"] * 18,
    )
    plan = AblationPlan(
        part="test", fills=("shuffle",), donors=1, regions=("R02", "R00", "R17"), groups=(),
        subsets=True, segments=False, equal=EqualPlan(n_sites=None, repeats=1), sites=False,
        trials_per_condition=None, average_only=(), guess=None, correction="holm", mixed=False,
        seed=0,
    )  # fmt: skip
    masks = masks_asked(plan, many, ())
    assert [m.name for m in masks[1:4]] == ["without R02", "without R00", "without R17"]
    subsets = [m for m in masks if m.family == "subset"]
    assert len(subsets) == 8
    assert subsets[0].keep.sum() == 15  # all but those asked about
    assert subsets[-1].keep.all()
    assert subsets[0b11].regions == ("R02", "R00")
    assert subsets[0b11].name == "only R02+R00 of those asked"
    assert {m.regions for m in masks if m.family == "equal"} == {("R02",), ("R00",), ("R17",)}
    with pytest.raises(InputError, match=r"regions=\[R00,R01,R02\].*subsets=false"):
        masks_asked(replace(plan, regions=None), many, ())
    with pytest.raises(InputError, match="R99"):
        masks_asked(replace(plan, regions=("R99",)), many, ())
    with pytest.raises(InputError, match="each once"):
        replace(plan, regions=("R01", "R01"))


def test_a_mask_must_be_boolean() -> None:
    with pytest.raises(InputError, match="bool"):
        SiteMask(family="region", keep=np.ones(3))
    with pytest.raises(InputError, match="bool"):
        SiteMask(family="region", keep=np.ones((2, 3, 4), bool))
