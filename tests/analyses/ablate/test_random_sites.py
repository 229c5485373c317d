from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mua_decode.analyses.ablate.fill import mean_time_course, replacement
from mua_decode.commands.main import main
from mua_decode.data import DecodingData
from tests.stored_run import write_run

OPTIONS = [
    "data.pseudo.draw=random_sites",
    "data.sites_per_region=2",
    "data.pseudo.per_condition=8",
    "model.output_skip=true",  # so that weights nobody trained show their input
]


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, DecodingData]:
    folder = tmp_path_factory.mktemp("random") / "run"
    return folder, write_run(folder, *OPTIONS)[1]


def test_a_mask_takes_the_places_of_its_region(stored: tuple[Path, DecodingData]) -> None:
    folder, data = stored
    options = [
        "metric=[mse,identification]",
        "trials_per_condition=1",
        "equal.repeats=0",
        "donors=1",
        "segments=false",
    ]
    main(["ablate", f"run_dir={folder}", *options, "fills=[shuffle,zero,mean]", "subsets=false"])
    means = pd.read_csv(folder / "ablation" / "means.csv")
    rows = means[(means["family"] == "region") & (means["trial"] == "single_trial")]
    assert set(rows["removed"]) == set(data.sites.regions) == set(data.pool.sites.regions)
    assert set(rows["fill"]) == {"shuffle", "zero", "mean"}
    assert rows["loss"].notna().all()
    assert rows.loc[rows["metric"] == "mse", "loss"].abs().max() > 0


def test_fills_stand_where_the_places_of_a_region_are(stored: tuple[Path, DecodingData]) -> None:
    data = stored[1]
    assert data.n_sites == 12 < len(data.pool.sites)
    mean = mean_time_course(data)
    assert mean.shape == (data.n_bins, 12)
    np.testing.assert_array_equal(mean[:, 0], mean[:, 1])  # two places of one region
    assert not np.allclose(mean[:, 0], mean[:, 2])
    rows = np.arange(len(data.dataset("test")))
    filled = replacement(data, "test", rows, fill="shuffle", seed=0).numpy()
    spikes = data.standardise.trials(data.dataset("test").pseudo, rows)
    for place in (0, 11):  # what is shown was recorded in that region, in another trial
        own = [s.tobytes() for s in np.ascontiguousarray(spikes[:, :, place])]
        shown = [s.tobytes() for s in np.ascontiguousarray(filled[:, :, place])]
        assert set(shown) <= set(own)
        assert all(a != b for a, b in zip(own, shown, strict=True))
