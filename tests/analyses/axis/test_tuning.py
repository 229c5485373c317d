"""Axes, ramps, ceilings and the comparison of spaces on planted sites."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from mua_decode.analyses.axis.comparison import compare_spaces
from mua_decode.analyses.axis.plan import ResponsePlan, SignificancePlan
from mua_decode.analyses.axis.ramp import measure_ramps, principal_orthogonal_axes
from mua_decode.analyses.axis.responses import collect_responses
from mua_decode.analyses.axis.ridge import make_blocks
from mua_decode.analyses.axis.statistics import columns_correlation
from mua_decode.analyses.axis.tuning import (
    _explained,
    _pooled_share,
    fit_axes,
    noise_ceiling,
)
from mua_decode.types import InputError, Recording, Segment, Session, SiteTable, StimulusSet

K, N, REPEATS = 150, 24, 6
PLAN = SignificancePlan(n_permutations=199, alpha=0.05, correction="fdr_bh", flat_fraction=0.5)
WHOLE = ResponsePlan(
    window_s=None, baseline_s=None, baseline_segment=None, per="window", bin_s=None
)


def _recording(rate: np.ndarray, *, repeats: int, rng: np.random.Generator) -> Recording:
    """Poisson counts in one 1 s bin; ``repeats`` 0 gives averages."""
    condition = np.repeat(np.arange(len(rate)), max(1, repeats))
    counts = rng.poisson(rate[condition]).astype(np.uint16) if repeats else rate.astype(np.float32)
    n = rate.shape[1]
    stimuli = StimulusSet(
        videos=np.zeros((len(rate), 1, 1, 4, 4), np.uint8),
        condition=np.arange(len(rate)),
        conditions=pd.DataFrame({"name": [f"i{k}" for k in range(len(rate))]}),
        segments=(Segment("image", 0, 1),),
        frame_s=1.0,
    )
    sites = SiteTable([f"s{i}" for i in range(n)], ["V4"] * n, ["a"] * n, ["m"] * n)
    trials = pd.DataFrame({"condition": condition})
    session = Session("a", sites, trials, counts=counts[:, None], bin_s=1.0)
    return Recording("planted", (session,), stimuli)


@pytest.fixture(scope="module")
def planted():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((K, 8)) * np.linspace(2, 0.5, 8)
    axes = rng.standard_normal((8, N))
    axes /= np.linalg.norm(x @ axes, axis=0) / np.sqrt(K)
    rate = 20 + 4 * (x @ axes)
    rate[:, N // 2 :] = 20 + 4 * rng.standard_normal((K, N - N // 2))  # exemplar, no axis
    recording = _recording(np.maximum(rate, 1), repeats=REPEATS, rng=rng)
    responses = collect_responses(recording, WHOLE)
    blocks = make_blocks(K, test_fraction=0.3, inner_folds=5, rng=rng)
    model = fit_axes("planted", x, responses, blocks, plan=PLAN, rng=rng)
    return x, responses, blocks, model


def test_planted_axes_are_found_and_others_are_not(planted):
    *_, model = planted
    assert model.tuned[: N // 2].all()
    assert model.tuned[N // 2 :].sum() <= 2
    assert model.sites["responsive"].all()  # exemplar sites respond too


def test_ramps_rise_along_the_axis_and_are_flat_across_it(planted):
    *_, model = planted
    tuned = model.sites[: N // 2]
    assert tuned["ramp"].all()
    assert tuned["flat"].mean() > 0.9
    np.testing.assert_allclose(tuned["slope_preferred"], 4, atol=1.2)
    ramps = model.ramps
    rise = ramps.curve_preferred[: N // 2, -1] - ramps.curve_preferred[: N // 2, 0]
    assert (rise > 8).all()


def test_orthogonal_axis_is_orthogonal_and_has_most_variance():
    rng = np.random.default_rng(1)
    c = np.cov(rng.standard_normal((50, 5)) * [4, 3, 2, 1, 1], rowvar=False)
    a = rng.standard_normal((3, 5))
    a /= np.linalg.norm(a, axis=1, keepdims=True)
    o = principal_orthogonal_axes(a, c)
    np.testing.assert_allclose((a * o).sum(axis=1), 0, atol=1e-10)
    other = rng.standard_normal((200, 5))
    other -= (other @ a[0])[:, None] * a[0]
    other /= np.linalg.norm(other, axis=1, keepdims=True)
    assert (np.einsum("ip,pq,iq->i", other, c, other) <= o[0] @ c @ o[0] + 1e-9).all()


def test_corrected_r2_divides_out_the_noise_of_the_mean(planted):
    *_, model = planted
    tuned = model.sites[: N // 2]
    # Signal variance 16, noise of the mean 20/6: the ceiling is sqrt(16 / 19.3) = 0.91.
    assert tuned["ceiling_correlation"].median() == pytest.approx(0.91, abs=0.03)
    assert tuned["r2_of_explainable"].median() == pytest.approx(1, abs=0.08)
    assert (tuned["heldout_correlation"] ** 2 < tuned["r2_of_explainable"]).mean() > 0.8


def test_with_averages_only_the_ceiling_and_responsiveness_are_unknown(planted):
    x, responses, blocks, _ = planted
    averaged = _recording(responses.rows, repeats=0, rng=np.random.default_rng(0))
    found = collect_responses(averaged, WHOLE)
    assert not found.knows_noise
    assert found.responsive_test.startswith("none")
    model = fit_axes("a", x, found, blocks, plan=PLAN, rng=np.random.default_rng(0))
    assert model.sites["r2_of_explainable"].isna().all()
    assert model.sites["responsive"].all()


def test_better_space_is_named_and_a_copy_is_not(planted):
    x, responses, blocks, model = planted
    noise = np.random.default_rng(5).standard_normal(x.shape)
    other = fit_axes("noise", noise, responses, blocks, plan=PLAN, rng=np.random.default_rng(0))
    copy = dataclasses.replace(model, name="copy")
    table, notes = compare_spaces(
        {"planted": model, "noise": other, "copy": copy},
        responses.rows[blocks.test],
        plan=PLAN,
    )
    best = table[table["other"] == "noise"]["better"]
    assert (best[: N // 2] == "planted").mean() > 0.8
    assert (best == "noise").sum() <= 1
    assert (table[table["other"] == "copy"]["better"] == "neither").all()
    frame = notes.frame
    assert (frame["n"] > 0).all()
    assert (frame[["test", "n_unit", "correction"]] != "").all().all()
    over = frame[frame["question"].str.startswith("does one")]
    assert over["n_unit"].isin(["sessions × held-out images"]).all()
    assert over["p_corrected"].isna().all()  # one session


def _difference(model, units, rng, *, shared, shift=0.0):
    """Held-out correlations of a second space: the first's, less what units and sites differ by."""
    level = np.unique(units, return_inverse=True)[1]
    away = shared * rng.standard_normal(level.max() + 1)[level] + 0.08 * rng.standard_normal(N)
    fit = dataclasses.replace(model.fit, correlation=model.fit.correlation - away - shift)
    return dataclasses.replace(model, name="other", fit=fit)


def test_spaces_are_compared_over_units_not_sites(planted):
    """Sites of a session share what makes one space better there: they are not independent."""
    _, responses, blocks, model = planted
    which = np.array([f"m{i % 4}" for i in range(N)])
    model = dataclasses.replace(model, sites=model.sites.assign(session=which, subject=which))
    rng, found = np.random.default_rng(0), {0.0: [], 0.3: []}
    for shift, runs in ((0.0, 100), (0.3, 20)):
        for _ in range(runs):
            other = _difference(model, which, rng, shared=0.06, shift=shift)
            models = {"first": model, "other": other}
            frame = compare_spaces(models, responses.rows[blocks.test], plan=PLAN)[1].frame
            row = frame[frame["question"].str.startswith("does one")].iloc[0]
            assert (row["n"], row["n_unit"]) == (4, "subjects × held-out images")
            found[shift].append(row["p_corrected"] <= 0.05)
    assert np.mean(found[0.0]) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 100)
    assert np.mean(found[0.3]) > 0.8


def _two_spaces(rng, *, sessions=4, images=60, favoured=0.0):
    """Sites follow two features alike; whichever the few images vary more looks the better."""
    label = np.repeat([f"d{i}" for i in range(sessions)], 8)
    n = len(label)
    sites = SiteTable([f"s{i}" for i in range(n)], ["IT"] * n, label, [""] * n)
    x = rng.standard_t(3, size=(2, images, 2))
    one, other = (v @ (rng.standard_normal((2, n)) + 0.5) for v in x)
    one = one * (1 + favoured)
    y = one + other + 2 * rng.standard_normal((images, n))
    frame = pd.DataFrame({"site_id": sites.site_id, "region": sites.region})
    models = {
        name: SimpleNamespace(
            name=name, predicted=p, site_table=sites, sites=frame,
            fit=SimpleNamespace(correlation=columns_correlation(p, y)),
        )
        for name, p in (("one", one), ("other", other))
    }  # fmt: skip
    return models, y


def test_spaces_are_compared_over_the_images_that_all_sites_share():
    rng, found, inside = np.random.default_rng(0), {0.0: [], 2.0: []}, 0
    for favoured, runs in ((0.0, 50), (2.0, 15)):
        for _ in range(runs):
            models, y = _two_spaces(rng, favoured=favoured)
            table, tests = compare_spaces(models, y, plan=PLAN)
            found[favoured].append(tests.frame["p"].iloc[1])
            inside += (favoured == 0) & (table["low"][0] <= 0 <= table["high"][0])
    assert np.mean(np.array(found[0.0]) <= 0.05) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 50)
    assert inside / 50 > 0.9
    assert np.mean(np.array(found[2.0]) <= 0.05) > 0.8
    few, _ = _two_spaces(rng, images=5)
    note = compare_spaces(few, _[:5], plan=PLAN)[1].frame["note"][0]
    assert note.endswith("5 held-out images: smallest possible p 0.0625")


def test_bins_of_an_image_are_one_value_of_its_error():
    """Errors of four bins go together: counted one by one, noise would favour a space."""
    rng, hits = np.random.default_rng(1), {1: [], 4: []}
    for _ in range(15):
        models, y = _two_spaces(rng, images=20)
        for model in models.values():
            model.predicted = np.repeat(y + 3 * rng.standard_normal(y.shape), 4, axis=0)
            model.fit.correlation = np.zeros(y.shape[1])
        for bins in hits:
            table, tests = compare_spaces(
                models, np.repeat(y, 4, axis=0), plan=PLAN, per_image=bins
            )
            hits[bins].append((table["p"] <= 0.05).mean())
    assert tests.frame["n"][0] == 20
    assert np.mean(hits[4]) < 0.08
    assert np.mean(hits[1]) > 0.2


def test_images_and_responses_of_different_number_are_refused(planted):
    x, responses, blocks, _ = planted
    with pytest.raises(InputError, match="149 images have features but 150 have responses"):
        fit_axes("a", x[1:], responses, blocks, plan=PLAN, rng=np.random.default_rng(0))


def test_missing_repeats_are_left_out_of_means_and_variances():
    rng = np.random.default_rng(0)
    recording = _recording(np.full((5, 2), 9.0), repeats=4, rng=rng)
    session = recording.sessions[0]
    counts = session.counts.astype(np.float32)
    counts[1, 0, 0] = np.nan
    holed = dataclasses.replace(recording, sessions=(dataclasses.replace(session, counts=counts),))
    found = collect_responses(holed, WHOLE)
    kept = counts[[0, 2, 3], 0, 0]
    assert found.n_trials[0].tolist() == [3, 4]
    assert found.mean[0, 0, 0] == pytest.approx(kept.mean())
    assert found.variance[0, 0] == pytest.approx(kept.var(ddof=1))


def _bins(rng, *, images=30, bins=6, n=150, slope=0.0):
    """Videos whose features and noise drift slowly, and a time course that all share."""

    def smooth(*size):
        steps = rng.standard_normal((images, bins, *size))
        return (rng.standard_normal((images, 1, *size)) + 0.5 * steps).reshape(-1, *size)

    x, noise = smooth(4), smooth(n)
    course = np.tile(3 * rng.standard_normal((bins, 1)), (images, 1))
    weight = rng.standard_normal((4, n))
    unit = (x @ weight) / np.sqrt(np.einsum("pn,pq,qn->n", weight, np.cov(x.T), weight))
    return x + course, weight, noise + course + slope * unit


@pytest.mark.parametrize("slope", [0.0, 1.0])
def test_ramps_of_bins_count_images(slope):
    """Bins counted as images: p ≤ .05 in a fifth of sites without a slope or more."""
    rng, level, naive = np.random.default_rng(0), [], []
    for _ in range(4):
        x, weight, y = _bins(rng, slope=slope)
        given = {"x_train": x, "x_test": x, "y_test": y, "flat_fraction": 0.5}
        found = measure_ramps(weight, **given, per_image=6)
        assert found.n_images == 30
        level.append([found.p_preferred <= 0.05, found.p_orthogonal <= 0.05])
        naive.append(measure_ramps(weight, **given).p_orthogonal <= 0.05)
    preferred, orthogonal = np.mean(level, axis=(0, 2))
    assert orthogonal == pytest.approx(0.05, abs=0.03)
    assert np.mean(naive) > 0.15
    if slope:
        assert preferred > 0.9
        assert np.median(found.slope_preferred) > 0
    else:
        assert preferred == pytest.approx(0.05, abs=0.03)


def test_r2_of_explainable_of_sites_without_an_axis_is_about_zero(planted):
    *_, model = planted
    others = model.sites["r2_of_explainable"][N // 2 :]
    assert abs(others.mean()) < 0.06
    assert others.min() < 0


def test_a_perfect_prediction_of_weak_sites_explains_all_that_can_be(planted):
    """A fifth of the variance of a mean is signal: sites that look reliable look too much so."""
    rng, n = np.random.default_rng(2), 300
    x = rng.standard_normal((K, n))
    for truth in (1.0, 0.5, 0.0):
        hidden = rng.standard_normal((K, n))
        rate = 20 + 0.9 * (np.sqrt(truth) * x + np.sqrt(1 - truth) * hidden)
        responses = collect_responses(_recording(rate, repeats=REPEATS, rng=rng), WHOLE)
        blocks = make_blocks(K, test_fraction=0.3, inner_folds=5, rng=rng)
        r = columns_correlation(x[blocks.test], responses.rows[blocks.test])
        reliable = noise_ceiling(responses, blocks)
        frame = {"explained_share": _explained(r, responses, blocks), "explainable_share": reliable}
        found = _pooled_share(pd.DataFrame(frame), np.arange(n) % 10)
        assert found["pooled_r2_of_explainable"] == pytest.approx(truth, abs=0.1)
        low, high = (found[f"pooled_r2_of_explainable_{end}"] for end in ("low", "high"))
        assert low < truth < high
        if truth == 1:
            usable = reliable > 0.05
            assert np.median(r[usable] ** 2 / reliable[usable]) < 0.93
