from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mua_decode.sweep.figure import sweep_history, sweep_importance, sweep_parallel
from mua_decode.types import InputError

TRIALS = pd.DataFrame(
    {
        "trial": [0, 1, 2, 3],
        "state": ["finished", "stopped", "finished", "finished"],
        "val_loss": [3.0, 9.0, 1.0, 2.0],
        "lr": [1e-3, 1e-1, 1e-2, 1e-1],
        "model": ["unet", "mlp", "mlp", "unet"],
    }
)


def test_history_shows_the_best_so_far() -> None:
    (axes,) = sweep_history(TRIALS).axes
    lines = {line.get_label(): np.asarray(line.get_ydata()) for line in axes.lines}
    assert lines["best so far"].tolist() == [3, 1, 1]
    assert lines["finished"].tolist() == [3, 1, 2]
    assert lines["stopped early"].tolist() == [9]
    with pytest.raises(InputError, match="no trial finished"):
        sweep_history(TRIALS[TRIALS["state"] == "stopped"])


def test_every_trial_is_a_line_through_its_options() -> None:
    axes = sweep_parallel(TRIALS, ["lr", "model"]).axes[0]
    drawn = [tuple(np.round(np.asarray(line.get_ydata(), float), 6)) for line in axes.lines[:5]]
    # The stopped one, then the finished ones from worst to best, and the best once more.
    assert drawn == [(1, 0), (0, 1), (1, 1), (0.5, 0), (0.5, 0)]
    assert [t.get_text() for t in axes.texts][-2:] == ["mlp", "unet"]


def test_importance_is_a_bar_for_each_option() -> None:
    shares = pd.DataFrame({"option": ["a", "b"], "importance": [0.7, 0.3]})
    (axes,) = sweep_importance(shares, n_trials=5).axes
    assert [bar.get_width() for bar in axes.patches] == [0.3, 0.7]
    assert "5 finished trials" in axes.get_xlabel()
