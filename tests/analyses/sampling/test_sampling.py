from __future__ import annotations

import json
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pandas as pd
import pytest

from mua_decode.analyses.sampling.plan import SamplingPlan
from mua_decode.analyses.sampling.sampling import sampling
from mua_decode.runs.run import Run
from mua_decode.types import InputError
from tests.analyses.trained import trained

FEW = ("data.pseudo.per_condition=15", "floor=[lookup]")


@pytest.fixture(scope="module")
def folder(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("sampling")
    plan = SamplingPlan(steps_s=(0.1, 0.06, 0.05), overrides=FEW)
    sampling(Run.open(run, checkpoint=None), plan, out).publish(out)
    return out


def test_every_possible_rate_has_scores_and_a_film(folder: Path) -> None:
    assert trained(folder) == ["step_100ms", "step_60ms"]
    rates = pd.read_csv(folder / "rates.csv")
    known = rates[rates["run"].notna()]
    shape = known.drop_duplicates("step_ms").set_index("step_ms")
    assert shape["n_bins"].to_dict() == {100.0: 45, 60.0: 74}
    assert shape["rate_hz"].round(3).to_dict() == {100.0: 10, 60.0: 16.667}
    metrics = {"identification", "pixel_correlation", "ssim", "mse"}
    for _, part in known.groupby(["step_ms", "run", "trial"]):
        assert set(part["metric"]) == metrics
    # Tuned sites tell the condition at every rate: lookup knows it, guessing gives 1/8.
    lookup = known[(known["run"] == "floor/lookup") & (known["metric"] == "identification")]
    assert len(lookup) == 4
    assert lookup["value"].min() > 0.4
    for step, bins in (("100", 45), ("60", 74)):
        film = iio.imread(folder / "figures" / f"film_{step}ms.gif", index=None)
        assert 1 < len(film) <= bins  # equal neighbours are joined
        seconds = sum(
            iio.immeta(folder / "figures" / f"film_{step}ms.gif", index=i)["duration"]
            for i in range(len(film))
        ) / 1000  # fmt: skip
        assert seconds == pytest.approx(bins * float(step) / 1000, abs=0.01)
    assert not np.isnan(known["value"]).any()


def test_a_step_that_the_recorded_bins_forbid_says_so(folder: Path) -> None:
    rates = pd.read_csv(folder / "rates.csv")
    lost = rates[rates["run"].isna()]
    assert lost["step_ms"].tolist() == [50]
    assert "not a whole number of recorded bins (0.02 s)" in lost["note"].iloc[0]
    assert set(json.loads((folder / "metrics.json").read_text())["failed"]) == {"step_50ms"}
    assert not (folder / "figures" / "film_50ms.gif").exists()


def test_recorded_counts_have_one_rate(run: Path, tmp_path: Path) -> None:
    source = Run.open(run, checkpoint=None)
    source.cfg.data.window = None
    with pytest.raises(InputError, match=r"data\.window=null"):
        sampling(source, SamplingPlan(steps_s=(0.1,), overrides=()), tmp_path)
    for steps in ((), (0.1, 0.1), (0.0,)):
        with pytest.raises(InputError, match="sampling"):
            SamplingPlan(steps_s=steps, overrides=())
