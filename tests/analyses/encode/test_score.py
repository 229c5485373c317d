from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from mua_decode.analyses.encode.averages import Averages
from mua_decode.analyses.encode.bands import Band
from mua_decode.analyses.encode.ceiling import Ceiling, Reliability
from mua_decode.analyses.encode.plan import EncodePlan
from mua_decode.analyses.encode.predict import Prediction
from mua_decode.analyses.encode.rows import EncodingRows, _pooled_interval
from mua_decode.analyses.encode.score import EncodingScores, score_encoding
from mua_decode.analyses.encode.significance import (
    condition_tests,
    floor_tests,
    mixed_floor_tests,
    null_r,
    null_tests,
)
from mua_decode.data import DecodingData, PseudoTrialPlan, SplitPlan
from mua_decode.data.recorded import condition_means, recorded_trials
from mua_decode.models import InvertedVideoUNet
from mua_decode.types import COLUMNS, N_UNIT, InputError, Recording

Build = Callable[..., Recording]
PLAN = EncodePlan(
    splits=10, noise_videos=30, alpha=0.05, correction="fdr_bh", bands=(Band(1, 3), Band(2, 10))
)


def data_of(recording: Recording, **changes: object) -> DecodingData:
    options: dict[str, object] = {"split": SplitPlan(), "pseudo": PseudoTrialPlan(per_condition=40)}
    return DecodingData(recording, window=None, **(options | changes))  # type: ignore[arg-type]


def training_means(data: DecodingData) -> Tensor:
    size = {"n_conditions": data.stimuli.n_conditions, "n_bins": data.n_bins}
    mean, _ = condition_means(recorded_trials(data, "train"), n_sites=data.n_sites, **size)
    return torch.from_numpy(mean)


def oracle(data: DecodingData) -> Callable[[Tensor], Tensor]:
    """The mean activity of the condition whose video is nearest to the one given."""
    videos, means = data.mean_videos(None).flatten(1), training_means(data)
    return lambda video: means[torch.cdist(video.flatten(1), videos).argmin(1)]


def score(data: DecodingData, encode: Callable[[Tensor], Tensor] | None = None) -> EncodingScores:
    return score_encoding(encode or oracle(data), data, data.batches("test"), plan=PLAN, seed=0)


def averages(values: np.ndarray, *, sessions: np.ndarray) -> Averages:
    """Recorded averages (Q, T, N) of one region."""
    q, _, n = values.shape
    return Averages(
        split="test", values=values, conditions=[f"c{k}" for k in range(q)], groups=np.arange(q),
        regions={"V4": np.ones(n, bool)}, sessions=sessions,
    )  # fmt: skip


def value(scores: EncodingScores, **where: str) -> float:
    frame = scores.table.frame
    for column, wanted in ({"condition": "all", "mask": "none"} | where).items():
        frame = frame[frame[column] == wanted]
    assert len(frame) == 1
    return float(frame["value"].iloc[0])


@pytest.fixture(scope="module")
def data() -> DecodingData:
    from tests.conftest import make_session, make_stimuli

    shown = make_stimuli(n_conditions=8, n_frames=30)
    sessions = tuple(make_session(f"s{i}", shown, seed=i, trials=20) for i in range(2))
    return data_of(Recording(name="built", sessions=sessions, stimuli=shown))


@pytest.fixture(scope="module")
def scores(data: DecodingData) -> EncodingScores:
    return score(data)


def test_an_encoder_that_looks_up_the_condition_scores_as_the_condition_mean(
    scores: EncodingScores,
) -> None:
    assert tuple(scores.table.frame.columns) == (*COLUMNS, N_UNIT)
    frame = scores.table.frame
    frame = frame[~frame["metric"].str.endswith(("_low", "_high"))]
    keys = ["condition", "trial", "mask", "metric"]
    by_run = {run: part.set_index(keys)["value"] for run, part in frame.groupby("run")}
    np.testing.assert_allclose(
        by_run["encoder"], by_run["floor/condition_mean"].loc[by_run["encoder"].index]
    )
    for trial in ("single_trial", "trial_average"):
        own = value(scores, run="encoder", trial=trial, metric="encoding_r")
        assert own > 0.7
        assert own > value(scores, run="floor/time_course", trial=trial, metric="encoding_r") + 0.3
        assert (
            own < value(scores, run="ceiling/split_half", trial=trial, metric="encoding_r") + 0.02
        )
    share = value(scores, run="encoder", trial="trial_average", metric="explainable_share")
    assert 0.85 < share < 1.05


def test_single_trials_are_the_pseudo_trials_of_the_part(
    data: DecodingData, scores: EncodingScores
) -> None:
    means = training_means(data)
    batches = list(data.batches("test"))
    recorded = torch.cat([b.spikes for b in batches]).double().numpy()
    predicted = means[torch.cat([b.condition for b in batches])].numpy()
    for n in range(data.n_sites):
        expected = np.corrcoef(predicted[..., n].ravel(), recorded[..., n].ravel())[0, 1]
        assert scores.sites["encoder_r_single_trial"][n] == pytest.approx(expected, abs=1e-6)
    v4 = data.pool.sites.region == "V4"
    pair = predicted[..., v4].mean(-1), recorded[..., v4].mean(-1)
    found = value(
        scores, run="encoder", trial="single_trial", metric="encoding_r_region", mask="only V4"
    )
    assert found == pytest.approx(np.corrcoef(*(x.ravel() for x in pair))[0, 1], abs=1e-6)
    over_time = np.mean([np.corrcoef(x, y)[0, 1] for x, y in zip(*pair, strict=True)])
    metric = "encoding_r_region_time"
    found = value(scores, run="encoder", trial="single_trial", metric=metric, mask="only V4")
    assert found == pytest.approx(over_time, abs=1e-6)


def test_averages_are_over_recorded_trials_each_counted_once(
    data: DecodingData, scores: EncodingScores
) -> None:
    size = {"n_conditions": 8, "n_bins": data.n_bins, "n_sites": data.n_sites}
    recorded, number = condition_means(recorded_trials(data, "test"), **size)
    assert (number == 4).all()
    mt = data.pool.sites.region == "MT"
    x, y = training_means(data).numpy()[..., mt].mean(-1), recorded[..., mt].mean(-1)
    over_time = [np.corrcoef(a, b)[0, 1] for a, b in zip(x, y, strict=True)]
    here = {"run": "encoder", "trial": "trial_average", "mask": "only MT"}
    pooled = value(scores, metric="encoding_r_region", **here)
    assert pooled == pytest.approx(np.corrcoef(x.ravel(), y.ravel())[0, 1], abs=1e-6)
    low, high = (
        value(scores, metric=f"encoding_r_region_{end}", **here) for end in ("low", "high")
    )
    assert low < pooled < high
    found = value(scores, metric="encoding_r_region_time", **here)
    assert found == pytest.approx(np.mean(over_time), abs=1e-6)
    one = value(scores, metric="encoding_r_region_time", **(here | {"condition": "c3"}))
    assert one == pytest.approx(over_time[3], abs=1e-6)


def test_chance_comes_from_noise_videos_and_is_named(scores: EncodingScores) -> None:
    tests = scores.tests.frame
    chance = tests[tests["test"] == "rank among uniform noise videos, one-sided"]
    assert set(chance["group"]) == {"V4", "MT"}
    assert chance["p"].tolist() == pytest.approx([1 / 31] * 4)
    assert (chance["n_unit"] == "noise videos").all()
    assert set(tests["correction"]) >= {"Benjamini-Hochberg over 2", "Benjamini-Hochberg over 6"}


def test_an_encoder_blind_to_the_video_is_at_chance_and_at_its_floor(data: DecodingData) -> None:
    means = training_means(data).mean(0)
    scores = score(data, lambda video: means.expand(len(video), -1, -1))
    p = scores.tests.frame.query("n_unit == 'noise videos'")["p"]
    assert (p == 1).all()
    permuted = scores.tests.frame[scores.tests.frame["test"].str.startswith("label permutation")]
    assert (permuted["p"] == 1).all()
    paired = scores.tests.frame[scores.tests.frame["test"].str.startswith("paired t")]
    assert not (paired["p"] <= 0.05).any()
    for metric in ("encoding_r", "explainable_share"):
        runs = [
            value(scores, run=run, trial="trial_average", metric=metric)
            for run in ("encoder", "floor/time_course")
        ]
        assert runs[0] == pytest.approx(runs[1], abs=1e-6)
    constant = score(data, lambda video: torch.ones(len(video), data.n_bins, data.n_sites))
    assert np.isnan(value(constant, run="encoder", trial="trial_average", metric="encoding_r"))
    assert constant.tests.frame.query("n_unit == 'noise videos'")["p"].isna().all()


def test_without_signal_no_share_of_it_is_claimed(build_recording: Build) -> None:
    untuned = data_of(build_recording(tuned=False, trials=20, n_conditions=6, n_frames=12))
    scores = score(untuned)
    lost = scores.sites["reliability_p_corrected"] >= 0.05
    assert lost.sum() >= 5
    assert scores.sites.loc[lost, "explainable_share_trial_average"].isna().all()
    assert abs(value(scores, run="encoder", trial="trial_average", metric="encoding_r")) < 0.3


def test_bands_beyond_the_step_are_rows_without_a_value(scores: EncodingScores) -> None:
    here = {"run": "encoder", "trial": "trial_average"}
    assert 0.5 < value(scores, metric="band_r2_1-3Hz", **here) < 1
    assert 0.5 < value(scores, metric="band_r2_region_1-3Hz", mask="only V4", **here) < 1
    refused = scores.table.frame.query("metric == 'band_r2_2-10Hz' and run == 'encoder'")
    assert refused["value"].isna().all()
    assert refused["n"].tolist() == [0]
    assert "band_r2 2-10 Hz" not in scores.sites


def test_conditions_never_trained_on_have_no_training_mean(build_recording: Build) -> None:
    held = data_of(
        build_recording(n_conditions=5), split=SplitPlan(unit="condition", held_out=["c1", "c4"])
    )
    time_course = training_means(held).nanmean(0)  # validation has a condition of its own
    scores = score(held, lambda video: time_course.expand(len(video), -1, -1))
    here = {"trial": "trial_average", "metric": "encoding_r"}
    assert np.isnan(value(scores, run="floor/condition_mean", **here))
    assert np.isfinite(value(scores, run="encoder", **here))


def test_an_empty_part_is_refused(build_recording: Build) -> None:
    empty = data_of(build_recording(), split=SplitPlan(train=0.8, val=0.2, test=0.0))
    with pytest.raises(InputError, match="the split leaves it empty"):
        score_encoding(lambda v: v, empty, [], plan=PLAN, seed=0)


def test_conditions_are_permuted_and_the_floor_is_paired(
    data: DecodingData, scores: EncodingScores
) -> None:
    tests = scores.tests.frame
    permuted = tests[tests["test"].str.startswith("label permutation")]
    assert len(permuted) == 2 * 3
    assert (permuted["p_corrected"] < 0.05).all()
    assert (permuted["n"] == 8).all()
    for row in permuted.to_dict("records"):
        here = {"run": "encoder", "trial": "trial_average", "mask": f"only {row['group']}"}
        expected = value(scores, metric=row["metric"], **here)
        assert row["statistic"] == pytest.approx(expected, abs=1e-6)
    paired = tests[tests["test"].str.startswith("paired t")]
    over = paired[paired["metric"] == "encoding_r_region_time"]
    assert over["n_unit"].tolist() == ["conditions"] * 2
    for row in paired.to_dict("records"):
        here = {"trial": "trial_average", "mask": f"only {row['group']}", "metric": row["metric"]}
        pair = (value(scores, run=run, **here) for run in ("encoder", "floor/time_course"))
        assert row["effect"] == pytest.approx(next(pair) - next(pair), abs=1e-6)
    by_session = paired[paired["metric"] == "encoding_r"]
    assert by_session["n_unit"].tolist() == ["sessions"] * 2
    assert by_session["n"].tolist() == [2, 2]


def test_an_onset_without_conditions_passes_the_noise_videos_alone() -> None:
    """Every condition has the same time course, and the prediction knows it from any video."""
    rng = np.random.default_rng(3)
    course = np.repeat([0.0, 8.0], 10)[None, :, None]
    hits = {"permutation": 0, "paired": 0}
    nothing = np.full(6, np.nan)
    for seed in range(12):
        recorded = averages(course + rng.normal(size=(8, 20, 6)), sessions=np.repeat(["a", "b"], 3))
        own, mean = (
            Prediction(course + 0.3 * rng.normal(size=(8, 20, 6)), nothing, nothing, nothing, 1)
            for _ in range(2)
        )
        permuted = condition_tests(own, recorded, seed=seed, n=199)
        assert (permuted.frame["statistic"] > 0.9).all()  # the onset correlates
        hits["permutation"] += int((permuted.frame["p"] <= 0.05).sum())
        paired = floor_tests(own, mean, recorded).frame
        hits["paired"] += int((paired["p"] <= 0.05).sum())
    assert hits["permutation"] <= 5  # of 36
    assert hits["paired"] <= 4  # of 24


def test_ceiling_and_encoder_are_compared_over_the_same_sites(data: DecodingData) -> None:
    strict = EncodePlan(splits=10, noise_videos=5, alpha=1e-4, correction="holm", bands=())
    scores = score_encoding(oracle(data), data, data.batches("test"), plan=strict, seed=0)
    sites = scores.sites
    trusted = sites["reliability_p_corrected"] < strict.alpha
    assert 0 < trusted.sum() < len(sites)
    here = {"trial": "trial_average", "metric": "encoding_r_reliable"}
    for run, column in (
        ("encoder", "encoder_r_trial_average"),
        ("floor/time_course", "time_course_r_trial_average"),
        ("ceiling/split_half", "noise_ceiling_trial_average"),
    ):
        expected = sites.loc[trusted, column].mean()
        assert value(scores, run=run, **here) == pytest.approx(expected, abs=1e-6)
    frame = scores.table.frame
    assert set(frame.loc[frame["metric"] == "encoding_r_reliable", "n"]) <= set(range(7))


def rows_of(
    sessions: np.ndarray, reliability: np.ndarray | None = None, p: np.ndarray | None = None
) -> EncodingRows:
    n = len(sessions)
    nothing = np.full(n, np.nan)
    known = nothing if reliability is None else reliability
    reliable = Reliability(known, known, known, nothing if p is None else p, np.full(n, 16))
    ceiling = Ceiling(reliable, [str(i) for i in range(n)], "r", PLAN)
    return EncodingRows(averages(np.zeros((2, 3, n)), sessions=sessions), ceiling, ceiling)


def found_in(rows: EncodingRows, metric: str) -> tuple[float, float, float]:
    """Value and ends over all sites."""
    found = {r["metric"]: float(r["value"]) for r in rows.rows if r["mask"] == "none"}  # type: ignore[arg-type]
    return found[metric], found[f"{metric}_low"], found[f"{metric}_high"]


def test_intervals_of_means_over_sites_are_over_sessions() -> None:
    """Sites of a session share noise; 3 sessions cover, one session has no interval."""
    rng, inside = np.random.default_rng(0), 0
    sessions = np.repeat(list("abc"), 10)
    for _ in range(200):
        rows = rows_of(sessions)
        shared = 0.3 * rng.normal(size=3).repeat(10) + 0.3 * rng.normal(size=30)
        rows._over_sites("x", "single_trial", "encoding_r", shared)
        _, low, high = found_in(rows, "encoding_r")
        inside += low <= 0 <= high
    assert 0.9 < inside / 200 < 0.99
    one = rows_of(np.repeat(["a"], 30))
    one._over_sites("x", "single_trial", "encoding_r", shared)
    middle, low, high = found_in(one, "encoding_r")
    assert middle == pytest.approx(shared.mean())
    assert np.isnan([low, high]).all()


def test_a_perfect_prediction_of_weak_sites_explains_what_there_is() -> None:
    """Signal of a fifth of the variance of a mean: whoever passes a test looks more reliable."""
    rng = np.random.default_rng(1)
    sessions = np.repeat([f"s{i}" for i in range(8)], 15)
    true, shares, chosen = 0.2, [], []
    for _ in range(40):
        spread = 0.15 * rng.normal(size=len(sessions))
        reliability = true + spread
        p = stats.norm.sf(reliability / 0.15)
        square = true + 0.05 * rng.normal(size=len(sessions))
        rows = rows_of(sessions, reliability, p)
        rows._shares({"run": "x", "trial": "trial_average"}, square, reliability)
        shares.append(found_in(rows, "explainable_share"))
        trusted = rows._sites.trusted
        chosen.append((square[trusted] / reliability[trusted]).mean())
    middle, low, high = np.array(shares).T
    assert middle.mean() == pytest.approx(1, abs=0.03)
    assert ((low <= 1) & (high >= 1)).mean() > 0.85
    assert np.mean(chosen) < 0.75  # sites chosen by what they are divided by
    nothing = rows_of(sessions, spread, np.full(len(sessions), 0.5))
    nothing._shares({"run": "x", "trial": "trial_average"}, square, spread)
    assert np.isnan(found_in(nothing, "explainable_share")).all()


def test_the_interval_of_a_regions_correlation_is_over_groups_of_conditions() -> None:
    rng, inside, alone = np.random.default_rng(2), 0, 0
    groups = np.repeat(np.arange(8), 2)
    true = 0.5 / np.sqrt(0.5**2 + 0.4**2 + 1)  # of slopes 0.5 ± 0.4 and noise of variance 1
    for _ in range(200):
        x = rng.normal(size=(16, 20))
        noise = 0.8 * rng.normal(size=(8, 20)).repeat(2, axis=0) + 0.6 * rng.normal(size=x.shape)
        y = (0.5 + 0.4 * rng.normal(size=8)).repeat(2)[:, None] * x + noise
        for name in ("inside", "alone"):
            found = _pooled_interval(x, y, groups if name == "inside" else np.arange(16))
            hit = found.low <= true <= found.high
            inside, alone = (inside + hit, alone) if name == "inside" else (inside, alone + hit)
    assert 0.9 < inside / 200 < 0.99
    assert alone < inside


def test_the_mixed_view_of_sites_finds_what_sessions_share_in_every_site_alone() -> None:
    rng, p = np.random.default_rng(5), {"planted": [], "nothing": []}
    sessions = np.repeat([f"s{i}" for i in range(6)], 6)
    course = np.repeat([0.0, 2.0], 10)[None, :, None]
    nothing = np.full(36, np.nan)
    for _ in range(12):
        signal = rng.normal(size=(8, 20, 36))
        noise = rng.normal(size=(8, 20, 6)).repeat(6, axis=2) + rng.normal(size=signal.shape)
        recorded = averages(course + signal + noise, sessions=sessions)
        floor = Prediction(course + 0 * signal, nothing, nothing, nothing, 1)
        for name, knows in (("planted", signal), ("nothing", rng.normal(size=signal.shape))):
            own = Prediction(course + 0.3 * knows, nothing, nothing, nothing, 1)
            test = mixed_floor_tests(own, floor, recorded).frame.iloc[0]
            p[name].append((test["p"] <= 0.05) and test["effect"] > 0)
    assert np.mean(p["planted"]) == 1
    assert np.mean(p["nothing"]) < 0.2
    assert (test["n"], test["n_unit"]) == (6, "sessions")
    assert "over the means of sessions p" in test["note"]


def test_conditions_that_share_presentations_are_permuted_together() -> None:
    """Prediction and recording share noise within groups of four: no condition is known."""
    rng, hits = np.random.default_rng(4), {"groups": 0, "each": 0}
    nothing = np.full(3, np.nan)
    for seed in range(40):
        shared = rng.normal(size=(8, 20, 3)).repeat(4, axis=0)
        own = Prediction(shared + 0.3 * rng.normal(size=shared.shape), nothing, nothing, nothing, 1)
        values = rng.normal(size=(8, 20, 3)).repeat(4, axis=0)
        values = values + 0.3 * rng.normal(size=shared.shape)
        for name, groups in (("groups", np.arange(8).repeat(4)), ("each", np.arange(32))):
            recorded = replace(averages(values, sessions=np.array(list("aab"))), groups=groups)
            tests = condition_tests(own, recorded, seed=seed, n=99).frame
            hits[name] += int(tests["p"].iloc[1] <= 0.05)
    assert tests["n"].iloc[0] == 32
    assert hits["groups"] <= 6  # of 40
    assert hits["each"] > 2 * hits["groups"]
    known = Prediction(values + 0.3 * rng.normal(size=shared.shape), nothing, nothing, nothing, 1)
    found = condition_tests(known, replace(recorded, groups=np.arange(8).repeat(4)), seed=0).frame
    assert (found["p"] <= 0.05).all()
    assert set(found["n_unit"]) == {"groups of conditions that share recorded trials"}


def test_sites_of_one_session_are_no_test_against_the_floor() -> None:
    recorded = averages(np.random.default_rng(0).normal(size=(8, 20, 6)), sessions=np.zeros(6))
    nothing = np.full(6, np.nan)
    own, mean = (Prediction(recorded.values * s, nothing, nothing, nothing, 1) for s in (1, -1))
    found = floor_tests(own, mean, recorded).frame.set_index("metric").loc["encoding_r"]
    assert np.isnan(found["p"])
    assert found["n_unit"] == "sessions"


def test_the_published_null_is_a_t_of_conditions_against_gaussian_videos(
    scores: EncodingScores,
) -> None:
    rows = scores.tests.frame[scores.tests.frame["n_unit"] == "conditions and Gaussian videos"]
    assert rows["group"].tolist() == ["V4", "MT"]
    assert (rows["n"] == 8 + 30).all()
    assert (rows["df"] == 8 + 30 - 2).all()
    assert (rows["p_corrected"] < 1e-6).all()
    assert rows["note"].str.contains("0 of 30 null predictions").all()
    here = {"run": "chance/gaussian_videos", "trial": "trial_average", "mask": "only V4"}
    assert value(scores, metric="null_fraction", **here) == 0
    # 64 conditions against 100 videos, as printed: t(162).
    rng = np.random.default_rng(0)
    recorded = averages(rng.normal(size=(64, 9, 2)), sessions=np.array(["a", "b"]))
    own, drawn = rng.normal(size=(64, 1)), rng.normal(size=(100, 1))
    row = null_tests(own, drawn, recorded).frame.iloc[0]
    expected = stats.ttest_ind(own[:, 0], drawn[:, 0])
    assert (row["df"], row["n"]) == (162, 164)
    assert row["p"] == pytest.approx(expected.pvalue)
    assert row["test"] == "two-sample t, two-sided, equal variances"


def test_an_untrained_network_on_untuned_sites_does_not_pass_the_published_null(
    build_recording: Build,
) -> None:
    untuned = data_of(build_recording(tuned=False, trials=20, n_conditions=8, n_frames=12))
    p: list[float] = []
    for seed in range(3):
        torch.manual_seed(seed)
        network = InvertedVideoUNet(
            untuned.n_sites, untuned.n_bins, untuned.frame_shape,
            width=4, kernel_sizes=[3, 3, 3, 3], spike_hidden=64,
        ).eval()  # fmt: skip
        found = score(untuned, lambda video, network=network: network(video)).tests.frame
        p += found.loc[found["n_unit"] == "conditions and Gaussian videos", "p"].tolist()
    assert len(p) == 6
    assert min(p) > 0.05


def test_a_null_prediction_is_compared_with_every_condition() -> None:
    rng = np.random.default_rng(1)
    recorded = averages(rng.normal(size=(5, 9, 4)), sessions=np.repeat(["a"], 4))
    noise = rng.normal(size=(3, 9, 4))
    for v, row in zip(noise, null_r(noise, recorded), strict=True):
        each = [np.corrcoef(v.mean(1), x.mean(1))[0, 1] for x in recorded.values]
        assert row[0] == pytest.approx(np.mean(each))
