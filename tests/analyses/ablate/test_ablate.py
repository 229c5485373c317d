from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pandas as pd
import pytest

from mua_decode.commands.main import main
from mua_decode.report import Films
from mua_decode.runs.run import Run
from mua_decode.types import COLUMNS, HYPOTHESIS_COLUMNS, N_UNIT, InputError
from tests.counted import uncounted
from tests.tiny import TINY

REGIONS_ALONE = [
    "figures.draw=false",
    "fills=[zero]",
    "subsets=false",
    "segments=false",
    "equal.repeats=0",
]
QUICK = ["equal.repeats=2", "donors=2", "trials_per_condition=1", "metric=[ssim,cue_pixels,colour]"]
SAME = ["groups=[[LIP,MT]]", "sites=true", *QUICK]


def flat(folder: Path) -> dict:
    return json.loads((folder / "metrics.json").read_text())


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "a"
    few = ["trainer.max_epochs=1", "metric=[mse]", "floor=[]", f"run_dir={folder}"]
    main(["train", *TINY, *few])
    return folder


@pytest.fixture(scope="module")
def ablated(trained: Path) -> Path:
    main(["ablate", f"run_dir={trained}", *SAME])
    return trained / "ablation"


def test_an_ablation_leaves_everything_that_was_promised(ablated: Path) -> None:
    assert uncounted(ablated) == []
    found = pd.read_csv(ablated / "results.csv")
    assert list(found.columns) == [*COLUMNS, N_UNIT]
    masks = set(found["mask"])
    assert {"none", "without MT (shuffle)", "without LIP+MT (zero)", "only PFC+MT (zero)"} <= masks
    assert "without V4 in cue (shuffle)" in masks
    assert "without 2 of IT, draw 2 (zero)" in masks
    assert sum(m.startswith("without site ") for m in masks) == 2 * 28
    # Decoder, masks and averaging see the same trials: one row per condition and one over all.
    per = found.groupby(["mask", "trial", "metric", "segment"]).size()
    assert per.nunique() == 2  # "none" stands there once per fill
    tests = pd.read_csv(ablated / "tests.csv")
    assert list(tests.columns) == list(HYPOTHESIS_COLUMNS)
    assert set(tests["group"]) == {"PFC", "FEF", "LIP", "MT", "IT", "V4", "LIP+MT"}
    tested = tests["p"].notna()
    assert tests.loc[tested, "correction"].isin(["Holm over 6", "Holm over 1"]).all()
    assert set(tests.loc[tested, "n_unit"]) >= {"conditions, masked and unmasked", "cues"}
    # Two cues, two colours and two directions, crossed, cannot speak for others.
    crossed = tests["n_unit"] == "cues × colours × directions"
    assert crossed.any()
    assert not (crossed & tested).any()
    assert tests.loc[crossed, "note"].str.contains("two of the cues of a crossed design").all()
    changes = pd.read_csv(ablated / "changes.csv")
    assert len(changes) == 2 * 7 * 3
    assert (changes.loc[changes["metric"] == "cue_pixels", "change"].dropna() >= 0).all()
    predictions = pd.read_csv(ablated / "prediction_tests.csv")
    assert set(predictions["group"]) == set(tests["group"])
    known = predictions["df"].dropna()
    assert set(known) == {8 + 8 - 2}
    mixed = pd.read_csv(ablated / "mixed.csv")
    assert set(mixed["group"]) == {"PFC", "FEF", "LIP", "MT", "IT", "V4"}
    assert {"p_unit_means", "agrees"} <= set(mixed)
    contrasts = pd.read_csv(ablated / "contrasts.csv")
    assert contrasts["group"].nunique() == 15  # regions alone, no group of them
    assert contrasts.loc[contrasts["p"].notna(), "correction"].str.match("Holm over ").all()
    means = pd.read_csv(ablated / "means.csv").set_index("metric")
    assert set(means.loc["cue_pixels", "units"]) == {"cues"}
    assert set(means.loc["colour_error", "units"]) == {"colours"}
    assert set(means.loc["ssim", "units"]) == {"cues × colours × directions"}
    assert (means["n_units"] <= means["n"]).all()
    assert means.loc["ssim", "note"].str.startswith("two of the cues of a crossed design").all()
    assert means.loc["ssim", "units_low"].isna().all()
    subsets = pd.read_csv(ablated / "subsets.csv")
    assert len(subsets) == 2 * 64
    video = np.load(ablated / subsets["file"].iloc[-1])["predicted"]
    assert video.shape == (8, 3, 45, 16, 16)


def test_figures_are_drawn_and_name_the_files_of_their_numbers(ablated: Path) -> None:
    captions = json.loads((ablated / "figures" / "captions.json").read_text())
    assert set(captions) == {"losses", "shapley", "segments", "masked_frames"}
    for name, caption in captions.items():
        assert iio.imread(ablated / "figures" / f"{name}.png").std() > 10  # something is drawn
        files = re.findall(r"\w+\.(?:csv|npz)", caption)
        assert files
        assert all((ablated / file).is_file() for file in files)
    text = (ablated / "report.html").read_text()
    assert "Shapley values" in text or "What a region adds" in text
    assert "without LIP+MT" in text  # in the player


def test_masked_frames_are_those_of_the_masks(ablated: Path) -> None:
    films = Films.load(ablated / "films.npz")
    assert list(films.rows)[:3] == ["shown", "all sites", "without PFC"]
    subsets = pd.read_csv(ablated / "subsets.csv")
    full = subsets[subsets["fill"] == "shuffle"].iloc[-1]
    with np.load(ablated / full["file"]) as file:
        unmasked = file["predicted"].transpose(0, 2, 1, 3, 4)
    assert np.array_equal(films.rows["all sites"], unmasked)
    assert not np.array_equal(films.rows["without V4"], unmasked)


@pytest.mark.parametrize("below", [True, False])
def test_conclusions_are_withheld_below_a_floor(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], below: bool
) -> None:
    run = tmp_path / "run"
    shutil.copytree(trained, run, ignore=shutil.ignore_patterns("ablation"))
    numbers = flat(run) | {
        "test/single_trial/identification": 0.25 if below else 0.99,
        "floor/lookup/single_trial/identification": 0.975,
    }
    (run / "metrics.json").write_text(json.dumps(numbers))
    few = ["trials_per_condition=1", "metric=[ssim]", "figures.draw=true"]
    main(["ablate", f"run_dir={run}", *REGIONS_ALONE, *few])
    said = capsys.readouterr().err
    captions = (run / "ablation" / "figures" / "captions.json").read_text()
    page = (run / "ablation" / "report.html").read_text()
    for text in (said, page):
        assert ("THE DECODER IS BELOW A FLOOR" in text) == below
    assert ("below_floors" in flat(run / "ablation")) == below
    assert ("nothing is to be concluded on regions" in captions) == below
    assert ("no marks" in said) == below
    if below:
        assert said.index("WARNING") < said.index("what is lost")


def test_shapley_values_sum_to_full_minus_nothing(ablated: Path) -> None:
    table = pd.read_csv(ablated / "shapley.csv")
    for _, rows in table.groupby(["fill", "trial", "metric"]):
        gained = rows["full"].iloc[0] - rows["nothing"].iloc[0]
        assert rows["value"].sum() == pytest.approx(gained, abs=1e-6)
    exact = {k: v for k, v in flat(ablated).items() if k.startswith("shapley/zero/single_trial")}
    ssim = sum(v for k, v in exact.items() if "/ssim/" in k)
    found = pd.read_csv(ablated / "results.csv")
    found = found[(found["metric"] == "ssim") & (found["condition"] == "all")]
    mean = found[found["trial"] == "single_trial"].set_index("mask")["value"]
    full, nothing = mean["only PFC+FEF+LIP+MT+IT+V4 (zero)"], mean["only nothing (zero)"]
    assert ssim == pytest.approx(full - nothing, abs=1e-5)


def test_the_full_subset_is_the_unmasked_network(ablated: Path) -> None:
    found = pd.read_csv(ablated / "results.csv").set_index(["trial", "metric", "condition"])
    unmasked = found[found["mask"] == "none"]["value"]
    whole = found[found["mask"] == "only PFC+FEF+LIP+MT+IT+V4 (zero)"]["value"]
    pd.testing.assert_series_equal(unmasked[: len(whole)].sort_index(), whole.sort_index())


def test_masks_are_decoded_once(
    trained: Path, ablated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = flat(ablated)

    def never(*_: object) -> None:
        raise AssertionError("decoded again")

    monkeypatch.setattr("mua_decode.analyses.ablate.scorer.MaskScorer.score", never)
    main(["ablate", f"run_dir={trained}", *SAME, "figures.draw=false"])
    assert flat(ablated) == before


def test_a_damaged_file_is_decoded_again(trained: Path, ablated: Path) -> None:
    before = flat(ablated)
    for path in sorted((ablated / "masks").rglob("*.npz"))[:3]:
        path.write_bytes(path.read_bytes()[:100])
    main(["ablate", f"run_dir={trained}", *SAME, "figures.draw=false"])
    assert flat(ablated) == before


def test_other_overrides_in_the_same_folder_are_scored_anew(trained: Path, tmp_path: Path) -> None:
    asked = ["ablate", f"run_dir={trained}", *REGIONS_ALONE, "metric=[mse]"]
    fold = 'overrides=["data.split.n_folds=3","data.split.fold=1"]'
    main([*asked, f"out_dir={tmp_path / 'same'}"])
    before = pd.read_csv(tmp_path / "same" / "results.csv")
    main([*asked, fold, f"out_dir={tmp_path / 'same'}"])
    main([*asked, fold, f"out_dir={tmp_path / 'fresh'}"])
    again, fresh = (pd.read_csv(tmp_path / n / "results.csv") for n in ("same", "fresh"))
    pd.testing.assert_frame_equal(again, fresh)
    assert not again.equals(before)


def test_a_recording_replaced_under_the_same_path_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, run = tmp_path / "rec.h5", tmp_path / "run"
    simulate = ["simulate", *TINY[:2], f"out={path}"]
    main(simulate)
    native = ["recording=native", f"recording.path={path}", *TINY[2:], "trainer.max_epochs=1"]
    main(["train", *native, "metric=[mse]", "floor=[]", f"run_dir={run}"])
    asked = ["ablate", f"run_dir={run}", *REGIONS_ALONE, "metric=[mse]"]
    main(asked)
    path.unlink()
    main([*simulate, "recording.seed=5"])
    capsys.readouterr()
    with pytest.raises(SystemExit) as stopped:
        main(asked)
    assert stopped.value.code == 2
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert "was trained on another recording" in said.strip().splitlines()[-1]
    with pytest.raises(InputError, match="trained on another recording"):
        _ = Run.open(run).recording


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("fills=[nothing]", "fills: choose from zero, mean, shuffle"),
        ("groups=[[MTT]]", "region 'MTT' is not in this recording (did you mean 'MT'?)"),
        ("trials_per_condition=0", "trials_per_condition"),
        ("equal.n_sites=500", "cannot take 500 sites"),
        ("groups=[LIP]", "groups: expected lists of regions"),
        ("donors=0", "donors: expected >= 1"),
        ("part=tets", "did you mean 'test'"),
        ("metric=[]", "metric: none"),
    ],
)
def test_wrong_options_are_named_in_one_line(
    trained: Path, option: str, said: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["ablate", f"run_dir={trained}", f"out_dir={tmp_path / 'a'}", *QUICK, option])
    assert stopped.value.code == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert said in last
