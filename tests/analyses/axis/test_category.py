"""An axis and a category are told apart where they are planted, and kept at their level."""

import numpy as np
import pandas as pd
import pytest

from mua_decode.analyses.axis.category import categories_of, compare_categories
from mua_decode.analyses.axis.plan import SignificancePlan
from mua_decode.simulation import ImageryParameters, simulate_imagery

PLAN = SignificancePlan(n_permutations=19, alpha=0.05, correction="fdr_bh", flat_fraction=0.5)


@pytest.fixture(scope="module")
def planted():
    """Latents of 160 images in four categories, and 120 sites of four patterns."""
    p = ImageryParameters(regions={"VTC": 3}, images=160, categories=4, objects=5, latents=12)
    recording = simulate_imagery(imagery=p, seed=0)
    x = recording.truth["images"].filter(like="latent").to_numpy()
    category = categories_of(recording.stimuli, np.arange(160), "category")
    rng = np.random.default_rng(1)
    axis = x @ rng.standard_normal((12, 120))
    by_category = rng.standard_normal((4, 120))[np.unique(category, return_inverse=True)[1]]
    kind = np.repeat(["axis", "category", "both", "neither"], 30)
    signal = np.where(np.isin(kind, ["axis", "both"]), axis / axis.std(axis=0), 0)
    signal += np.where(np.isin(kind, ["category", "both"]), 1.5 * by_category, 0)
    y = 10 + signal + 0.5 * rng.standard_normal((160, 120))
    sites = pd.DataFrame({"site_id": [f"s{i}" for i in range(120)], "region": "VTC"})
    return x, y, category, kind, compare_categories(x, y, category, sites, plan=PLAN)


def test_patterns_are_named_as_planted(planted):
    *_, kind, found = planted
    agreed = (found.sites["pattern"].to_numpy() == kind).reshape(4, 30).mean(axis=1)
    assert (agreed > 0.8).all()
    assert (found.tests.frame["n"] == 160).all()
    assert found.tests.frame["correction"].str.startswith("Benjamini-Hochberg over 120").all()


def test_each_test_keeps_its_level_where_the_other_pattern_is_planted(planted):
    x, _, category, _, found = planted
    rng = np.random.default_rng(2)
    n = 600
    code = np.unique(category, return_inverse=True)[1]
    sites = pd.DataFrame({"site_id": np.arange(n).astype(str), "region": "VTC"})
    for signal, p in (
        (x @ rng.standard_normal((12, n)), "category_beyond_axis_p"),
        (3 * rng.standard_normal((4, n))[code], "axis_beyond_category_p"),
    ):
        noisy = signal + rng.standard_normal((160, n))
        table = compare_categories(x, noisy, category, sites, plan=PLAN).sites
        assert 0.02 < (table[p] <= 0.05).mean() < 0.08
    assert found is not None


def test_a_category_that_the_space_spans_adds_nothing(planted):
    x, y, category, *_ = planted
    spanned = np.concatenate([x, np.eye(4)[np.unique(category, return_inverse=True)[1]]], axis=1)
    sites = pd.DataFrame({"site_id": np.arange(120).astype(str), "region": "VTC"})
    found = compare_categories(spanned, y, category, sites, plan=PLAN).sites
    assert found["category_beyond_axis_p"].isna().all()
    assert not (found["pattern"] == "category").any()


def test_nothing_is_compared_without_categories_or_with_too_few_images(planted):
    x, y, category, *_ = planted
    stimuli = simulate_imagery(
        imagery=ImageryParameters(regions={"VTC": 3}, images=20, objects=5), seed=0
    ).stimuli
    assert categories_of(stimuli, np.arange(20), "category") is None
    assert categories_of(stimuli, np.arange(20), None) is None
    sites = pd.DataFrame({"site_id": np.arange(120).astype(str), "region": "VTC"})
    assert compare_categories(x[:20], y[:20], category[:20], sites, plan=PLAN) is None


def test_an_axis_that_leaves_the_kept_components_is_no_category(planted):
    """Axes in all 12 latents, 6 kept: more components take the category away."""
    x, _, category, _, _ = planted
    rng, n = np.random.default_rng(3), 200
    y = x @ rng.standard_normal((12, n)) + rng.standard_normal((160, n))
    sites = pd.DataFrame({"site_id": np.arange(n).astype(str), "region": "VTC"})
    asked = ["category", "both"]
    few = compare_categories(x[:, :6], y, category, sites, plan=PLAN)
    more = compare_categories(x[:, :6], y, category, sites, plan=PLAN, richer=x)
    assert few.sites["pattern"].isin(asked).mean() > 0.5
    assert more.sites["pattern"].isin(asked).mean() < 0.05
    assert (more.tests.frame["metric"] == "category_beyond_more").sum() == 1


def test_a_planted_category_holds_against_more_components(planted):
    x, y, category, kind, _ = planted
    sites = pd.DataFrame({"site_id": [f"s{i}" for i in range(120)], "region": "VTC"})
    noise = np.random.default_rng(4).standard_normal((160, 12))
    richer = np.concatenate([x, noise], axis=1)
    found = compare_categories(x, y, category, sites, plan=PLAN, richer=richer).sites
    agreed = (found["pattern"].to_numpy() == kind).reshape(4, 30).mean(axis=1)
    assert (agreed > 0.8).all()
