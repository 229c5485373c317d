from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mua_decode.analyses.ablate.contrasts import region_contrasts
from mua_decode.analyses.ablate.losses import (
    loss_table,
    loss_tests,
    mask_results,
    mean_losses,
    mean_over_rings,
    without_undefined,
)
from mua_decode.analyses.ablate.scores import MaskScores
from mua_decode.analyses.ablate.shapley import shapley_table
from mua_decode.analyses.ablate.summary import region_table
from mua_decode.metrics import MSE, Identification
from mua_decode.statistics import Units
from mua_decode.types import HypothesisTable, SiteMask

METRICS = [MSE(), Identification(similarity="correlation")]
NAMES = [f"c{i}" for i in range(24)]


def scores(
    region: str, *, mse: float, seed: int, undefined: float = 0.0, fill: str = "shuffle"
) -> MaskScores:
    """Scores without a region, or of the unmasked decoder if it is empty."""
    rng = np.random.default_rng(seed)
    error = mse + 0.01 * rng.normal(size=24)
    right = np.clip(1 - error, 0, 1)
    none = np.full(24, undefined)
    return MaskScores(
        mask=mask_of(region),
        fill=fill,
        single={"mse": error, "identification": right},
        undefined={"mse": none, "identification": np.zeros(24)},
        average={"mse": error / 2, "identification": right},
    )


def mask_of(region: str) -> SiteMask:
    keep = np.ones(3, bool)
    if not region:
        return SiteMask(family="unmasked", keep=keep)
    return SiteMask(family="region", keep=keep, regions=(region,))


UNMASKED = scores("", mse=0.1, seed=0)
MASKED = [scores("MT", mse=0.4, seed=1), scores("PFC", mse=0.1, seed=2)]


@pytest.fixture
def losses() -> pd.DataFrame:
    return loss_table([UNMASKED, *MASKED], metrics=METRICS, names=NAMES, guess={})


def test_a_loss_is_positive_whichever_way_the_metric_points(losses: pd.DataFrame) -> None:
    mean = losses[losses["removed"] == "MT"].groupby(["metric", "trial"])["loss"].mean()
    assert mean["mse", "single_trial"] == pytest.approx(0.3, abs=0.02)
    assert mean["identification", "single_trial"] == pytest.approx(0.3, abs=0.02)
    assert mean["mse", "trial_average"] == pytest.approx(0.15, abs=0.01)


def test_ranks_intervals_and_tests_find_the_planted_loss(losses: pd.DataFrame) -> None:
    means = mean_losses(losses, rng=np.random.default_rng(0))
    first = means[means["rank"] == 1]
    assert set(first["removed"]) == {"MT"}
    assert ((means["low"] <= means["loss"]) & (means["loss"] <= means["high"])).all()
    assert (means["n"] == 24).all()
    tests = loss_tests(losses, rng=np.random.default_rng(0)).frame
    assert tests["test"].nunique() == 2
    assert (tests["correction"] == "Holm over 2").all()
    assert (tests.loc[tests["group"] == "MT", "p_corrected"] < 1e-6).all()
    assert (tests.loc[tests["group"] == "MT", "effect"] > 0).all()
    assert (tests.loc[tests["group"] == "PFC", "p_corrected"] > 0.01).all()
    assert tests["n_unit"].str.startswith("conditions").all()


def test_undefined_trials_count_as_guesses_only_where_a_guess_is_named() -> None:
    half = scores("x", mse=10.0, seed=3, undefined=0.5)
    value, undefined = half.score("mse", "single_trial", {})
    np.testing.assert_allclose(value, half.single["mse"])
    assert (undefined == 0.5).all()
    guessed, _ = half.score("mse", "single_trial", {"mse": 90.0})
    np.testing.assert_allclose(guessed, half.single["mse"] / 2 + 45)
    half.average["mse"][3] = np.nan
    value, undefined = half.score("mse", "trial_average", {"mse": 90.0})
    assert value[3] == 90
    assert undefined.tolist() == [float(i == 3) for i in range(24)]
    assert np.isnan(half.score("mse", "trial_average", {})[0][3])
    assert half.score("ssim", "single_trial", {}) is None


def test_the_same_conditions_are_left_out_for_every_mask_and_the_others_count_as_guesses() -> None:
    before = scores("", mse=1.0, seed=4)
    after = [scores("MT", mse=1.0, seed=5), scores("PFC", mse=1.0, seed=6)]
    before.undefined["mse"][:20] = 1
    after[0].undefined["mse"][:8] = 1
    after[1].undefined["mse"][:4] = 1
    table = loss_table([before, *after], metrics=METRICS[:1], names=NAMES, guess={"mse": 90.0})
    table = without_undefined(table)
    single = table[table["trial"] == "single_trial"]
    for _, rows in single.groupby("removed"):
        assert rows["loss"].isna().tolist() == [True] * 4 + [False] * 20
        assert (rows["loss"].iloc[8:20] < -85).all()  # undefined before, defined after
    assert (single[single["removed"] == "MT"]["loss"].iloc[4:8] == 0).all()  # guessed twice
    known = single["loss"].notna()
    assert (single[["masked", "unmasked"]].notna().all(axis=1) == known).all()
    lost = single["masked"] - single["unmasked"]
    np.testing.assert_allclose(single["loss"][known], lost[known])
    tests = loss_tests(table, rng=np.random.default_rng(0)).frame
    single_tests = tests[tests["metric"].str.contains("single")]
    assert (single_tests[single_tests["test"].str.startswith("paired")]["n"] == 20).all()
    published = single_tests[single_tests["test"].str.startswith("two-sample")]
    assert (published["n"] == 40).all()  # as many masked as unmasked


def test_a_region_that_does_nothing_loses_nothing_though_directions_come_and_go() -> None:
    """Whether a direction is measured is chance here, alike with and without the region."""
    rng = np.random.default_rng(7)
    totals = []
    for _ in range(300):
        undefined = rng.random((5, 24)) < 0.7
        made = []
        for ring, lost in enumerate(undefined):
            one = scores("MT" if ring else "", mse=0.0, seed=int(rng.integers(1 << 30)))
            one.average["mse"] = np.where(lost, np.nan, 10 + rng.normal(size=24))
            made.append(one)
        table = loss_table(made, metrics=METRICS[:1], names=NAMES, guess={"mse": 90.0})
        mean = without_undefined(mean_over_rings(table))
        totals.append(mean[mean["trial"] == "trial_average"]["loss"].mean())
    assert abs(np.mean(totals)) < 3 * np.std(totals) / 300**0.5


def test_losses_are_averaged_over_rings_of_donors(losses: pd.DataFrame) -> None:
    other = losses.assign(loss=losses["loss"] + 1, masked=losses["masked"] * 3)
    mean = mean_over_rings(pd.concat([losses, other]))
    assert list(mean.columns) == list(losses.columns)
    np.testing.assert_allclose(mean["loss"], losses["loss"] + 0.5)
    np.testing.assert_allclose(mean["masked"], losses["masked"] * 2)
    pd.testing.assert_frame_equal(mean_over_rings(losses), losses)
    other.loc[3, "loss"] = np.nan
    assert mean_over_rings(pd.concat([losses, other]))["loss"].isna().sum() == 1


def test_families_are_kept_apart_and_every_fill_has_its_own_unmasked_score() -> None:
    group = SiteMask(family="group", keep=np.ones(3, bool), regions=("MT", "PFC"))
    subset = SiteMask(family="subset", keep=np.ones(3, bool), regions=("MT",))
    made = []
    for fill, seed in (("shuffle", 0), ("zero", 9)):
        masks = [mask_of(""), mask_of("MT"), group, subset]
        of = [scores("MT", mse=0.1 * i, seed=seed + i, fill=fill) for i in range(4)]
        made += [replace(s, mask=m) for s, m in zip(of, masks, strict=True)]
        made.append(replace(of[3], ring=1))
    table = loss_table(made, metrics=METRICS[:1], names=NAMES, guess={})
    assert len(table) == 2 * 3 * 2 * 24
    table = mean_over_rings(table)
    assert list(table.columns)[-1] == "family"
    found = table.groupby(["fill", "family", "removed", "trial"], sort=False)["loss"].mean()
    for fill in ("shuffle", "zero"):
        assert found[fill, "region", "MT", "single_trial"] == pytest.approx(0.2, abs=0.02)
        assert found[fill, "group", "MT+PFC", "single_trial"] == pytest.approx(0.2, abs=0.02)
    assert len(found) == 8


def test_shapley_values_sum_to_full_minus_nothing() -> None:
    regions = ("V4", "MT", "PFC")
    mask = SiteMask(family="subset", keep=np.ones(3, bool), regions=regions)
    subsets = [replace(scores("MT", mse=0.5 - 0.05 * i, seed=10 + i), mask=mask) for i in range(8)]
    table = shapley_table(subsets, metrics=METRICS, guess={}, seed=0)
    assert set(table["region"]) == set(regions)
    for _, rows in table.groupby(["trial", "metric"]):
        gained = rows["full"].iloc[0] - rows["nothing"].iloc[0]
        assert rows["value"].sum() == pytest.approx(gained, abs=1e-9)
        assert (rows["n"] == 24).all()


def test_results_name_the_mask_and_its_fill() -> None:
    asked = {"metrics": METRICS, "names": NAMES, "split": "test", "guess": {}}
    table = mask_results([UNMASKED, *MASKED], **asked).frame
    assert set(table["mask"]) == {"none", "without MT (shuffle)", "without PFC (shuffle)"}
    assert len(table) == 3 * 2 * 2 * 25


def test_results_count_undefined_directions_alike_for_every_mask() -> None:
    made = [scores(r, mse=10.0, seed=20 + i) for i, r in enumerate(("", "MT", "PFC"))]
    for one in made:
        one.average["mse"][:4] = np.nan  # whatever is masked
    made[1].average["mse"][:20] = np.nan
    asked = {"metrics": METRICS[:1], "names": NAMES, "split": "test", "guess": {"mse": 90.0}}
    table = mask_results(made, **asked).frame
    rows = table[table["trial"] == "trial_average"]
    by_mask = {m: part.set_index("condition")["value"] for m, part in rows.groupby("mask")}
    for value in by_mask.values():
        assert value[NAMES].isna().tolist() == [True] * 4 + [False] * 20
    assert (by_mask["without MT (shuffle)"][NAMES[4:20]] == 90).all()
    assert set(rows[rows["condition"] == "all"]["n"]) == {20}


CUES = Units.crossed([("cues", np.repeat(["cross", "circle", "triangle", "ring"], 6))])


def of_cues(effects: list[float], *, seed: int) -> pd.DataFrame:
    """Losses of a region that depend on the cue, and noise."""
    after = scores("MT", mse=0.1, seed=seed)
    after.single["mse"][:] += np.repeat(effects, 6)
    units = {m.name: CUES for m in METRICS}
    table = loss_table([UNMASKED, after], metrics=METRICS[:1], names=NAMES, guess={}, units=units)
    return table[table["trial"] == "single_trial"]


def test_a_loss_with_one_cue_speaks_for_these_conditions_and_not_for_other_cues() -> None:
    one = of_cues([0.4, 0.0, 0.0, 0.0], seed=30)
    means = mean_losses(one, rng=np.random.default_rng(0)).iloc[0]
    assert (means["interval_of"], means["units"]) == ("these 24 conditions", "cues")
    assert (means["n"], means["n_units"]) == (24, 4)
    assert means["low"] > 0
    assert means["units_low"] < 0
    tests = loss_tests(one, rng=np.random.default_rng(0)).frame
    p = tests.set_index("test")["p"]
    assert p["paired t, two-sided"] < 0.01
    assert p["unit means, t over cues, two-sided"] > 0.1
    assert tests["n"].tolist() == [48, 24, 4]
    every = of_cues([0.4, 0.35, 0.42, 0.38], seed=31)
    assert mean_losses(every, rng=np.random.default_rng(0))["units_low"][0] > 0
    p = loss_tests(every, rng=np.random.default_rng(0)).frame.set_index("test")["p"]
    assert p["unit means, t over cues, two-sided"] < 0.01


def test_the_unpaired_test_of_errors_is_called_our_reading(losses: pd.DataFrame) -> None:
    tests = loss_tests(losses, rng=np.random.default_rng(0)).frame
    unpaired = tests[tests["test"].str.startswith("two-sample")]
    assert unpaired["note"].str.startswith("errors against the truth (our reading)").all()
    assert not tests["question"].str.contains("published").any()


def test_regions_are_compared_pair_by_pair() -> None:
    regions = ["V4", "MT", "IT", "LIP", "FEF", "PFC"]
    made = [scores(r, mse=0.4 if r == "V4" else 0.1, seed=40 + i) for i, r in enumerate(regions)]
    units = {m.name: CUES for m in METRICS}
    about = {"metrics": METRICS[:1], "names": NAMES, "guess": {}, "units": units}
    table = loss_table([UNMASKED, *made], **about)
    tests = region_contrasts(table, measure="loss").frame
    assert len(tests) == 15 * 2 * 2
    assert set(tests["correction"]) == {"Holm over 15"}
    over_cues = tests["test"].str.contains("cues")
    assert set(tests.loc[~over_cues, "n"]) == {24}
    assert set(tests.loc[over_cues, "n"]) == {4}
    with_v4 = tests["group"].str.startswith("V4 - ")
    assert with_v4.sum() == 5 * 4
    assert (tests.loc[with_v4, "p_corrected"] < 0.05).all()
    assert (tests.loc[with_v4, "effect"] > 0).all()
    assert (tests.loc[~with_v4, "p_corrected"] > 0.05).all()


def test_what_rounding_makes_is_printed_as_nothing() -> None:
    means = pd.DataFrame(
        {
            "family": "region", "fill": "shuffle", "trial": "single_trial", "metric": "ssim",
            "unit": "1", "removed": ["V4", "MT"], "loss": [-2.68e-08, 0.0123],
        }
    )  # fmt: skip
    table = region_table(means, HypothesisTable.from_rows([]), ["V4", "MT"])
    assert [cell.strip() for cell in table.columns[1].cells] == ["0", "0.0123"]
