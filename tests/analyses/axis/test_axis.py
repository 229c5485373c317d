"""mua-decode axis from the command line to the files it leaves."""

import json

import numpy as np
import pandas as pd
import pytest

from mua_decode.commands.main import main
from mua_decode.types.hypotheses import HYPOTHESIS_COLUMNS
from tests.counted import uncounted

PATTERNS = ["axis", "category", "both", "neither"]
SMALL = [
    "recording.imagery.regions.VTC=30",
    "~recording.imagery.regions.MTL",
    "recording.imagery.images=120",
    "recording.imagery.sessions=2",
    "recording.imagery.categories=4",
    "features=[pixels,gabor_energy]",
    "features.gabor_energy.n_scales=2",
    "features.gabor_energy.grid=4",
    "n_components=15",
    "test.n_permutations=99",
    "effective.steps=5",
    "reality.draws=4",
    "reality.n_permutations=20",
    "reality.sizes=[1,8]",
]


def test_run_leaves_numbers_tables_figures_and_a_report(tmp_path):
    main(["axis", *SMALL, f"run_dir={tmp_path}"])
    assert uncounted(tmp_path) == []
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["axis/feature_space"] == "pixels"
    assert metrics["axis/median_heldout_correlation"] > 0.5
    assert metrics["axis/share_low"] <= 0.8 <= metrics["axis/share_high"]
    assert metrics["imagery/share_reactivated_low"] <= 0.4
    assert metrics["imagery/share_reactivated_high"] >= 0.4
    assert metrics["axis/noise_ceiling"] == "from single trials"
    assert metrics["axis/n_components"] == 15
    published = pd.read_csv(tmp_path / "published.csv").set_index(["quantity", "region"])
    tuned = published.loc[("axis-tuned, of visually responsive", "all")]
    again = published.loc[("reactivated, of axis-tuned", "all")]
    assert (tuned["published"], again["published"]) == (0.8, 0.4)
    assert tuned["ours"] == pytest.approx(metrics["axis/share_tuned"])
    assert again["ours"] == pytest.approx(metrics["imagery/share_reactivated"])
    assert (tuned["n_sites"], tuned["n_units"]) == (metrics["axis/n_sites"], 2)
    assert tuned["unit"] == "subjects"
    assert "Beside the published values" in (tmp_path / "report.html").read_text()
    assert "axis/compare/pixels_with_gabor_energy/share_pixels_better" in metrics
    tests = pd.read_csv(tmp_path / "tests.csv")
    assert tests[["test", "n", "n_unit", "correction"]].notna().all().all()
    assert tuple(tests.columns) == HYPOTHESIS_COLUMNS
    assert {"heldout", "ramp", "reactivated", "category_beyond_axis"} <= set(tests["metric"])
    assert tests.loc[tests["p"].notna(), "p_corrected"].notna().all()
    assert metrics["axis/intervals"].startswith("95 % intervals over 2 subjects")
    assert sum(metrics[f"axis/category_pattern/{k}"] for k in PATTERNS) == pytest.approx(1)
    assert pd.read_csv(tmp_path / "categories.csv")["pattern"].isin(PATTERNS).all()
    sites = pd.read_csv(tmp_path / "sites.csv")
    assert len(sites) == 60
    planted = pd.read_csv(tmp_path / "planted_sites.csv")
    assert planted["tuned"].sum() == 24
    found = {p.stem for p in (tmp_path / "figures").iterdir()}
    assert found == {
        "axis_ramps",
        "tuning_shares",
        "reconstruction",
        "effective",
        "effective_answers",
        "imagery_scatter",
        "reality",
    }
    assert (tmp_path / "report.html").read_text().count("data:image/png;base64,") == 7
    assert {"run", "metric", "value"} <= set(pd.read_csv(tmp_path / "results.csv").columns)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["n_components=100"], "96 training images give at most 95 components"),
        (["test.correction=bonferroni"], "correction must be one of"),
        (["features=alexnet"], "weights is not set"),
        (["features=gabor"], "did you mean 'gabor_energy'"),
        (["reality.regions=ventral"], "reality.regions must be auto, all or a list"),
        (["imagery=maybe"], "imagery must be auto, true or false"),
        (["response.window_s=[0.5,0.2]"], "response.window_s must be"),
        (["recording=simulated_small", "imagery=true"], "no imagery trials"),
    ],
)
def test_errors_the_user_can_mend_are_one_line(tmp_path, capsys, options, message):
    small = SMALL if not options[0].startswith("recording=") else []
    small = [s for s in small if not (options[0].startswith("features=") and "features" in s)]
    with pytest.raises(SystemExit) as stop:
        main(["axis", *small, f"run_dir={tmp_path}", *options])
    assert stop.value.code == 2
    error = [line for line in capsys.readouterr().err.splitlines() if "mua-decode:" in line]
    assert len(error) == 1
    assert message in error[0]


def test_video_with_a_response_per_bin(tmp_path):
    main(
        [
            "axis",
            "recording=simulated_small",
            "recording.population.trials_per_condition=4",
            "features=pixels",
            "features.pixels.size=8",
            "response.per=bin",
            "n_components=4",
            "test_fraction=0.4",
            "inner_folds=2",
            "test.n_permutations=19",
            f"run_dir={tmp_path}",
        ]
    )
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert np.isfinite(metrics["axis/median_heldout_correlation"])


@pytest.mark.data
def test_v4_sites_are_tuned_to_gabor_energy(real_data, tmp_path):
    main(
        [
            "axis",
            "recording=v4_images",
            f"recording.root={real_data / 'macaque_v4_images'}",
            "recording.session=201025",
            "features=gabor_energy",
            "test.n_permutations=199",
            "effective.sites=0",
            f"run_dir={tmp_path}",
        ]
    )
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["axis/n_train_images"] == 960
    assert metrics["axis/median_heldout_correlation"] >= 0.50
    assert metrics["axis/share_tuned"] >= 0.85
    assert metrics["axis/noise_ceiling"].startswith("unknown")
