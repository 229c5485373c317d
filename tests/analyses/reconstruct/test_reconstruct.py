from pathlib import Path

import numpy as np
import pandas as pd

from mua_decode.analyses.reconstruct.reconstruct import reconstruct
from mua_decode.commands.main import main
from mua_decode.metrics import Colour, CueShape
from mua_decode.runs.run import Run
from tests.tiny import TINY


def test_films_and_measures_of_every_condition(tmp_path: Path) -> None:
    main(["train", *TINY, "trainer.max_epochs=1", "metric=[mse]", f"run_dir={tmp_path / 'run'}"])
    run = Run.open(tmp_path / "run")
    metrics = [CueShape(), Colour(points="quartiles")]
    reconstruct(run, tmp_path, trials_per_condition=2, metrics=metrics)
    films = np.load(tmp_path / "films.npz")
    shape = run.data.mean_videos(None).shape
    for name in ("average", "single", "shown", "true"):
        assert films[name].shape == shape
        assert films[name].dtype == np.uint8
    assert films["condition"].tolist() == list(range(shape[0]))
    measures = pd.read_csv(tmp_path / "measures.csv")
    assert (measures.groupby("videos").size() == shape[0]).all()
    assert {"decoded, one trial", "decoded, trial average", "floor/lookup, one trial"} <= set(
        measures["videos"]
    )
    known = measures[measures["videos"] == "ceiling/condition_mean, one trial"]
    assert (known["colour_error"] < measures["colour_error"].max()).all()
