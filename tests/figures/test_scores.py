from io import BytesIO

import numpy as np
import pytest

from mua_decode.figures import scores
from mua_decode.types import InputError, ResultTable


def _table() -> ResultTable:
    rows = []
    runs = {"floor/mean_video": 0.1, "floor/ridge": 0.3, "decoder": 0.8}
    for run, base in (runs | {"ceiling/condition_mean": 1.0}).items():
        for metric, unit in [("ssim", "1"), ("psnr", "dB")]:
            for trial in ("single_trial", "trial_average"):
                for k in range(3):
                    rows.append(
                        {
                            "run": run, "split": "test", "condition": f"c{k}", "trial": trial,
                            "mask": "none", "segment": "all", "metric": metric,
                            "value": np.nan if k == 2 else base + 0.01 * k, "unit": unit, "n": 4,
                        }
                    )  # fmt: skip
    return ResultTable.from_rows(rows)


def test_one_panel_per_metric_with_runs_in_order():
    figure = scores(_table(), title="a run")
    figure.savefig(BytesIO(), format="png")
    panels = [ax for ax in figure.axes if ax.get_visible()]
    assert [ax.get_xlabel() for ax in panels] == ["SSIM", "PSNR (dB)"]
    runs = [t.get_text() for t in panels[0].get_yticklabels()]
    assert runs == ["ceiling/condition mean", "decoder", "floor/ridge", "floor/mean video"]
    spread, mean = panels[0].lines[:2]  # the ceiling's single trials; NaN is left out
    np.testing.assert_allclose(spread.get_xdata(), [1.0, 1.01])
    np.testing.assert_allclose(mean.get_xdata(), [1.005])


def test_what_is_not_there_is_named():
    with pytest.raises(InputError, match=r"did you mean 'test'.*found: test"):
        scores(_table(), split="tes")
