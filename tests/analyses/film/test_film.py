from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from mua_decode.analyses.film.correlation import block_scores, over_time, pixel_correlations
from mua_decode.analyses.film.decoded import Decoded
from mua_decode.analyses.film.identify import identification_curve
from mua_decode.analyses.film.null import against_shifts, shifts_s
from mua_decode.commands.main import main
from mua_decode.data.blocks import Stretches
from mua_decode.types import InputError
from tests.analyses.trained import results

SMALL = [
    "experiment=continuous",
    "recording=simulated_film",
    "recording.film.sites=24",
    "recording.film.sessions=1",
    "recording.film.size=16",
    "recording.film.smooth_px=4",
    "recording.film.repeats=8",
    "recording.film.baseline_hz=30",
    "data.split.block_s=3",
    "data.lag_s=0.1",
    "model.width=2",
    "model.kernel_sizes=[3,3,3,3]",
    "model.spike_hidden=16",
    "metric=[identification,pixel_correlation]",
    "floor=[mean_video,ridge,lookup]",
    "trainer.max_epochs=1",
]
ASK = ["shifts=3", "trials_per_condition=1", "lags_s=[0.0,0.05,0.1,0.15,0.2]", "folds=4"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found: Path = tmp_path_factory.mktemp("film")
    for name, drive in (("driven", 0.6), ("silent", 0.0)):
        more = ["data.split.unit=block", f"recording.film.drive={drive}"]
        main(["train", *SMALL, *more, f"run_dir={found / name}"])
        main(["film", *ASK, "lengths_s=[0.5,1.0,2.0]", f"run_dir={found / name}", *SMALL[-3:-1]])
    return found


def ridge(folder: Path) -> tuple[dict, pd.DataFrame]:
    _, metrics = results(folder / "film")
    assert metrics["split_unit"] == "block"
    tests = pd.read_csv(folder / "film" / "tests.csv")
    own = tests["group"].str.startswith("floor/ridge, whole")
    return metrics, tests[own & tests["metric"].str.endswith("single trial")]


def test_blocks_never_seen_are_decoded_and_the_lag_is_found(folder: Path) -> None:
    metrics, tests = ridge(folder / "driven")
    assert metrics["best_lag_s"] == pytest.approx(0.1)
    assert metrics["floor/ridge/single_trial/time_correlation"] > 0.2
    assert metrics["floor/mean_video/single_trial/time_correlation"] < 0.1
    assert tests["p"].item() == pytest.approx(1 / 4)
    assert (tests["n"].item(), tests["n_unit"].item()) == (8, "blocks of time")
    assert tests["effect"].item() > 0.2
    for name in ("film.png", "film_decoder.gif", "film_ridge.gif"):
        assert (folder / "driven" / "film" / "figures" / name).stat().st_size > 1000
    lengths = pd.read_csv(folder / "driven" / "film" / "lengths.csv")
    own = lengths[(lengths["run"] == "floor/ridge") & (lengths["trial"] == "single_trial")]
    assert (own["value"] - own["chance"]).iloc[-1] > 0.1
    assert set(lengths.loc[lengths["length_s"] == 0.5, "run"]) == {
        "floor/mean_video", "floor/ridge", "floor/lookup"
    }  # fmt: skip


def test_sites_that_know_nothing_decode_at_zero(folder: Path) -> None:
    metrics, tests = ridge(folder / "silent")
    assert abs(metrics["floor/ridge/single_trial/time_correlation"]) < 0.06
    assert abs(tests["effect"].item()) < 0.1


def test_lags_do_not_look_into_blocks_held_out(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["film", f"run_dir={folder / 'driven'}", "lags_s=[0.5]"])
    assert "does not reach into test blocks" in capsys.readouterr().err


def test_a_run_on_whole_videos_is_refused(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["film", f"run_dir={run}"])
    assert "cut into stretches" in capsys.readouterr().err


def made(noise: float, *, stretches: int = 6, trials: int = 4) -> Decoded:
    generator = torch.Generator().manual_seed(0)
    true = torch.rand(stretches, 1, 5, 3, 3, generator=generator)
    shape = (trials, *true.shape)
    decoded = true + noise * torch.randn(shape, generator=generator)
    return Decoded(np.arange(stretches), true, decoded)


def test_correlation_over_time_is_that_of_every_pixel() -> None:
    part = made(0.5)
    r = pixel_correlations(over_time(part.true), over_time(part.trials))
    true, decoded = over_time(part.true).numpy(), over_time(part.trials).numpy()
    assert r.shape == (4, 9)
    assert float(r[2, 7]) == pytest.approx(np.corrcoef(true[:, 7], decoded[2, :, 7])[0, 1])
    still = torch.ones(30, 9)
    assert pixel_correlations(over_time(part.true), still).eq(0).all()
    assert pixel_correlations(still, over_time(part.true)).isnan().all()


def test_blocks_are_scored_apart() -> None:
    table = block_scores({"a": made(0.0)}, np.array([0, 0, 0, 1, 1, 1]))
    assert table["block"].tolist() == [0] * 3 + [1] * 3
    np.testing.assert_allclose(table["value"], 1.0)


def test_longer_stretches_are_joined_within_a_film_alone() -> None:
    start = np.array([0.0, 0.5, 1.0, 4.0, 4.5, 5.0])
    films = Stretches(np.zeros(6, int), start, start + 0.5)
    found = {"exact": made(0.0), "noisy": made(5.0, trials=60)}
    curve = identification_curve(found, films, [0.5, 1.0, 1.5, 3.0], bin_s=0.1)
    single = curve[curve["trial"] == "single_trial"].set_index(["run", "length_s"])
    assert single.loc["exact", "candidates"].tolist() == [6, 2, 2]
    assert single.loc["exact", "value"].tolist() == [1.0, 1.0, 1.0]
    noisy = single.loc[("noisy", 0.5)]
    assert 1 / 6 < noisy["value"] < 0.9
    with pytest.raises(InputError, match="no whole number"):
        identification_curve(found, films, [0.55], bin_s=0.1)


def test_shifts_keep_off_zero_and_p_is_the_rank() -> None:
    np.testing.assert_allclose(shifts_s(3, duration_s=10.0, least_s=1.0), [1.0, 5.0, 9.0])
    with pytest.raises(InputError, match="too short"):
        shifts_s(3, duration_s=2.0, least_s=1.0)
    about = {"run": "r", "trial": "single_trial", "metric": "time_correlation"}
    observed = pd.DataFrame([{**about, "block": b, "value": 0.5} for b in (0, 1)])
    null = [
        {**about, "block": b, "value": v, "shift_s": s}
        for s, v in enumerate((0.0, 0.1, 0.6, -0.2))
        for b in (0, 1)
    ]
    frame = against_shifts(observed, pd.DataFrame(null), {0: "a", 1: "b"}).frame
    assert frame["p"].tolist() == [0.4, 0.4, 0.4]
    assert frame["n"].tolist() == [2, 1, 1]
    assert frame["correction"].tolist()[1].startswith("Holm")
