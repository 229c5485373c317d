from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import pytorch_lightning as pl
import torch

from mua_decode.analyses.film.correlation import block_scores, over_time, pixel_correlations
from mua_decode.analyses.film.decoded import Decoded
from mua_decode.analyses.film.identify import identification_curve
from mua_decode.analyses.film.lag import BlockRidge, LagSearch, _summed
from mua_decode.analyses.film.means import block_means, means_table
from mua_decode.analyses.film.null import against_floors, against_shifts, shifts_s, unpaired
from mua_decode.analyses.film.plan import FilmPlan
from mua_decode.analyses.film.scores import BlockScorer
from mua_decode.commands.main import main
from mua_decode.data.blocks import Stretches
from mua_decode.models.ridge import RidgeDecoder
from mua_decode.runs.config import compose, load_option
from mua_decode.runs.folder import RunFolder
from mua_decode.runs.plan import read_plan
from mua_decode.runs.run import Run
from mua_decode.runs.train import Training, train_and_score
from mua_decode.types import InputError
from tests.analyses.trained import results

SMALL = [
    "experiment=continuous",
    "recording=simulated_film",
    "recording.film.duration_s=18",
    "recording.film.sites=24",
    "recording.film.sessions=1",
    "recording.film.size=16",
    "recording.film.smooth_px=4",
    "recording.film.repeats=6",
    "recording.film.baseline_hz=30",
    "data.split.block_s=3",
    "data.split.unit=block",
    "model.width=2",
    "model.kernel_sizes=[3,3,3,3]",
    "model.spike_hidden=8",
    "metric=[identification]",
    "floor=[mean_video,ridge]",
    "trainer.max_epochs=1",
]
ASK = [
    "trials_per_condition=1", "lags_s=[0.05,0.1,0.15]", "folds=3", "film_s=1", *SMALL[-3:-1]
]  # fmt: skip


def trained(folder: Path, *more: str) -> Path:
    cfg = compose("train", [*SMALL, *more, f"run_dir={folder}"])
    run = Run(RunFolder.create(str(folder), "film"), cfg)
    train_and_score(run, Training(watch=pl.Callback(), draw=False))
    return folder


@pytest.fixture(scope="module")
def driven(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # Trained at a lag that is not the sites'.
    folder = trained(tmp_path_factory.mktemp("film") / "driven", "data.lag_s=0.05")
    main(["film", *ASK, "lengths_s=[0.5,1.0]", "shifts=3", "lag=best", f"run_dir={folder}"])
    return folder


@pytest.fixture(scope="module")
def silent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = trained(tmp_path_factory.mktemp("film") / "silent", "recording.film.drive=0")
    main(["film", *ASK, "lengths_s=[1.0]", "shifts=1", "network=folds", f"run_dir={folder}"])
    return folder


def ridge(folder: Path) -> tuple[dict, pd.DataFrame]:
    _, metrics = results(folder / "film")
    assert metrics["split_unit"] == "block"
    tests = pd.read_csv(folder / "film" / "tests.csv")
    own = tests["group"].str.startswith("floor/ridge, whole")
    return metrics, tests[own & tests["metric"].str.endswith("single trial")]


def means(folder: Path, run: str) -> pd.Series:
    table = pd.read_csv(folder / "film" / "means.csv")
    chosen = (table["run"] == run) & (table["trial"] == "single_trial")
    return table[chosen & (table["metric"] == "time_correlation")].iloc[0]


def test_blocks_never_seen_are_decoded_at_the_lag_that_training_blocks_choose(driven: Path) -> None:
    metrics, tests = ridge(driven)
    assert metrics["best_lag_s"] == pytest.approx(0.1)
    assert metrics["lag_s"] == pytest.approx(0.1)
    assert (driven / "film" / "lag_0.1" / "checkpoints" / "best.ckpt").is_file()
    own = means(driven, "floor/ridge")
    assert (own["n"], own["n_unit"]) == (6, "blocks of time")
    assert own["low"] > 0.1
    assert metrics["floor/mean_video/single_trial/time_correlation"] < 0.1
    assert tests["p"].item() == pytest.approx(1 / 4)
    assert (tests["n"].item(), tests["n_unit"].item()) == (6, "blocks of time")
    assert tests["effect"].item() > 0.2
    for name in ("film.png", "film_decoder.gif", "film_ridge.gif"):
        assert (driven / "film" / "figures" / name).stat().st_size > 1000
    lengths = pd.read_csv(driven / "film" / "lengths.csv")
    single = lengths[(lengths["run"] == "floor/ridge") & (lengths["trial"] == "single_trial")]
    assert (single["value"] - single["chance"]).iloc[-1] > 0.1
    few = single["n"] < 8  # hits, of which a share has no interval
    assert few.any()
    assert single.loc[few, ["low", "high"]].isna().all(None)
    assert (single["low"] <= single["value"])[~few].all()
    assert (single["value"] <= single["high"])[~few].all()
    half = lengths.loc[lengths["length_s"] == 0.5, "run"]
    assert set(half) == {"floor/mean_video", "floor/ridge"}


def test_sites_that_know_nothing_decode_at_zero(silent: Path) -> None:
    for run in ("floor/ridge", "decoder"):  # the network as well, trained in every fold
        own = means(silent, run)
        assert own["n"] == 6
        assert abs(own["value"]) < 0.15
        assert own["low"] < 0 < own["high"]
    tests = pd.read_csv(silent / "film" / "tests.csv").set_index("group")
    beside = tests.loc["decoder - floor/ridge"]
    assert set(beside["n"]) == {6}
    assert (beside["p_corrected"] > 0.05).all()


def test_ridge_shrinks_as_training_blocks_say(driven: Path) -> None:
    run = Run.open(driven, checkpoint=None)
    run.cfg.floor = load_option("floor", ["ridge"])
    plan = read_plan(FilmPlan, compose("film", [*ASK, "alphas=[0.1,100.0]"]))
    blocks = Stretches.of(run.data.stimuli).blocks(3.0)
    search = LagSearch(run, plan, blocks)
    curve = search.curve(run).set_index("lag_s")
    assert list(search.tuned(run).cfg.floor.ridge.alphas) == [curve.loc[0.05, "alpha"]]
    assert curve["average_time_correlation"].idxmax() == 0.1
    assert (curve["average_time_correlation"] > curve["time_correlation"]).all()
    # What the curve scores with sums alone is what the floor decodes.
    fitted, tested = search._folds(Stretches.of(run.data.stimuli), run.data.conditions("train"))[0]
    floor = RidgeDecoder(context="bin", alphas=[0.1])
    trials = [(b.spikes, b.condition) for b in run.data.batches("train")]
    spikes, condition = (torch.cat(one) for one in zip(*trials, strict=True))
    rows = [torch.isin(condition, torch.from_numpy(part)) for part in (fitted, tested)]
    videos = run.data.mean_videos(None)
    batches = [lambda r=r: [(spikes[r], condition[r])] for r in rows]
    floor.fit(batches[0], batches[0], videos)
    moved = floor.predict(spikes[rows[1]]), videos[condition[rows[1]]]
    decoded, true = (over_time(v[None])[0].double().numpy() for v in moved)
    expected = np.mean([np.corrcoef(a, b)[0, 1] for a, b in zip(decoded.T, true.T, strict=True)])
    sums = _summed(run.data, [fitted, tested])
    found = BlockRidge(*sums, [0.1]).scores(videos[fitted], videos[tested])
    assert found[0, 0] == pytest.approx(expected, abs=5e-3)


def test_lags_do_not_look_into_blocks_held_out(
    driven: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["film", f"run_dir={driven}", "lags_s=[0.5]"])
    assert "does not reach into test blocks" in capsys.readouterr().err


def test_a_run_on_whole_videos_is_refused(driven: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["film", f"run_dir={driven}", "overrides=['data.cut=null']"])
    assert "cut into stretches" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", ["lag=longest", "network=all", "film_s=0"])
def test_options_that_do_not_exist_are_refused(wrong: str) -> None:
    with pytest.raises(InputError, match=wrong.split("=", maxsplit=1)[0]):
        read_plan(FilmPlan, compose("film", [wrong]))


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
    assert single["low"].between(0, single["value"]).all()
    assert single["high"].between(single["value"], 1).all()
    assert single.loc[("exact", 0.5), "low"] < 1  # six of six are no certainty
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


def test_means_of_different_blocks_are_told_from_those_of_the_same() -> None:
    about = {"trial": "single_trial", "metric": "time_correlation", "n": 1}
    scored = [("decoder", 0, 0.5), ("floor/ridge", 0, 0.6), ("floor/ridge", 1, 0.0)]
    observed = pd.DataFrame([{**about, "run": r, "block": b, "value": v} for r, b, v in scored])
    null = pd.concat([observed.assign(value=0.1 * s, shift_s=s) for s in (1.0, 2.0)])
    means = block_means(observed)
    assert means["n"].tolist() == [1, 2]
    assert means["n_shared"].tolist() == [1, 1]
    assert means["value"].tolist() == [0.5, 0.3]
    assert means["value_shared"].tolist() == [0.5, 0.6]  # ridge is the better one there
    tests = against_shifts(observed, null, {0: "a", 1: "b"})
    cells = [list(c.cells) for c in means_table(means, tests).columns]
    assert [c[0] for c in cells] == [
        "decoder", "single trial", "0.500", "1", "-", "0.150", "0.333", "0.667", "0.500"
    ]  # fmt: skip
    assert cells[-1] == ["0.500", "0.600"]
    alike = observed[observed["block"] == 0]
    assert len(means_table(block_means(alike), tests).columns) == 8
    beside = against_floors(observed)
    assert beside.frame["p"].isna().all()
    assert "network=folds" in unpaired(beside)[0]
    whole = pd.concat([observed, observed.iloc[:1].assign(block=1, value=0.4)])
    assert unpaired(against_floors(whole)) == []


def test_folds_of_a_long_film_do_not_grow_with_it() -> None:
    plan = read_plan(FilmPlan, compose("film", ["run_dir=x"]))
    for blocks, folds in ((6, 6), (48, 10)):
        scorer = BlockScorer(None, plan, None, np.repeat(np.arange(blocks), 5))  # type: ignore[arg-type]
        assert len(scorer.folds()) == folds
