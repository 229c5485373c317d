from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mua_decode.commands.main import main
from tests.analyses.trained import FAST, data_of, results, trained


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
    data = data_of(folder / f"held_out_{name}")
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
        (["curves.sites=[2]"], "curves.sites: expected shares"),
        (["held_out.sets=[[nothing]]"], "matches no condition"),
        (["held_out.sets=[nothing]"], "held_out.sets: expected lists of condition names"),
        (["held_out.combinations=9"], "fewer than the 4 there are"),
    ],
)
def test_mistakes_are_named_in_one_line(
    run: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["generalise", f"run_dir={run}", *arguments, *FAST])
    assert stop.value.code == 2
    assert message in capsys.readouterr().err.strip().splitlines()[-1]
