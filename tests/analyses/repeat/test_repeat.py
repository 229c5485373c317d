from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from mua_decode.commands.main import main
from tests.analyses.trained import FAST, data_of, results, trained
from tests.counted import uncounted


def test_repeat_draws_split_population_and_weights_anew(run: Path) -> None:
    main(["repeat", f"run_dir={run}", "n_seeds=2", *FAST])
    folder = run / "repeat"
    table, metrics = results(folder)
    assert uncounted(folder) == []
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
    mean = float(row.loc["", "mean"])
    assert float(row.loc["", "low_seeds"]) < mean < float(row.loc["", "high_seeds"])
    assert row.loc["", "low"] == row.loc["", "units_high"] == ""
    assert row.loc["", "note"] == "two of the seeds of a crossed design, no interval over seeds"
    six_digits = pytest.approx(float(row.loc["", "mean"]), rel=1e-5)
    assert metrics["decoder/single_trial/mse/mean"] == six_digits
    assert "decoder_minus_floor/lookup/single_trial/mse/low_seeds" in metrics
    assert (folder / "figures" / "seeds.png").is_file()
    mixed = pd.read_csv(folder / "mixed.csv", keep_default_na=False)
    assert set(mixed["group"]) == {"floor/lookup"}
    assert set(mixed["n_unit"]) == {"seeds × conditions × cues × colours × directions"}
    one, two = data_of(run), data_of(folder / "seed_1")
    session = next(iter(one.split.trials["test"]))
    assert set(one.split.trials["test"][session]) != set(two.split.trials["test"][session])


def test_directions_that_no_video_has_count_as_guesses(run: Path) -> None:
    """One epoch decodes no motion: left out, nothing would be said of the decoder at all."""
    folder = run / "repeat_motion"
    main(
        [
            "repeat",
            f"run_dir={run}",
            "n_seeds=2",
            "metric=[motion]",
            "floor=[lookup]",
            f"out_dir={folder}",
        ]
    )
    frame = pd.read_csv(folder / "intervals.csv", keep_default_na=False)
    own = frame[(frame["run"] == "decoder") & (frame["metric"] == "direction_error")]
    assert set(own["trial"]) == {"single_trial", "trial_average"}
    assert own["mean"].astype(float).between(0, 180).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["n_seeds=1"], "n_seeds: expected at least 2, found 1"),
    ],
)
def test_mistakes_are_named_in_one_line(
    run: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["repeat", f"run_dir={run}", *arguments, *FAST])
    assert stop.value.code == 2
    assert message in capsys.readouterr().err.strip().splitlines()[-1]
