from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from omegaconf import OmegaConf

from mua_decode.analyses.likelihood.command import read_options
from mua_decode.commands.main import main
from mua_decode.leaderboard.plan import LeaderboardPlan
from mua_decode.leaderboard.standings import COLUMNS
from mua_decode.runs.config import compose
from mua_decode.runs.plan import read_plan
from tests.tiny import TINY

CONF = Path(__file__).parents[2] / "conf"
TRAIN = [*(o for o in TINY if not o.startswith("model.")), "trainer.max_epochs=1"]
FAST = ["metric=[identification,mse]", "floor=[lookup]", "figures.draw=false"]


def written(folder: Path, **said: object) -> str:
    """Own dataset in a file, of a tiny recording."""
    own: dict[str, object] = {
        "train": TRAIN,
        "shown": [],
        "unseen": None,
        "methods": {},
        "likelihood": None,
    }
    path = folder / "mine.yaml"
    path.write_text(yaml.safe_dump(own | said))
    return f"dataset=[{path}]"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("leaderboard")
    dataset = written(
        folder,
        unseen=["data.split.unit=condition"],
        methods={"wide": ["model.hidden_sizes=[24,16]"]},
        likelihood=[
            "recording=simulated_small", "recording.stimulus.frame.resolution=0.5", "trials=4",
            "features.gabor_energy.grid=2", "window={width_s: 0.5, step_s: 0.5}",
            "map.videos=0", "candidates=[2]", "leave_out.folds=1", "inner_folds=2",
        ],
    )  # fmt: skip
    method = folder / "wide.yaml"
    method.write_text("overrides: [model=mlp_decoder, 'model.hidden_sizes=[16,16]']\n")
    main([
        "leaderboard", dataset, f"method=[mlp_decoder,{method}]", f"out={folder / 'out'}", *FAST
    ])  # fmt: skip
    return folder


def test_every_method_stands_beside_the_floors(made: Path) -> None:
    table = pd.read_csv(made / "out/leaderboard.csv")
    assert set(table.columns) == {*COLUMNS} - {"minus"}
    assert set(table["videos"]) == {"shown", "never_shown"}
    own = table[table["metric"] == "identification"].set_index(["videos", "method"])
    for videos in ("shown", "never_shown"):
        rows = own.loc[videos]
        assert list(rows.index) == ["mlp_decoder", "wide", "floor/lookup", "ceiling/condition_mean"]
        assert (rows["n_seeds"] == 3).all()
        assert set(rows["chance"]) == {1 / 8}
        assert rows["train_s"].notna().tolist() == [True, True, False, False]
    ends = own[["low", "high", "units_low", "units_high"]].to_numpy()
    assert np.nanmin(ends) >= 0
    assert np.nanmax(ends) <= 1
    stored = yaml.safe_load((made / "out/mine/shown_wide_seed_0/config.yaml").read_text())
    assert stored["model"]["hidden_sizes"] == [24, 16]  # the dataset's option, after the method's
    # A lookup decoder never names what it has not seen; that is said, and so is where guessing is.
    assert own.loc[("never_shown", "floor/lookup"), "value"] == 0
    held = table[table["metric"] == "among_held_out_identified"]
    assert set(held["videos"]) == {"never_shown"}
    assert (held["chance"] > 1 / 8).all()


def test_the_mean_is_that_of_the_seeds(made: Path) -> None:
    table = pd.read_csv(made / "out/leaderboard.csv")
    row = table[(table["method"] == "wide") & (table["metric"] == "mse")].set_index("videos")
    for videos in ("shown", "never_shown"):
        found = []
        for seed in (0, 1, 2):
            run = made / f"out/mine/{videos}_wide_seed_{seed}"
            numbers = json.loads((run / "metrics.json").read_text())
            found.append(numbers["test/single_trial/mse"])
            assert numbers["seed"] == seed
        assert row.loc[videos, "value"] == pytest.approx(np.mean(found), rel=1e-3)
        assert row.loc[videos, "low"] < row.loc[videos, "value"] < row.loc[videos, "high"]
    less = pd.read_csv(made / "out/differences.csv")
    less = less[(less["metric"] == "mse") & (less["videos"] == "shown")].set_index("method")
    value = table[(table["metric"] == "mse") & (table["videos"] == "shown")].set_index("method")
    for method in ("mlp_decoder", "wide"):
        expected = value.loc[method, "value"] - value.loc["floor/lookup", "value"]
        assert less.loc[method, "minus"] == "floor/lookup"
        assert less.loc[method, "value"] == pytest.approx(expected, rel=1e-3)


def test_the_way_through_a_model_of_each_site_is_a_method(made: Path) -> None:
    table = pd.read_csv(made / "out/leaderboard.csv")
    row = table[table["method"] == "through_encoder"].iloc[0]
    curve = pd.read_csv(made / "out/mine/likelihood/curve.csv")
    most = curve[(curve["method"] == "likelihood")].sort_values("candidates").iloc[-1]
    assert row["metric"] == f"identified_among_{most['candidates']}"
    assert row["value"] == pytest.approx(most["accuracy"], rel=1e-4)
    assert row["chance"] == pytest.approx(1 / most["candidates"], rel=1e-4)
    page = (made / "out/report.html").read_text()
    assert "through_encoder" in page
    assert "mua-decode leaderboard" in page


def test_nothing_is_trained_twice(made: Path) -> None:
    kept = {p: p.stat().st_mtime_ns for p in (made / "out").glob("**/*.ckpt")}
    before = (made / "out/leaderboard.csv").read_bytes()
    method = f"method=[mlp_decoder,{made / 'wide.yaml'}]"
    main(["leaderboard", f"dataset=[{made / 'mine.yaml'}]", method, f"out={made / 'out'}", *FAST])
    assert {p: p.stat().st_mtime_ns for p in (made / "out").glob("**/*.ckpt")} == kept
    assert len(kept) == 24
    assert (made / "out/leaderboard.csv").read_bytes() == before


def test_noise_is_at_chance_and_a_leak_is_said(tmp_path: Path) -> None:
    noise = ["recording=noise", *TRAIN[1:], "data.pseudo.per_condition=64"]
    (tmp_path / "pooled.yaml").write_text(
        yaml.safe_dump({
            "train": [*noise, "data.pseudo.fresh=false", "data.split.unit=pseudo_trial"],
            "shown": [], "unseen": None, "methods": {}, "likelihood": None,
        })
    )  # fmt: skip
    dataset = written(tmp_path, train=noise)[:-1] + f",{tmp_path / 'pooled.yaml'}]"
    out = tmp_path / "out"
    main(["leaderboard", dataset, "method=[mlp_decoder]", "n_seeds=1", f"out={out}", *FAST])
    table = pd.read_csv(out / "leaderboard.csv")
    table = table[table["metric"] == "identification"].set_index(["dataset", "method"])
    chance = 1 / 16
    for method in ("mlp_decoder", "floor/lookup"):
        score = table.loc[("mine", method), "value"]
        assert abs(score - chance) < 3 * math.sqrt(chance * (1 - chance) / 32)
    assert table.loc[("pooled", "floor/lookup"), "value"] > 4 * chance
    assert dict(zip(table.index.get_level_values(0), table["leaking"], strict=True)) == {
        "mine": False, "pooled": True,
    }  # fmt: skip
    flat = json.loads((out / "metrics.json").read_text())
    assert flat["leaking"] is True
    assert "scores are inflated" in (out / "report.html").read_text()


def test_what_cannot_be_asked_keeps_nothing_from_the_rest(tmp_path: Path) -> None:
    dataset = written(tmp_path, likelihood=["recording=simulated_small", "leave_out.share=0.9"])
    out = tmp_path / "out"
    with pytest.raises(SystemExit) as stop:
        main(["leaderboard", dataset, "method=[mlp_decoder]", "n_seeds=1", f"out={out}", *FAST])
    assert stop.value.code == 1
    flat = json.loads((out / "metrics.json").read_text())
    assert "leave_out.share must lie above 0" in flat["failed"]["mine/through_encoder"]
    assert "mlp_decoder" in pd.read_csv(out / "leaderboard.csv")["method"].tolist()


@pytest.mark.parametrize("name", sorted(p.stem for p in (CONF / "method").glob("*.yaml")))
@pytest.mark.parametrize("dataset", sorted(p.stem for p in (CONF / "dataset").glob("*.yaml")))
def test_what_ships_composes(dataset: str, name: str, tmp_path: Path) -> None:
    given = {
        "v1_movies": ["root"], "v1_film": ["path"], "v4_images": ["root", "session"],
    }.get(dataset, [])  # fmt: skip
    cfg = compose(
        "leaderboard",
        [f"dataset=[{dataset}]", f"method=[{name}]"]
        + [f"dataset.{dataset}.{key}={tmp_path}" for key in given],
    )
    plan = read_plan(LeaderboardPlan, cfg)
    method = plan.dataset[dataset].methods.get(name, ())
    for options in plan.questions(dataset).values():
        asked = compose("train", [*options, *plan.method[name].overrides, *method])
        assert not OmegaConf.missing_keys(asked)
    options = plan.dataset[dataset].likelihood
    if options is not None:
        read_options(compose("likelihood", [*options]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["dataset=[v1_movies]"], "dataset.v1_movies.root"),
        (["dataset=[v1_movie]"], "did you mean 'v1_movies'"),
        (["method=[mlp_decodr]"], "did you mean 'mlp_decoder'"),
        (["n_seeds=0"], "n_seeds: expected at least 1, found 0"),
    ],
)
def test_mistakes_are_named_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["leaderboard", f"out={tmp_path}", *options])
    assert stop.value.code == 2
    assert message in capsys.readouterr().err.strip().splitlines()[-1]


def test_a_method_changes_no_recording(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "other.yaml").write_text("overrides: [recording.seed=9]\n")
    with pytest.raises(SystemExit):
        main([
            "leaderboard", written(tmp_path), f"method=[mlp_decoder,{tmp_path / 'other.yaml'}]",
            f"out={tmp_path / 'out'}", *FAST,
        ])  # fmt: skip
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert "method.other: its options would change the recording itself" in line
