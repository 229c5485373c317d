from __future__ import annotations

import numpy as np
import torch

from mua_decode.metrics import MSE, PixelCorrelation
from mua_decode.scoring.guesses import defined_for_shown, table_with_guesses, with_guesses
from mua_decode.types import ResultTable
from tests.conftest import make_stimuli


def test_undefined_trials_are_guesses_where_the_shown_video_is_defined() -> None:
    value, undefined = np.array([10.0, np.nan, 20.0, np.nan]), np.array([0.0, 1.0, 0.25, 1.0])
    found = with_guesses(value, undefined, guess=90.0, shown=np.array([True, True, True, False]))
    np.testing.assert_allclose(found, [10, 90, 37.5, np.nan])
    np.testing.assert_allclose(with_guesses(value, guess=90.0), [10, 90, 20, 90])
    np.testing.assert_array_equal(with_guesses(value, undefined, guess=None), value)


def test_what_is_shown_may_not_define_a_metric() -> None:
    stimuli = make_stimuli(3)
    videos = torch.from_numpy(stimuli.mean_videos()).permute(0, 2, 1, 3, 4).clone()
    videos[1] = 0.5
    assert defined_for_shown(PixelCorrelation(), videos, stimuli).tolist() == [True, False, True]
    assert defined_for_shown(MSE(), videos, stimuli).all()


def test_a_table_is_averaged_again_over_trials() -> None:
    labels = {"split": "test", "mask": "none", "segment": "stimulus", "unit": "degrees"}
    rows = [
        labels | {"run": run, "trial": trial, "condition": c, "metric": m, "value": v, "n": n}
        for run, trial, m, entries in (
            ("decoder", "single_trial", "direction_error",
             {"c0": (10, 4), "c1": (20, 1), "c2": (np.nan, 0), "all": (12, 5)}),
            ("decoder", "trial_average", "direction_error",
             {"c0": (5, 1), "c1": (np.nan, 0), "c2": (np.nan, 0), "all": (5, 1)}),
            ("decoder", "single_trial", "mse",
             {"c0": (0.1, 4), "c1": (0.2, 4), "c2": (0.3, 4), "all": (0.2, 12)}),
        )
        for c, (v, n) in entries.items()
    ]  # fmt: skip
    table = ResultTable.from_rows(rows)
    found = table_with_guesses(
        table, trials=dict.fromkeys(["c0", "c1", "c2"], 4), names=["c0", "c1", "c2"],
        shown={"direction_error": [True, True, False]},
    ).frame  # fmt: skip
    single = found[(found["metric"] == "direction_error") & (found["trial"] == "single_trial")]
    np.testing.assert_allclose(single["value"], [10, 72.5, np.nan, 41.25])
    assert single["n"].tolist() == [4, 4, 0, 8]
    average = found[found["trial"] == "trial_average"]
    np.testing.assert_allclose(average["value"], [5, 90, np.nan, 47.5])
    assert average["n"].tolist() == [1, 1, 0, 2]
    mse = found["metric"] == "mse"
    assert found[mse].equals(table.frame[mse])
