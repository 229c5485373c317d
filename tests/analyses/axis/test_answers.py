"""Images made for sites and shown to them: beyond the library along the axis, not across it."""

import json

import numpy as np
import pandas as pd
import pytest

from mua_decode.analyses.axis.answers import Answers, read_answers
from mua_decode.analyses.axis.controls import equivalence_p
from mua_decode.analyses.axis.plan import SignificancePlan
from mua_decode.analyses.axis.shown import Shown
from mua_decode.commands.main import main
from mua_decode.types import InputError, SiteTable

PLAN = SignificancePlan(n_permutations=99, alpha=0.05, correction="fdr_bh", flat_fraction=0.5)
RUN = [
    "axis",
    "recording.imagery.regions.VTC=24",
    "~recording.imagery.regions.MTL",
    "recording.imagery.images=200",
    "recording.imagery.sessions=3",
    "features=pixels",
    "imagery=false",
    "n_components=30",
    "test.n_permutations=99",
]


@pytest.fixture(scope="module")
def answered(tmp_path_factory):
    folder = tmp_path_factory.mktemp("axis")
    main([*RUN, "effective.sites=100", f"run_dir={folder}"])
    return folder


def test_made_images_drive_tuned_sites_beyond_the_best_of_the_library(answered):
    metrics = json.loads((answered / "metrics.json").read_text())
    sites = pd.read_csv(answered / "effective.csv")
    assert metrics["effective/n_sites"] == len(sites) >= 18
    assert metrics["effective/share_synthesised_beyond"] >= 0.9
    assert metrics["effective/share_orthogonal_beyond"] == 0
    assert metrics["effective/share_orthogonal_equivalent"] > 0.5
    assert metrics["effective/share_foreign_beyond"] < 0.2
    assert metrics["effective/mean_rank_among_foreign"] > 0.95
    assert metrics["effective/median_predicted_answered_correlation"] > 0.9
    # Along the orthogonal axis images go about as far as natural ones, and nothing happens.
    shown = pd.read_csv(answered / "effective_answers.csv")
    across = shown[shown["kind"] == "orthogonal"]
    assert across["along_orthogonal_sd"].median() > 1.5
    assert across["along_axis_sd"].abs().max() < 0.5
    along = shown[shown["kind"] == "synthesised"].set_index("site_id")["along_axis_sd"]
    reached = across.set_index("site_id")["along_orthogonal_sd"] / along
    assert reached.max() < 1.1
    assert reached.median() > 0.5
    assert metrics["effective/median_synthesised_hz_per_sd"] == pytest.approx(4, abs=1)
    assert abs(metrics["effective/median_orthogonal_hz_per_sd"]) < 0.8
    best = shown[shown["kind"] == "library best"].groupby("site_id")["predicted_hz"].max()
    mean = shown.groupby("site_id")["library_mean_hz"].max()
    assert (across["answered_hz"].mean() - mean.mean()) < 0.3 * (best.mean() - mean.mean())
    # What is predicted for an image that was made is answered.
    made = shown[shown["kind"] == "synthesised"]
    assert made["answered_hz"].median() == pytest.approx(made["predicted_hz"].median(), rel=0.2)
    tests = pd.read_csv(answered / "tests.csv")
    assert {"synthesised_beyond", "orthogonal_beyond"} <= set(tests["metric"])


def test_library_holds_no_training_image(answered):
    shown = pd.read_csv(answered / "effective_answers.csv")
    library = set(shown[shown["kind"].str.startswith("library")]["image"])
    made = Shown.read(answered / "effective")
    assert len(library) > 5
    assert len(made.images) == len(library) + 2 * shown["site_id"].nunique()
    # 40 of 200 images are held out: more would be needed to pick from all.
    assert len(library) <= 40


def test_answers_of_an_animal_are_read_from_the_folder_of_an_earlier_run(answered, tmp_path):
    shown = pd.read_csv(answered / "effective" / "shown.csv")
    folder = tmp_path / "lab"
    Shown.read(answered / "effective").write(folder)
    rng = np.random.default_rng(0)
    rows = shown.loc[shown.index.repeat(8), ["site_id", "image"]]
    noise = rng.standard_normal(len(rows))
    # An animal whose sites do not care for the images made: they answer 5, the library 10.
    made = ~rows["image"].str.startswith("library")
    table = rows.assign(answered_hz=np.where(made, 5, 10) + noise)
    table["image"] += ".png"
    table.to_csv(folder / "answers.csv", index=False)
    out = tmp_path / "run"
    main([*RUN, f"effective.answers={folder}", f"run_dir={out}"])
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["effective/share_synthesised_beyond"] == 0
    assert metrics["effective/n_sites"] == shown["site_id"].nunique()


def test_nobody_answers_where_nobody_can(tmp_path):
    main([*RUN, "effective.sites=2", "effective.steps=3", "effective.answers=none",
          f"run_dir={tmp_path}"])  # fmt: skip
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert not [k for k in metrics if k.startswith("effective/")]
    assert "answered_synthesised" not in pd.read_csv(tmp_path / "effective.csv")
    assert not (tmp_path / "effective" / "answers.csv").exists()
    assert "Nobody has answered yet" in (tmp_path / "report.html").read_text()


def _shown(n_sites=12):
    rows = []
    for s in range(n_sites):
        for kind, name in (
            ("synthesised", f"synthesised_{s}"),
            ("orthogonal", f"orthogonal_{s}"),
            ("library best", "library_0"),
            ("library worst", "library_1"),
        ):
            about = {"site_id": f"s{s}", "image": name, "kind": kind, "predicted_hz": len(kind)}
            rows.append((about, np.zeros((3, 4, 4), np.uint8)))
    return Shown.collect(rows)


def _sites(n=12):
    which = [f"a{i % 3}" for i in range(n)]
    return SiteTable([f"s{i}" for i in range(n)], ["V4"] * n, which, which)


def _answer(rng, *, made, orthogonal, n=20):
    def answer(images):
        level = {"synthesised": made, "orthogonal": orthogonal, "library": 10.0}
        return pd.DataFrame(
            [
                {"site_id": f"s{s}", "image": name, "answered_hz": value}
                for s in range(12)
                for name in images
                for value in level[name.split("_")[0]] + rng.standard_normal(n)
            ]
        )

    return answer


def test_verdicts_hold_where_planted_and_nowhere_else():
    beyond = []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        found = Answers.of(_shown(), _answer(rng, made=13, orthogonal=10), _sites(), PLAN)
        assert found.sites["synthesised_beyond_surely"].all()
        beyond.append(found.numbers["share_orthogonal_beyond_surely"])
        assert found.numbers["share_synthesised_beyond_low"] > 0.7
    assert np.mean(beyond) <= 0.05


@pytest.mark.parametrize(("away", "low", "high"), [(0.0, 0.8, 1.0), (0.75, 0.0, 0.1), (2.0, 0, 0)])
def test_equivalence_is_found_within_the_margin_and_not_at_it(away, low, high):
    rng = np.random.default_rng(0)
    found = []
    for _ in range(200):
        means = 10 + 4 * rng.standard_normal(12)
        library = [m + 3 * rng.standard_normal(20) for m in means]
        sd = np.std(means, ddof=1)
        answered = means.mean() + away * sd + 3 * rng.standard_normal(20)
        found.append(equivalence_p(answered, library, 0.75 * sd) <= 0.05)
    assert low <= np.mean(found) <= high


def test_few_presentations_do_not_make_answers_equivalent():
    """Just as far off as the margin: equivalent in 5 % of cases; by the normal law in 8 of 100."""
    rng, found = np.random.default_rng(5), []
    for _ in range(1500):
        library = [m + rng.standard_normal(3) for m in np.zeros(10)]
        found.append(equivalence_p(2.0 + rng.standard_normal(3), library, 2.0) <= 0.05)
    assert 0.03 <= np.mean(found) <= 0.07


def test_images_made_for_other_sites_tell_an_axis_from_contrast():
    """A site that any image of strong contrast drives answers to the images of others as well."""
    shown, sites = _shown(30), _sites(30)

    def answer(*, own):
        rng = np.random.default_rng(1)

        def level(site, name):
            kind, _, number = name.partition("_")
            made = kind == "synthesised"
            return 10 + 4 * (made and (number == str(site) or not own))

        return lambda images: pd.DataFrame(
            [
                {"site_id": f"s{s}", "image": name, "answered_hz": value}
                for s in range(30)
                for name in images
                for value in level(s, name) + rng.standard_normal(5)
            ]
        )

    axis = Answers.of(shown, answer(own=True), sites, PLAN).numbers
    contrast = Answers.of(shown, answer(own=False), sites, PLAN).numbers
    assert axis["share_synthesised_beyond_surely"] == 1
    assert contrast["share_synthesised_beyond_surely"] == 1
    assert axis["mean_rank_among_foreign"] == 1
    assert contrast["share_foreign_beyond"] > 0.95
    assert contrast["mean_rank_among_foreign"] == pytest.approx(0.5, abs=0.15)


def test_missing_answers_are_said(tmp_path):
    rng = np.random.default_rng(0)
    answer = _answer(rng, made=1, orthogonal=1)

    def partly(images):
        table = answer(images)
        return table[(table["site_id"] != "s3") | (table["image"] != "orthogonal_3")]

    with pytest.raises(InputError, match="image 'orthogonal_3' has no answer of site 's3'"):
        Answers.of(_shown(), partly, _sites(), PLAN)
    path = tmp_path / "answers.csv"
    with pytest.raises(InputError, match="one row per presentation with the columns site_id"):
        read_answers(path)
    path.write_text("site_id,image\ns0,a\n")
    with pytest.raises(InputError, match="no column 'answered_hz'"):
        read_answers(path)
    path.write_text("site_id,image,answered_hz\ns0,a,many\n")
    with pytest.raises(InputError, match="must be numbers"):
        read_answers(path)
    with pytest.raises(InputError, match=r"shown\.csv is missing or damaged"):
        Shown.read(tmp_path)
