from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mua_decode.analyses.isolate.isolate import networks_of
from mua_decode.analyses.isolate.plan import IsolatePlan
from mua_decode.commands.main import main
from mua_decode.runs.config import compose
from mua_decode.runs.run import Run, open_to_retrain
from tests.analyses.trained import FAST, results, trained


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
    published = tests[tests["question"].str.startswith("same test as published, other quantity")]
    assert set(published["metric"]) == {"against_noise/identification", "against_noise/mse"}
    assert set(published["df"].dropna()) <= {8 + 5 - 2}
    assert set(published["group"]) == {"only V4", "only MT+IT"}
    tests = tests.drop(published.index)
    noise = tests["question"] == "is the input used at all?"
    assert (tests.loc[noise, "n"] == 5).all()
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


def test_the_decoder_given_is_not_trained_again(run: Path, tmp_path: Path) -> None:
    main([
        "isolate", f"run_dir={run}", f"out_dir={tmp_path}", "regions=[V4]", "noise_inputs=0",
        "permutations=0", "overrides=['task.optimizer.lr=0.001']", *FAST,
    ])  # fmt: skip
    assert trained(tmp_path) == ["only_V4"]
    table, _ = results(tmp_path)
    own = table[(table["mask"] == "none") & (table["metric"] == "mse")]
    before = pd.read_csv(run / "results.csv")
    before = before[(before["metric"] == "mse") & (before["condition"] == "all")]
    expected = before[before["run"] == "decoder"].set_index(["trial", "segment"])["value"]
    found = own[(own["run"] == "decoder") & (own["condition"] == "all")]
    found = found.set_index(["trial", "segment"])["value"]
    assert len(expected) > 2
    pd.testing.assert_series_equal(found.sort_index(), expected.sort_index(), rtol=1e-5)


@pytest.mark.parametrize(
    ("change", "reused"),
    [("model.width=3", True), ("trainer.max_epochs=2", True), ("seed=1", False),
     ("data.pseudo.per_condition=24", False)],
)  # fmt: skip
def test_other_trials_need_another_decoder(run: Path, change: str, reused: bool) -> None:
    source = open_to_retrain(compose("isolate", [f"run_dir={run}", f"overrides=['{change}']"]))
    assert source.checkpoint is None
    assert (source.given is not None) == reused
    if source.given is not None:
        assert source.given.checkpoint == run / "checkpoints" / "best.ckpt"


def test_equal_sites_change_the_sites_and_not_the_split(run: Path) -> None:
    source = Run.open(run)
    plan = IsolatePlan(
        regions=(), groups=(("MT", "V4"),), equal_sites=5, repeats=2,
        noise_inputs=0, permutations=0, correction="holm",
    )  # fmt: skip
    networks = networks_of(source, plan)
    assert [n.mask for n in networks] == [
        "only MT+V4, 5 sites, draw 0", "only MT+V4, 5 sites, draw 1"
    ]  # fmt: skip
    one, two = (source.changed(n.variant.overrides).data for n in networks)
    for data in (one, two):
        assert sorted(data.pool.sites.region) == ["MT"] * 3 + ["V4"] * 2
    assert set(one.pool.sites.site_id) != set(two.pool.sites.site_id)
    for session in source.recording.sessions:
        np.testing.assert_array_equal(
            one.split.trials["test"][session.name], two.split.trials["test"][session.name]
        )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["regions=[MTT]"], "did you mean 'MT'"),
        (["groups=[V4,MT]"], "groups: expected lists of regions such as [[V4,MT]], found"),
        (["equal_sites=0"], "equal_sites and repeats must be at least 1"),
    ],
)
def test_mistakes_are_named_in_one_line(
    run: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["isolate", f"run_dir={run}", *arguments, *FAST])
    assert stop.value.code == 2
    assert message in capsys.readouterr().err.strip().splitlines()[-1]
