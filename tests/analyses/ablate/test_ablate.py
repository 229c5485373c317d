from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mua_decode.commands.main import main
from mua_decode.types import COLUMNS, HYPOTHESIS_COLUMNS
from tests.tiny import TINY

QUICK = ["equal.repeats=2", "donors=2", "trials_per_condition=1", "metric=[ssim,cue_pixels,colour]"]


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
    main(["ablate", f"run_dir={trained}", "groups=[[LIP,MT]]", "sites=true", *QUICK])
    return trained / "ablation"


def test_an_ablation_leaves_everything_that_was_promised(ablated: Path) -> None:
    found = pd.read_csv(ablated / "results.csv")
    assert list(found.columns) == list(COLUMNS)
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
    assert tests["correction"].isin(["Holm over 6", "Holm over 1"]).all()
    changes = pd.read_csv(ablated / "changes.csv")
    assert len(changes) == 2 * 7 * 3
    assert (changes.loc[changes["metric"] == "cue_pixels", "change"].dropna() >= 0).all()
    subsets = pd.read_csv(ablated / "subsets.csv")
    assert len(subsets) == 2 * 64
    video = np.load(ablated / subsets["file"].iloc[-1])["predicted"]
    assert video.shape == (8, 3, 45, 16, 16)


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
    main(["ablate", f"run_dir={trained}", "groups=[[LIP,MT]]", "sites=true", *QUICK])
    assert flat(ablated) == before


def test_a_damaged_file_is_decoded_again(trained: Path, ablated: Path) -> None:
    before = flat(ablated)
    for path in sorted((ablated / "masks").rglob("*.npz"))[:3]:
        path.write_bytes(path.read_bytes()[:100])
    main(["ablate", f"run_dir={trained}", "groups=[[LIP,MT]]", "sites=true", *QUICK])
    assert flat(ablated) == before


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("fills=[nothing]", "fills: choose from zero, mean, shuffle"),
        ("groups=[[MTT]]", "region 'MTT' is not in this recording (did you mean 'MT'?)"),
        ("trials_per_condition=0", "trials_per_condition"),
        ("equal.n_sites=500", "cannot take 500 sites"),
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
