from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from mua_decode.commands.main import main
from mua_decode.runs.run import Run
from tests.analyses.trained import FAST, results, trained


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
    # Every model, floor and the ceiling in every colour channel, beside the metrics asked for.
    channels = table[table["metric"].str.match("(red|green|blue)_correlation")]
    overall = channels[(channels["condition"] == "all") & (channels["segment"] == "all")]
    assert (overall.groupby("run")["metric"].nunique() == 3).all()
    assert set(overall["run"]) == set(table["run"])
    ceiling = overall[overall["run"].str.startswith("ceiling")]
    assert (ceiling["value"] > 0.9).all()
    assert (folder / "figures" / "channels.png").is_file()
    mine, theirs = Run.open(folder / "mlp_decoder").cfg, Run.open(run).cfg
    for group in ("data", "loss", "task", "trainer", "seed"):
        assert mine[group] == theirs[group]
    before = (folder / "mlp_decoder" / "checkpoints" / "best.ckpt").stat().st_mtime_ns
    main(command)  # nothing is trained again
    assert (folder / "mlp_decoder" / "checkpoints" / "best.ckpt").stat().st_mtime_ns == before
    assert results(folder)[1] == metrics


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["models=[mlp_decodr]"], "did you mean 'mlp_decoder'"),
    ],
)
def test_mistakes_are_named_in_one_line(
    run: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["compare", f"run_dir={run}", *arguments, *FAST])
    assert stop.value.code == 2
    assert message in capsys.readouterr().err.strip().splitlines()[-1]
