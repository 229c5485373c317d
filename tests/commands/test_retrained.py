from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from omegaconf import OmegaConf

from mua_decode.analyses.crossval.command import crossval
from mua_decode.analyses.isolate.command import _variants
from mua_decode.commands.main import main
from mua_decode.runs.build import build_data, build_recording
from mua_decode.runs.folder import RunFolder
from mua_decode.runs.variants import changed_config
from mua_decode.types import COLUMNS, InputError
from tests.tiny import TINY

FAST = ["metric=[identification,mse]", "floor=[lookup]"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("retrained") / "run"
    main(["train", *TINY, *FAST, "trainer.max_epochs=1", f"run_dir={folder}"])
    return folder


def results(folder: Path) -> tuple[pd.DataFrame, dict]:
    table = pd.read_csv(folder / "results.csv", keep_default_na=False, na_values={"value": [""]})
    assert tuple(table.columns) == COLUMNS
    return table, json.loads((folder / "metrics.json").read_text())


def trained(folder: Path) -> list[str]:
    return sorted(p.parent.parent.name for p in folder.glob("*/checkpoints/best.ckpt"))


def test_crossval_tests_every_trial_once(run: Path) -> None:
    main(["crossval", f"run_dir={run}", "n_folds=2", *FAST])
    table, metrics = results(run / "crossval")
    assert trained(run / "crossval") == ["fold_0", "fold_1"]
    rows = table[(table["condition"] == "all") & (table["metric"] == "mse")]
    rows = rows[(rows["run"] == "decoder") & (rows["trial"] == "single_trial")]
    rows = rows[rows["segment"] == "all"].set_index("split")["value"]
    single = rows[["test, fold_0", "test, fold_1"]].to_numpy()
    assert metrics["decoder/single_trial/mse/mean"] == pytest.approx(single.mean(), rel=1e-5)
    assert metrics["decoder/single_trial/mse/sd"] == pytest.approx(single.std(ddof=1), rel=1e-3)
    assert metrics["floor/lookup/single_trial/identification/mean"] > 0.7
    assert metrics["split_unit"] == "recorded_trial"
    summary = pd.read_csv(run / "crossval" / "summary.csv")
    assert set(summary["folds"]) == {2}
    assert (run / "crossval" / "figures" / "folds.png").is_file()

    cfg = RunFolder(run).load_config()
    recording = build_recording(cfg)
    tests = []
    for fold in range(2):
        folder = RunFolder(run / "crossval" / f"fold_{fold}")
        tests.append(build_data(folder.load_config(), recording).split.trials["test"])
    for session in recording.sessions:
        joined = np.concatenate([t[session.name] for t in tests])
        np.testing.assert_array_equal(np.sort(joined), np.arange(session.n_trials))


def test_crossval_refuses_splits_without_folds(run: Path, tmp_path: Path) -> None:
    cfg = RunFolder(run).load_config()
    recording = build_recording(cfg)
    with pytest.raises(InputError, match="use generalise"):
        crossval(
            cfg, tmp_path, recording=recording,
            overrides=["data.split.unit=condition", "data.split.held_out=['cross*']"],
        )  # fmt: skip
    with pytest.raises(InputError, match="n_folds: expected at least 2"):
        crossval(cfg, tmp_path, recording=recording, n_folds=1)


def test_repeat_draws_split_population_and_weights_anew(run: Path) -> None:
    main(["repeat", f"run_dir={run}", "n_seeds=2", *FAST])
    folder = run / "repeat"
    table, metrics = results(folder)
    assert trained(folder) == ["seed_1"]
    own = json.loads((run / "metrics.json").read_text())["test/single_trial/mse"]
    other = json.loads((folder / "seed_1" / "metrics.json").read_text())["test/single_trial/mse"]
    assert other != own
    rows = table[(table["condition"] == "all") & (table["metric"] == "mse")]
    rows = rows[(rows["run"] == "decoder") & (rows["trial"] == "single_trial")]
    by_seed = rows[rows["segment"] == "all"].set_index("split")["value"]
    assert by_seed["test, seed_0"] == pytest.approx(own, rel=1e-4)
    assert by_seed["test, seed_1"] == pytest.approx(other, rel=1e-4)
    intervals = pd.read_csv(folder / "intervals.csv", keep_default_na=False)
    row = intervals[(intervals["metric"] == "mse") & (intervals["trial"] == "single_trial")]
    row = row[(row["run"] == "decoder") & (row["segment"] == "all")].set_index("minus")
    assert list(row.index) == ["", "floor/lookup"]
    assert float(row.loc["", "low"]) < float(row.loc["", "mean"]) < float(row.loc["", "high"])
    assert metrics["decoder/single_trial/mse/mean"] == pytest.approx(float(row.loc["", "mean"]))
    assert "decoder_minus_floor/lookup/single_trial/mse/low_seeds" in metrics
    assert (folder / "figures" / "seeds.png").is_file()
    one, two = (
        build_data(RunFolder(f).load_config(), build_recording(RunFolder(f).load_config()))
        for f in (run, folder / "seed_1")
    )
    session = next(iter(one.split.trials["test"]))
    assert set(one.split.trials["test"][session]) != set(two.split.trials["test"][session])


def test_directions_that_no_video_has_count_as_guesses_over_folds_and_seeds(run: Path) -> None:
    """One epoch decodes no motion: left out, nothing would be said of the decoder at all."""
    motion = ["metric=[motion]", "floor=[lookup]"]
    for command, table in (("repeat", "intervals"), ("crossval", "summary")):
        folder = run / f"{command}_motion"
        count = "n_seeds=2" if command == "repeat" else "n_folds=2"
        main([command, f"run_dir={run}", count, *motion, f"out_dir={folder}"])
        frame = pd.read_csv(folder / f"{table}.csv", keep_default_na=False)
        own = frame[(frame["run"] == "decoder") & (frame["metric"] == "direction_error")]
        assert set(own["trial"]) == {"single_trial", "trial_average"}
        assert own["mean"].astype(float).between(0, 180).all()


def test_compare_trains_baselines_on_the_same_split(run: Path) -> None:
    command = ["compare", f"run_dir={run}", "models=[mlp_decoder]", *FAST]
    main(command)
    folder = run / "compare"
    table, metrics = results(folder)
    assert trained(folder) == ["mlp_decoder"]
    assert set(table["run"]) == {
        "decoder", "mlp_decoder", "floor/lookup", "ceiling/condition_mean"
    }  # fmt: skip
    own = json.loads((run / "metrics.json").read_text())
    expected = pytest.approx(own["test/single_trial/mse"], rel=1e-4)
    assert metrics["decoder/single_trial/mse"] == expected
    tests = pd.read_csv(folder / "tests.csv")
    row = tests[(tests["group"] == "mlp_decoder") & (tests["metric"] == "single_trial/mse")].iloc[0]
    assert row["n"] == 8
    assert row["n_unit"] == "conditions"
    assert set(tests["group"]) == {"mlp_decoder", "floor/lookup"}
    assert row["correction"] == "Holm over 2"
    assert row["effect"] == pytest.approx(
        metrics["decoder/single_trial/mse"] - metrics["mlp_decoder/single_trial/mse"], rel=1e-3
    )
    mine = RunFolder(folder / "mlp_decoder").load_config()
    theirs = RunFolder(run).load_config()
    for group in ("data", "loss", "task", "trainer", "seed"):
        assert mine[group] == theirs[group]
    before = (folder / "mlp_decoder" / "checkpoints" / "best.ckpt").stat().st_mtime_ns
    main(command)  # nothing is trained again
    assert (folder / "mlp_decoder" / "checkpoints" / "best.ckpt").stat().st_mtime_ns == before
    assert results(folder)[1] == metrics


def test_isolate_trains_on_the_region_alone(run: Path) -> None:
    main(["isolate", f"run_dir={run}", "regions=[V4]", "groups=[[MT,IT]]", "noise_inputs=5", *FAST])
    table, metrics = results(run / "isolate")
    assert trained(run / "isolate") == ["only_MT+IT", "only_V4"]
    assert set(table["mask"]) == {"none", "only V4", "only MT+IT"}
    sizes = {
        name: json.loads((run / "isolate" / name / "metrics.json").read_text())["n_sites"]
        for name in ("only_V4", "only_MT+IT")
    }
    assert sizes == {"only_V4": 6, "only_MT+IT": 8}
    chance = table[(table["run"] == "chance/noise") & (table["mask"] == "only V4")]
    assert set(chance["metric"]) == {"identification", "mse"}
    tests = pd.read_csv(run / "isolate" / "tests.csv")
    noise = tests["question"] == "as published: is the input used at all?"
    assert (tests.loc[noise, "n"] == 9999).all()
    assert tests.loc[noise, "note"].str.startswith("5 noise inputs, reused").all()
    permuted = tests[~noise]
    assert set(permuted["metric"]) == {"trial_average/identification", "trial_average/mse"}
    assert (permuted["n"] == 8).all()
    with_p = tests[tests["p"].notna()]
    assert set(with_p.loc[with_p["metric"].str.endswith("mse"), "correction"]) == {"Holm over 2"}
    assert tests["p"].isna().any()
    assert tests.loc[tests["p"].isna(), "note"].str.contains("every score is the same").all()
    score = table[(table["run"] == "decoder") & (table["condition"] == "all")]
    score = score[(score["trial"] == "trial_average") & (score["segment"] == "all")]
    score = score.set_index(["mask", "metric"])["value"]
    for row in permuted.to_dict("records"):
        expected = score[row["group"], row["metric"].removeprefix("trial_average/")]
        assert row["statistic"] == pytest.approx(expected, rel=1e-3)
    assert metrics["V4/floor/lookup/single_trial/identification"] > 0.4


def test_equal_sites_change_the_sites_and_not_the_split(run: Path) -> None:
    cfg = RunFolder(run).load_config()
    recording = build_recording(cfg)
    variants = _variants(("MT", "V4"), 5, 2)
    assert list(variants) == ["only MT+V4, 5 sites, draw 0", "only MT+V4, 5 sites, draw 1"]
    one, two = (build_data(changed_config(cfg, v.overrides), recording) for v in variants.values())
    for data in (one, two):
        assert sorted(data.pool.sites.region) == ["MT"] * 3 + ["V4"] * 2
    assert set(one.pool.sites.site_id) != set(two.pool.sites.site_id)
    for session in recording.sessions:
        np.testing.assert_array_equal(
            one.split.trials["test"][session.name], two.split.trials["test"][session.name]
        )


def test_generalise_never_trains_on_what_it_holds_out(run: Path) -> None:
    options = [
        "held_out.combinations=1", "held_out.pairs=0",
        "curves.sites=[0.5]", "curves.train_trials=[4]", "curves.sessions=[1]",
    ]  # fmt: skip
    main(["generalise", f"run_dir={run}", *options, *FAST])
    folder = run / "generalise"
    table, metrics = results(folder)
    (name,) = (n.removeprefix("held_out_") for n in trained(folder) if n.startswith("held_out"))
    held_out = table[table["split"] == f"test, held out {name}"]
    named = set(held_out["condition"]) - {"all"}
    colour, direction = name.split("_")
    assert named == {f"{cue} {colour} {direction}" for cue in ("cross", "circle")}
    # Lookup can only return what it was trained on, so it is never right and may be half right.
    start = f"held_out/{name}/floor/lookup/single_trial"
    assert metrics[f"{start}/identification"] == 0
    assert metrics[f"{start}/cue_identified"] > 0.8
    both = [metrics[f"{start}/{part}_identified"] for part in ("colour", "direction")]
    assert sum(both) == pytest.approx(1)
    assert f"{start}/among_held_out_identified" in metrics
    cfg = OmegaConf.load(folder / f"held_out_{name}" / "config.yaml")
    data = build_data(cfg, build_recording(cfg))
    names = np.array(data.stimuli.names)
    for part in ("train", "val"):
        assert not named & set(names[data.dataset(part).pseudo.condition])
    assert named == set(names[data.dataset("test").pseudo.condition])

    curves = pd.read_csv(folder / "curves.csv")
    points = {axis: sorted(set(part["x"])) for axis, part in curves.groupby("axis")}
    assert points == {
        "sites": [14, 28],
        "training trials per condition and session": [4, 14],
        "sessions": [1, 2],
    }
    assert {"14 sites, draw 0", "4 training trials", "1 sessions, draw 0"} < set(table["mask"])
    for figure in ("held_out", "learning_curves"):
        assert (folder / "figures" / f"{figure}.png").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["crossval"], "run_dir is not set"),
        (["compare", "models=[mlp_decodr]"], "did you mean 'mlp_decoder'"),
        (["isolate", "regions=[MTT]"], "did you mean 'MT'"),
        (["isolate", "groups=[V4,MT]"], "groups: expected lists of regions"),
        (["isolate", "equal_sites=0"], "equal_sites and repeats must be at least 1"),
        (["generalise", "curves.sites=[2]"], "curves.sites: expected shares"),
        (["generalise", "held_out.sets=[[nothing]]"], "matches no condition"),
        (["generalise", "held_out.combinations=9"], "fewer than the 4 there are"),
        (["repeat", "n_seeds=1"], "n_seeds: expected at least 2, found 1"),
        (["crossval", "device=gpu9"], "device=gpu9: choose from auto, cpu, cuda"),
        (["crossval", "overrides=['trainr.max_epochs=1']"], "did you mean 'trainer'"),
    ],
)
def test_mistakes_are_named_in_one_line(
    run: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    where = [] if arguments == ["crossval"] else [f"run_dir={run}"]
    with pytest.raises(SystemExit) as stop:
        main([*arguments, *where, *FAST])
    assert stop.value.code == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert message in last
