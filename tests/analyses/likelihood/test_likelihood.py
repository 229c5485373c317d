"""Decoding through the encoder: planted answers, planted nothing, and the command."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import multivariate_normal

from mua_decode.analyses.likelihood.findings import findings
from mua_decode.analyses.likelihood.folds import (
    Groups,
    group_conditions,
    keep_presentations_whole,
    make_folds,
)
from mua_decode.analyses.likelihood.gaussian import fit_noise, shrunk_covariance
from mua_decode.analyses.likelihood.identify import accuracy, beaten, curve
from mua_decode.analyses.likelihood.likelihood import likelihood
from mua_decode.analyses.likelihood.plan import LeaveOutPlan, LikelihoodPlan, MapPlan
from mua_decode.analyses.likelihood.ridge import PENALTIES, fit_ridge
from mua_decode.commands.main import main
from mua_decode.features import PixelFeatures
from mua_decode.types import InputError, Recording, Segment, Session, SiteTable, StimulusSet
from tests.counted import uncounted

LEAVE = LeaveOutPlan(by="auto", share=0.2, folds=None, partitions=1)
MAP = MapPlan(videos=0, steps=30, rate=0.1, components=20, images=None)
PLAN = LikelihoodPlan(
    seed=0, window=None, root=True, trials=4, inner_folds=3, pixel_size=6, candidates=(2, 4),
    leave_out=LEAVE, map=MAP,
)  # fmt: skip
N_VIDEOS, T, SIZE, N_SITES = 60, 2, 6, 40


def planted(*, shuffled: bool = False, noise: float = 0.5) -> Recording:
    """Sites that weigh smooth pixels, noise that neighbours in time share; or labels shuffled."""
    rng = np.random.default_rng(3)
    coarse = rng.normal(size=(N_VIDEOS, T, 1, 3, 3)).repeat(2, -1).repeat(2, -2)
    videos = np.clip(128 + 45 * coarse, 0, 255).astype(np.uint8)
    x = videos.reshape(N_VIDEOS, T, -1) / 255 - 0.5
    rate = x @ rng.normal(size=(SIZE * SIZE, N_SITES))
    condition = np.repeat(np.arange(N_VIDEOS), 6)
    trials = rate[condition] + noise * rng.normal(size=(len(condition), 1, N_SITES))
    trials += noise * rng.normal(size=trials.shape)
    if shuffled:
        condition = rng.permutation(N_VIDEOS)[condition]
    sites = SiteTable(
        np.array([f"s{i}" for i in range(N_SITES)]), ["V1"] * N_SITES, ["a"] * N_SITES,
        ["m"] * N_SITES,
    )  # fmt: skip
    stimuli = StimulusSet(
        videos=videos,
        condition=np.arange(N_VIDEOS),
        conditions=pd.DataFrame({"name": [f"v{i}" for i in range(N_VIDEOS)]}),
        segments=(Segment("video", 0, T),),
        frame_s=0.1,
    )
    session = Session(
        name="a", sites=sites, trials=pd.DataFrame({"condition": condition}),
        counts=trials.astype(np.float32), bin_s=0.1, measure="standardised",
    )  # fmt: skip
    return Recording("planted", (session,), stimuli)


@pytest.fixture(scope="module")
def found():
    return findings(likelihood(planted(), PLAN, PixelFeatures(size=None)))


def test_planted_videos_are_identified_and_every_condition_leaves_once(found):
    metrics, trials = found.metrics, found.tables["trials"]
    assert metrics["identification/likelihood/among_12_low"] > 0.5
    assert metrics["identification/lookup/among_12"] < metrics["identification/likelihood/among_12"]
    assert metrics["sites/median_heldout_correlation"] > 0.8
    assert metrics["said"].startswith("what was never shown is identified")
    own = trials[trials["method"] == "likelihood"]
    assert (own.groupby("condition").size() == PLAN.trials).all()
    assert own["condition"].nunique() == N_VIDEOS
    curve = found.tables["curve"]
    falling = curve[curve["method"] == "likelihood"].sort_values("candidates")["accuracy"]
    assert (falling.diff().dropna() <= 0).all()
    assert len(falling) == 3


def test_shuffled_responses_identify_at_chance_and_it_is_said():
    lost = findings(likelihood(planted(shuffled=True), PLAN, PixelFeatures(size=None)))
    low, high = (lost.metrics[f"identification/likelihood/among_12_{e}"] for e in ("low", "high"))
    assert low <= 1 / 12 <= high
    assert lost.metrics["said"].startswith("what was never shown cannot be decoded")
    assert abs(lost.metrics["sites/median_heldout_correlation"]) < 0.2


def test_what_is_held_out_enters_no_fit():
    """Responses to one held-out video changed: the other held-out videos score as before."""
    plan = replace(PLAN, leave_out=replace(LEAVE, folds=1))
    space, recording = PixelFeatures(size=None), planted()
    before = likelihood(recording, plan, space)
    victim = int(before.folds[0].test[0])
    session = recording.sessions[0]
    counts = session.counts.copy()
    counts[session.condition == victim] *= -20
    other = replace(recording, sessions=(replace(session, counts=counts),))
    after = likelihood(other, plan, space)
    kept = before.trials["condition"] != f"v{victim}"
    pd.testing.assert_frame_equal(before.trials[kept], after.trials[kept])
    assert (before.trials[~kept]["beaten"] != after.trials[~kept]["beaten"]).any()


def test_most_probable_video_shows_what_was_shown(tmp_path):
    plan = replace(PLAN, leave_out=replace(LEAVE, folds=1), map=replace(MAP, videos=3))
    made = findings(likelihood(planted(noise=0.1), plan, PixelFeatures(size=None)))
    assert made.metrics["videos/most_probable/pixel_correlation"] > 0.8
    assert made.metrics["videos/lookup/pixel_correlation"] < 0.8
    assert len(made.tables["videos"]) == 9
    assert set(made.figures) == {"identification", "videos"}


def test_likelihood_is_that_of_the_normal_distribution():
    rng = np.random.default_rng(0)
    t, n = 3, 4
    residual = rng.normal(size=(50, t, n)) @ rng.normal(size=(n, n))
    variance = rng.uniform(0.5, 2, n)
    over = np.eye(t) * 0.7 + 0.3
    noise = fit_noise(residual, variance, over)
    seen, predicted = rng.normal(size=(5, t, n)), rng.normal(size=(6, t, n))
    like = noise.log_likelihood(seen, predicted)
    # The covariance written out, sites within bins.
    sd = np.sqrt(np.square(residual).mean((0, 1)) + variance)
    bins = shrunk_covariance((residual / sd).transpose(0, 2, 1).reshape(-1, t))
    sites = shrunk_covariance((residual / sd).reshape(-1, n)) * np.outer(sd, sd)
    full = np.kron(bins * t / np.trace(bins), sites) + np.kron(over, np.diag(variance))
    true = np.array([
        [multivariate_normal(p.ravel(), full).logpdf(s.ravel()) for p in predicted] for s in seen
    ])  # fmt: skip
    np.testing.assert_allclose(like - like[:, :1], true - true[:, :1], rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("d", [5, 40])
def test_ridge_is_the_closed_form_at_the_penalty_it_chose(d):
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(30, d)), rng.normal(size=(30, 2))
    fit = fit_ridge(x, y, np.array_split(np.arange(30), 3))
    c = x - x.mean(0)
    value = np.linalg.eigvalsh(c.T @ c)
    scale = value[value > 1e-9].mean()
    for i in range(2):
        a = c.T @ c + fit.penalty[i] * scale * np.eye(d)
        want = np.linalg.solve(a, c.T @ (y[:, i] - y[:, i].mean()))
        np.testing.assert_allclose(fit.weight[:, i], want, atol=1e-7)
    assert set(fit.penalty) <= set(PENALTIES)


def test_accuracy_among_candidates_is_that_of_drawing_them():
    share = np.array([1.0, 0.5, 0.0])
    assert accuracy(share, 5, 2) == pytest.approx([1, 0.5, 0])
    assert accuracy(share, 5, 5) == pytest.approx([1, 0, 0])
    assert accuracy(share, 5, 3) == pytest.approx([1, 1 / 6, 0])  # both of 2 among 4
    tied = np.zeros((2, 1, 2))
    assert (beaten(tied) == 0).all()  # a tie is no win


@pytest.mark.parametrize(("missed", "lowest"), [(0, 0.81), (1, 0.92)])
def test_groups_at_the_ceiling_have_an_interval_below_it(missed: int, lowest: float) -> None:
    group = np.repeat(np.arange(15), 8)
    trials = pd.DataFrame(
        {"method": "likelihood", "condition": group, "group": group, "presentations": group,
         "partition": 0, "fold": group // 5, "size": 5, "beaten": 1.0, "guess": group}
    )  # fmt: skip
    trials.loc[: missed - 1, ["beaten", "guess"]] = [0.75, 1]
    found = curve(trials, [], groups="movies", rng=np.random.default_rng(0)).iloc[0]
    assert lowest < found["low"] < found["accuracy"] <= found["high"] == 1


def test_groups_leave_as_a_whole_and_stills_as_in_axis():
    movies = pd.DataFrame({"name": list("abcdefgh"), "movie": [1, 2, 3, 4] * 2})
    groups = group_conditions(movies, "auto")
    assert (groups.name, groups.number) == ("movies", 4)
    for fold in make_folds(groups, replace(LEAVE, share=0.25), seed=0):
        assert not set(groups.label[fold.train]) & set(groups.label[fold.test])
    from mua_decode.analyses.axis.ridge import make_blocks

    rng = np.random.default_rng(np.random.SeedSequence(5).spawn(3)[0])
    blocks = make_blocks(50, test_fraction=0.2, inner_folds=5, rng=rng)
    first = make_folds(Groups("conditions", np.arange(50)), LEAVE, seed=5)[0]
    assert first.test.tolist() == blocks.test.tolist()
    with pytest.raises(InputError, match="did you mean 'movie'"):
        group_conditions(movies, "movies")
    with pytest.raises(InputError, match="too few to leave"):
        make_folds(Groups("movies", np.arange(2)), LEAVE, seed=0)


SMALL = [
    "recording=simulated_small", "recording.stimulus.frame.resolution=0.5",
    "recording.population.trials_per_condition=4", "features=pixels", "features.pixels.size=8",
    "window={width_s: 0.5, step_s: 0.5}", "trials=2", "inner_folds=2", "pixel_size=8",
    "map.steps=3", "map.videos=2", "leave_out.share=0.25",
]  # fmt: skip


def test_conditions_of_one_presentation_leave_together():
    own = Groups("conditions", np.arange(8))
    assert keep_presentations_whole(own, np.arange(8)) is own
    pairs = keep_presentations_whole(own, np.arange(8) // 2)
    assert pairs.label.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert pairs.name == "conditions, joined where they share recorded trials"
    # Movies 0 and 2 share presentations through one of their conditions.
    movies = Groups("movies", np.array([0, 0, 1, 1, 2, 2]))
    joined = keep_presentations_whole(movies, np.array([0, 1, 2, 3, 1, 4]))
    assert joined.label.tolist() == [0, 0, 1, 1, 0, 0]
    recording = planted()
    (session,) = recording.sessions
    pair, repeat = session.trials["condition"] // 2, np.tile(np.arange(6), N_VIDEOS)
    linked = session.trials.assign(presentation=pair * 6 + repeat)
    recording = replace(recording, sessions=(replace(session, trials=linked),))
    found = likelihood(recording, PLAN, PixelFeatures())
    assert found.groups.number == N_VIDEOS // 2
    for fold in found.folds:
        assert not set(fold.train // 2) & set(fold.test // 2)


def test_command_leaves_numbers_tables_and_figures(tmp_path):
    from PIL import Image

    folder = tmp_path / "images"
    folder.mkdir()
    for i in range(3):
        Image.fromarray(np.full((20, 30, 3), 80 * i, np.uint8)).save(folder / f"{i}.png")
    run = tmp_path / "run"
    main(["likelihood", *SMALL, f"map.images={folder}", f"run_dir={run}"])
    assert uncounted(run) == []
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["groups"] == "colour and direction_deg groups"
    assert 0 <= metrics["identification/likelihood/among_2"] <= 1
    for name in ("curve", "trials", "sites", "videos", "tests"):
        assert len(pd.read_csv(run / f"{name}.csv"))
    tests = pd.read_csv(run / "tests.csv")
    assert tests[["test", "n", "n_unit", "correction"]].notna().all().all()
    assert {p.stem for p in (run / "figures").iterdir()} == {"identification", "videos"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["leave_out.by=cues"], "did you mean 'cue'"),
        (["leave_out.share=0.9"], "leave_out.share must lie above 0"),
        (["features=[pixels,gabor_energy]"], "expected one space, found 2"),
        (["window.width_s=0.1"], "width_s (0.1) must be at least step_s"),
        (["map.images=/nowhere"], "map.images: no such folder"),
    ],
)
def test_errors_the_user_can_mend_are_one_line(tmp_path, capsys, options, message):
    with pytest.raises(SystemExit) as stop:
        main(["likelihood", *SMALL, f"run_dir={tmp_path}", *options])
    assert stop.value.code == 2
    error = [line for line in capsys.readouterr().err.splitlines() if "mua-decode:" in line]
    assert len(error) == 1
    assert message in error[0]
