from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from mua_decode.analyses.latents.embed import embed, separation
from mua_decode.analyses.latents.labels import (
    MIXED,
    Units,
    Vectors,
    condition_labels,
    response_units,
    units_of,
)
from mua_decode.analyses.latents.responses import one_response
from mua_decode.analyses.latents.vectors import (
    population_vectors,
    session_vectors,
    site_trial_vectors,
)
from mua_decode.data import DecodingData, PseudoTrialPlan, SplitPlan
from mua_decode.types import InputError, Recording, Session

Build = Callable[..., Recording]


def clouds(n: int = 60, *, distance: float = 4.0, seed: int = 0) -> Vectors:
    """Three clouds in 8 dimensions, one class each, and a label that means nothing."""
    rng = np.random.default_rng(seed)
    kind = np.repeat(np.arange(3), n // 3)
    points = rng.normal(size=(n, 8)) + distance * np.eye(8)[kind]
    labels = pd.DataFrame({"cue": kind.astype(str), "coin": rng.integers(0, 2, n).astype(str)})
    units = dict.fromkeys(("cue", "coin"), Units("recorded trials", np.arange(n)))
    return Vectors(points.astype(np.float32), labels, units, "clouds", "recorded_trial", "train")


def described(recording: Recording, *, response: bool = True) -> Recording:
    """Give the four conditions a cue, a colour and a direction, and the trials a response."""
    table = recording.stimuli.conditions.assign(
        cue=["cross", "cross", "circle", "circle"],
        colour=["red", "green", "red", "green"],
        direction_deg=[90.0, -30.0, 90.0, -30.0],
    )
    rng = np.random.default_rng(0)
    sessions = tuple(
        replace(s, trials=s.trials.assign(response=rng.choice(["left", "right"], s.n_trials)))
        if response
        else s
        for s in recording.sessions
    )
    stimuli = replace(recording.stimuli, conditions=table)
    return Recording(name="described", sessions=sessions, stimuli=stimuli)


def make(recording: Recording) -> DecodingData:
    return DecodingData(
        recording,
        window=None,
        split=SplitPlan(),
        pseudo=PseudoTrialPlan(per_condition=30),
        batch_size=8,
    )


@pytest.mark.parametrize("method", ["pca", "tsne"])
def test_embeddings_keep_clouds_apart_and_repeat(method: str) -> None:
    vectors = clouds(distance=8.0)
    one, two = (embed(vectors, method=method, seed=0) for _ in range(2))  # type: ignore[arg-type]
    np.testing.assert_array_equal(one.points, two.points)
    assert one.points.shape == (60, 2)
    assert (one.explained is None) == (method == "tsne")
    table = separation(vectors, [one], seed=0, n_permutations=19).results.frame
    values = table[table["segment"] == method].set_index("metric")["value"]
    assert values["silhouette_cue"] > 0.5
    assert abs(values["silhouette_coin"]) < 0.1


def test_pca_says_the_variance_it_explains() -> None:
    found = embed(clouds(), method="pca", seed=0)
    x = clouds().points
    eigen = np.sort(np.linalg.eigvalsh(np.cov(x.T)))[::-1]
    assert found.explained == pytest.approx(tuple(eigen[:2] / eigen.sum()), rel=1e-4)


def test_small_sets_get_a_small_perplexity_and_wide_ones_fewer_dimensions() -> None:
    rng = np.random.default_rng(0)
    labels = pd.DataFrame({"a": list("abcdefg")})
    units = {"a": Units("sites", np.arange(7))}
    few = Vectors(
        rng.normal(size=(7, 200)).astype(np.float32), labels, units, "few", "site", "train"
    )
    assert np.isfinite(embed(few, method="tsne", seed=0).points).all()
    with pytest.raises(InputError, match="at least 4 points"):
        embed(replace(few, points=few.points[:3], labels=labels[:3], units={"a": Units("sites", np.arange(3))}), method="pca", seed=0)  # fmt: skip # noqa: E501
    with pytest.raises(InputError, match="pca or tsne"):
        embed(few, method="umap", seed=0)  # type: ignore[arg-type]


def test_silhouettes_stand_beside_their_chance_and_test() -> None:
    found = separation(clouds(), seed=0, n_permutations=99)
    tests = found.tests.frame.set_index("metric")
    assert tests.loc["silhouette_cue", "p"] == 1 / 100
    assert tests.loc["silhouette_coin", "p"] > 0.05
    assert tests.loc["silhouette_cue", "correction"] == "Holm over 2"
    assert tests.loc["silhouette_cue", ["n", "n_unit"]].tolist() == [60, "recorded trials"]
    value = found.results.frame.set_index("metric")["value"]
    assert value["silhouette_cue"] - value["silhouette_cue_chance"] == pytest.approx(
        tests.loc["silhouette_cue", "effect"]
    )
    assert abs(value["silhouette_cue_chance"]) < 0.05


def test_points_of_one_unit_are_relabelled_together() -> None:
    # Ten tight clusters, half of each class: copies must not make the label significant.
    rng = np.random.default_rng(1)
    hits, naive = 0, 0
    for _ in range(16):
        points = np.repeat(rng.normal(size=(10, 5)), 6, axis=0).astype(np.float32)
        points += 0.01 * rng.normal(size=points.shape).astype(np.float32)
        unit = np.repeat(np.arange(10), 6)
        labels = pd.DataFrame({"side": np.where(rng.permutation(10) < 5, "a", "b")[unit]})
        for clustered in (True, False):
            units = {"side": Units("sites", unit if clustered else np.arange(60))}
            vectors = Vectors(points, labels, units, "copies", "site", "train")
            p = separation(vectors, seed=0, n_permutations=19).tests.frame["p"][0]
            hits += clustered and p <= 0.05
            naive += (not clustered) and p <= 0.05
    assert hits <= 3
    assert naive >= 8


def test_a_class_per_unit_has_no_p_value_and_one_class_no_row() -> None:
    vectors = clouds()
    kind = vectors.labels["cue"].astype(int).to_numpy()
    labels = vectors.labels.assign(coin="heads")
    units = {"cue": Units("conditions", kind), "coin": Units("sites", np.arange(60))}
    found = separation(replace(vectors, labels=labels, units=units), seed=0, n_permutations=9)
    assert found.tests.frame["metric"].tolist() == ["silhouette_cue"]
    assert np.isnan(found.tests.frame["p"][0])
    assert "nothing to permute" in found.tests.frame["note"][0]
    assert found.results.frame["value"][0] > 0.2
    broken = {**units, "cue": Units("conditions", np.zeros(60, int))}
    with pytest.raises(InputError, match="two classes"):
        separation(replace(vectors, labels=labels, units=broken), seed=0, n_permutations=9)


def test_labels_of_conditions(build_recording: Build) -> None:
    recording = build_recording(1)
    assert condition_labels(recording.stimuli)["condition"].tolist() == ["c0", "c1", "c2", "c3"]
    labels = condition_labels(described(recording).stimuli)
    assert list(labels) == ["cue", "colour", "direction_deg", "stimulus"]
    assert labels["stimulus"].tolist() == ["red 90", "green -30"] * 2


def test_site_trial_vectors_carry_the_response_of_their_trial(build_recording: Build) -> None:
    recording = described(build_recording(2))
    data = make(recording)
    found = site_trial_vectors(data, recording, max_points=10**6)
    assert found.part == "test"  # as published: after the training, the test part alone
    assert found.points.shape == (2 * 8 * 3, 6)
    assert list(found.labels) == [
        "region",
        "cue",
        "colour",
        "direction_deg",
        "stimulus",
        "response",
    ]
    session = recording.sessions[0]
    for i in range(0, 24, 3):  # the points of the first session
        values = found.points[i]
        z = (data.pool.counts[:, :3] - data.standardise.mean[:3, None]) / data.standardise.std[
            :3, None
        ]
        trial, site = np.argwhere((np.abs(z - values) < 1e-4).all(axis=2))[0]
        assert trial in data.split.trials["test"]["s0"]
        assert found.labels["response"][i] == session.trials["response"][trial]
        assert found.labels["region"][i] == session.sites.region[site]
    assert found.units["response"].name == "recorded trials"
    assert found.units["cue"].name == "conditions"
    assert found.units["region"].name == "sites"
    assert 18 <= len(site_trial_vectors(data, recording, max_points=20).points) <= 22


def test_population_vectors_are_balanced_and_encoded_in_batches(build_recording: Build) -> None:
    data = make(described(build_recording(2)))
    found = population_vectors(data, part="train", max_points=80)
    assert found.points.shape == (80, 6 * 6)
    assert found.labels["cue"].value_counts().tolist() == [40, 40]
    assert "response" not in found.labels
    assert {u.name for u in found.units.values()} == {"conditions"}
    seen: list[int] = []

    def encode(spikes: torch.Tensor) -> torch.Tensor:
        seen.append(len(spikes))
        return spikes.mean(dim=1)

    latents = population_vectors(data, part="train", max_points=80, encode=encode)
    np.testing.assert_allclose(latents.points, found.points.reshape(80, 6, 6).mean(1), atol=1e-6)
    assert sum(seen) == 80


def test_session_vectors_come_from_one_session(
    build_recording: Build,
) -> None:
    recording = described(build_recording(2))
    data = make(recording)
    found = session_vectors(data, recording)
    assert found.points.shape == (8, 6 * 3)
    assert found.space == "trials of s0"
    rows = data.split.trials["test"]["s0"]
    trials = recording.sessions[0].trials.iloc[rows]
    assert found.labels["response"].tolist() == trials["response"].tolist()


def test_recordings_without_cues_or_responses_have_the_condition(build_recording: Build) -> None:
    recording = build_recording(1)
    data = make(recording)
    found = session_vectors(data, recording)
    assert list(found.labels) == ["condition"]
    assert found.units["condition"].name == "recorded trials"
    tests = separation(found, seed=0, n_permutations=39).tests.frame
    assert tests["p"][0] == pytest.approx(1 / 40)
    pooled = separation(population_vectors(data), seed=0, n_permutations=9).tests.frame
    assert np.isnan(pooled["p"][0])  # pseudo-trials of a condition share recorded trials


def test_trials_with_missing_sites_are_left_out_of_a_session(build_recording: Build) -> None:
    whole = build_recording(1, trials=40)
    s = whole.sessions[0]
    counts = s.counts.astype(np.float32)
    counts[::3, :, 0] = np.nan
    holed = Session(name="s0", sites=s.sites, trials=s.trials, counts=counts, bin_s=0.1)
    recording = Recording(name="holed", sessions=(holed,), stimuli=whole.stimuli)
    data = make(recording)
    rows = data.split.trials["test"]["s0"]
    assert len(session_vectors(data, recording).points) == (rows % 3 != 0).sum()


def test_vectors_that_do_not_fit_are_refused() -> None:
    vectors = clouds()
    with pytest.raises(InputError, match="label row"):
        replace(vectors, labels=vectors.labels[:5])
    with pytest.raises(InputError, match="unit numbers"):
        replace(vectors, units=dict.fromkeys(("cue", "coin"), Units("sites", np.arange(3))))
    with pytest.raises(InputError, match="NaN"):
        replace(vectors, points=np.full((60, 8), np.nan))


def test_responses_that_follow_the_condition_are_permuted_within_it() -> None:
    # Activity says the condition and nothing of the choice; only the errors are at random.
    hits, rng = 0, np.random.default_rng(5)
    condition = np.repeat(np.arange(4), 12)
    for _ in range(20):
        points = np.eye(4)[condition] * 3 + rng.normal(size=(48, 4))
        side = (condition < 2) ^ (rng.random(48) < 0.15)
        labels = pd.DataFrame({"response": np.where(side, "left", "right")})
        units = units_of(labels, condition, np.arange(48))
        assert units["response"].within is not None
        vectors = Vectors(points.astype(np.float32), labels, units, "x", "recorded_trial", "train")
        row = separation(vectors, seed=0, n_permutations=39).tests.frame.iloc[0]
        assert "within conditions" in row["test"]
        assert "within conditions" in row["note"]
        hits += row["p"] <= 0.05
    assert hits <= 4
    choice = points + 4 * side[:, None]
    found = separation(replace(vectors, points=choice), seed=0, n_permutations=39)
    assert found.tests.frame["p"][0] == 1 / 40


def test_conditions_that_share_presentations_are_relabelled_together() -> None:
    """Natural and synthetic version of a movie share trials: 2 scales × 2 categories × 10."""
    rng = np.random.default_rng(3)
    scale, category, movie = np.indices((2, 2, 10)).reshape(3, -1)
    groups = 10 * scale + movie
    condition = np.arange(40)
    labels = pd.DataFrame({"movie": movie[condition].astype(str)})
    labels["category"] = category[condition].astype(str)
    units = units_of(labels, condition, np.arange(40), groups=groups)
    alone = units_of(labels, condition, np.arange(40))
    found: dict[str, list[float]] = {"noise": [], "alone": [], "planted": []}
    for _ in range(20):
        noise = rng.normal(size=(20, 4))[groups] + 0.3 * rng.normal(size=(40, 4))
        signal = noise + 2 * rng.normal(size=(10, 4))[movie[condition]]
        for name, points, of in (
            ("noise", noise, units), ("alone", noise, alone), ("planted", signal, units),
        ):  # fmt: skip
            vectors = Vectors(points.astype(np.float32), labels, of, "x", "recorded_trial", "test")
            rows = separation(vectors, seed=0, n_permutations=19).tests.frame.set_index("metric")
            found[name].append(rows.loc["silhouette_movie", "p"])
            if of is units:
                assert np.isnan(rows.loc["silhouette_category", "p"])
                assert "several classes" in rows.loc["silhouette_category", "note"]
    assert rows.loc["silhouette_movie", "n"] == 20
    assert rows.loc["silhouette_movie", "n_unit"].startswith("groups of conditions")
    share = {name: np.mean(np.array(p) <= 0.05) for name, p in found.items()}
    assert share["noise"] <= 0.2  # of 20
    assert share["alone"] > 0.8
    assert share["planted"] > 0.9


def test_a_label_that_groups_decide_has_nothing_to_permute() -> None:
    rng = np.random.default_rng(0)
    session = np.repeat([0, 1], 5)
    labels = pd.DataFrame({"region": np.array(["V4", "MT"])[session]})
    units = {"region": Units("sites", np.arange(10), session, "sessions")}
    vectors = Vectors(
        rng.normal(size=(10, 3)).astype(np.float32), labels, units, "x", "site", "train"
    )
    row = separation(vectors, seed=0, n_permutations=9).tests.frame.iloc[0]
    assert np.isnan(row["p"])
    assert row["note"] == "one class within each of the sessions: nothing to permute"


def test_regions_are_permuted_within_sessions(build_recording: Build) -> None:
    data = make(build_recording(2))
    found = site_trial_vectors(data, described(build_recording(2)), max_points=20)
    unit = found.units["region"]
    assert unit.within_name == "sessions"
    assert unit.within is not None
    assert len(np.unique(unit.within)) == 2


def test_pseudo_trials_of_one_response_are_made_of_trials_of_that_response(
    build_recording: Build,
) -> None:
    recording = described(build_recording(2, trials=20))
    data = make(recording)
    rows = np.arange(len(data.pseudo_trials("test")))
    drawn = one_response(data, recording, "test", rows, seed=0)
    assert drawn is not None
    pseudo, response = drawn
    assert set(response) == {"left", "right"}
    sites = data.pool.sites
    for p in range(len(pseudo)):
        for n in range(len(sites)):
            name, row = sites.session[n], pseudo.source_trial[p, n]
            trial = recording.select_sessions([name]).sessions[0].trials.iloc[row]
            assert trial["response"] == response[p]
            assert trial["condition"] == pseudo.condition[p]
            assert row in data.split.trials["test"][name]
    again = one_response(data, recording, "test", rows, seed=0)
    assert again is not None
    np.testing.assert_array_equal(again[0].source_trial, pseudo.source_trial)
    plain = build_recording(2, trials=20)
    assert one_response(make(plain), plain, "test", rows, seed=0) is None


def test_a_response_without_common_trials_is_mixed(build_recording: Build) -> None:
    recording = described(build_recording(2, trials=20))
    first, second = recording.sessions
    left = replace(first, trials=first.trials.assign(response="left"))
    right = replace(second, trials=second.trials.assign(response="right"))
    apart = replace(recording, sessions=(left, right))
    data = make(apart)
    drawn = one_response(data, apart, "test", np.arange(5), seed=0)
    assert drawn is not None
    assert set(drawn[1]) == {"mixed"}
    kept = data.pseudo_trials("test").source_trial[:5]
    np.testing.assert_array_equal(drawn[0].source_trial, kept)


def test_population_points_carry_a_response_and_its_units(build_recording: Build) -> None:
    recording = described(build_recording(2, trials=20))
    data = make(recording)
    found = population_vectors(data, recording, max_points=24)
    assert found.part == "test"
    assert {"cue", "stimulus", "response"} <= set(found.labels)
    unit = found.units["response"]
    assert unit.name == "responses to a condition"
    frame = separation(found, seed=0, n_permutations=19).tests.frame.set_index("metric")
    row = frame.loc["silhouette_response"]
    assert np.isnan(row["p"])
    assert np.isfinite(row["statistic"])
    assert row["test"] == "none"
    assert row["note"].startswith("no p: pseudo-trials of one condition and response share")
    assert frame.loc["silhouette_cue", "p"] > 0


def only_the_condition(seed: int, *, trials: tuple[int, int] = (12, 4)) -> tuple[Vectors, Vectors]:
    """Recorded trials and pseudo-trials that know the condition, not the response; few errors."""
    rng = np.random.default_rng(seed)
    category = np.arange(8) % 2
    centre = rng.normal(size=(8, 30)) + rng.normal(size=(2, 30))[category]  # a shared direction
    recorded, pseudo = [], []
    for k in range(8):
        own = [centre[k] + 3 * rng.normal(size=(n, 30)) for n in trials]  # correct, wrong
        recorded += [(x, k, category[k] ^ wrong) for wrong in (0, 1) for x in own[wrong]]
        for _ in range(10):
            wrong = int(rng.random() < 0.2)
            pick = rng.integers(trials[wrong], size=30)
            pseudo.append((own[wrong][pick, np.arange(30)], k, category[k] ^ wrong))

    def vectors(rows: list[tuple[np.ndarray, int, int]], trial: str) -> Vectors:
        points, condition, side = (np.array(v) for v in zip(*rows, strict=True))
        labels = pd.DataFrame({"response": np.where(side, "left", "right")})
        units = units_of(labels, condition, np.arange(len(points)))
        if trial == "pseudo_trial":
            units = {"response": response_units(condition, labels["response"].to_numpy())}
        return Vectors(points.astype(np.float32), labels, units, "x", trial, "test")

    return vectors(recorded, "recorded_trial"), vectors(pseudo, "pseudo_trial")


def test_a_response_that_the_condition_alone_decides_is_not_found() -> None:
    p = np.array(
        [
            [separation(v, seed=0, n_permutations=19).tests.frame["p"][0] for v in pair]
            for pair in map(only_the_condition, range(20))
        ]
    )
    assert (p[:, 0] <= 0.05).mean() <= 0.2  # recorded trials: tested, and of its size
    assert np.isnan(p[:, 1]).all()  # pseudo-trials share their trials: no p can be given


def test_points_of_no_class_are_left_out_of_silhouettes() -> None:
    condition = np.repeat(np.arange(3), 10)
    side = np.tile(["left", "right"], 15).astype(object)
    side[20:] = MIXED
    points = np.random.default_rng(0).normal(size=(30, 4)).astype(np.float32)
    points[:20] += 5 * (side[:20] == "left")[:, None]

    def silhouette(chosen: slice) -> pd.Series:
        units = {"response": response_units(condition[chosen], side[chosen])}
        labels = pd.DataFrame({"response": side[chosen]})
        vectors = Vectors(points[chosen], labels, units, "x", "pseudo_trial", "test")
        return separation(vectors, seed=0, n_permutations=9).results.frame.iloc[0]

    pd.testing.assert_series_equal(silhouette(slice(None)), silhouette(slice(20)))
    assert silhouette(slice(None))["n"] == 20


@pytest.mark.parametrize("planted", [True, False])
def test_a_planted_choice_is_found_and_no_choice_is_not(
    build_recording: Build, planted: bool
) -> None:
    recording = build_recording(2, trials=20, tuned=False, n_conditions=8)
    rng, sessions = np.random.default_rng(1), []
    for s in recording.sessions:
        left = rng.random(s.n_trials) < 0.5
        counts = (s.counts + 6 * left[:, None, None] * planted).astype(np.uint16)
        trials = s.trials.assign(response=np.where(left, "left", "right"))
        sessions.append(replace(s, counts=counts, trials=trials))
    chosen = replace(recording, sessions=tuple(sessions))
    data = make(chosen)
    for found in (session_vectors(data, chosen), population_vectors(data, chosen, max_points=48)):
        row = separation(found, seed=0, n_permutations=99).tests.frame.set_index("metric")
        assert (row.loc["silhouette_response", "statistic"] > 0.1) == planted
        p = row.loc["silhouette_response", "p"]
        if found.trial == "recorded_trial":
            assert p < 0.05 if planted else p > 0.05
        else:
            assert np.isnan(p)
