from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mua_decode.commands.main import main
from mua_decode.runs.run import Run
from tests.analyses.trained import FAST, data_of, results, trained

CHANGES = ["data.split.unit=condition", "data.split.held_out=['cross*']"]
HELD_OUT = ["overrides=" + json.dumps(CHANGES)]


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

    tests = [data_of(run / "crossval" / f"fold_{f}").split.trials["test"] for f in range(2)]
    for session in Run.open(run).recording.sessions:
        joined = np.concatenate([t[session.name] for t in tests])
        np.testing.assert_array_equal(np.sort(joined), np.arange(session.n_trials))


def test_a_fold_that_fails_is_named_and_ends_with_one(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "fold_1").write_text("in the way")
    with pytest.raises(SystemExit, match="1"):
        main(["crossval", f"run_dir={run}", "n_folds=2", f"out_dir={tmp_path}", *FAST])
    said = capsys.readouterr().err
    assert "fold fold_1 failed: " in said
    assert said.strip().endswith("not all of it finished (see above); the rest is written")
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert (metrics["n_folds_trained"], list(metrics["failed"])) == (1, ["fold_1"])


def test_folds_of_conditions_test_every_condition_once(run: Path) -> None:
    folder = run / "crossval_conditions"
    out = [f"out_dir={folder}", "metric=[mse,identification]", "floor=[mean_video,lookup]"]
    main(["crossval", f"run_dir={run}", *HELD_OUT, "n_folds=2", *out])
    table, metrics = results(folder)
    assert metrics["split_unit"] == "condition"
    data = [data_of(folder / f"fold_{f}") for f in range(2)]
    tested = [d.conditions("test").tolist() for d in data]
    assert sorted(tested[0] + tested[1]) == list(range(data[0].stimuli.n_conditions))
    for d in data:
        parts = [set(d.conditions(p)) for p in ("train", "val", "test")]
        assert parts[1]
        assert not parts[0] & parts[1] | parts[0] & parts[2] | parts[1] & parts[2]
    assert {"floor/lookup", "floor/mean_video"} <= set(table["run"])
    # What only knows trained conditions never names a held-out one: the negative control.
    assert metrics["floor/lookup/single_trial/identification/mean"] < 0.3
    assert "decoder/single_trial/among_held_out_identified/mean" in metrics


def test_directions_that_no_video_has_count_as_guesses(run: Path) -> None:
    """One epoch decodes no motion: left out, nothing would be said of the decoder at all."""
    folder = run / "crossval_motion"
    main(
        [
            "crossval",
            f"run_dir={run}",
            "n_folds=2",
            "metric=[motion]",
            "floor=[lookup]",
            f"out_dir={folder}",
        ]
    )
    frame = pd.read_csv(folder / "summary.csv", keep_default_na=False)
    own = frame[(frame["run"] == "decoder") & (frame["metric"] == "direction_error")]
    assert set(own["trial"]) == {"single_trial", "trial_average"}
    assert own["mean"].astype(float).between(0, 180).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([*HELD_OUT, "n_folds=99"], "conditions are fewer than n_folds=99"),
        (["n_folds=1"], "n_folds: expected at least 2, found 1"),
        (["device=gpu9"], "device=gpu9: choose from auto, cpu, cuda"),
        (["overrides=['trainr.max_epochs=1']"], "did you mean 'trainer'"),
    ],
)
def test_mistakes_are_named_in_one_line(
    run: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["crossval", f"run_dir={run}", *arguments, *FAST])
    assert stop.value.code == 2
    assert message in capsys.readouterr().err.strip().splitlines()[-1]


def test_a_run_must_be_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["crossval", *FAST])
    assert "run_dir is not set" in capsys.readouterr().err
