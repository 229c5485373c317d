from __future__ import annotations

from io import BytesIO

import numpy as np
import pandas as pd
import pytest

from mua_decode.analyses.encode.figure import encoding
from mua_decode.types import InputError, ResultTable

VALUES = {
    "encoder": 0.6,
    "floor/time_course": 0.3,
    "floor/condition_mean": 0.7,
    "ceiling/split_half": 0.8,
    "chance/noise_videos": 0.05,
}


def table() -> ResultTable:
    rows = []
    for run, base in VALUES.items():
        for g, region in enumerate(("PFC", "MT")):
            for suffix, shift in (("", 0.0), ("_low", -0.1), ("_high", 0.1)):
                rows.append(
                    {
                        "run": run, "split": "test", "condition": "all", "trial": "trial_average",
                        "mask": f"only {region}", "segment": "all", "unit": "1", "n": 1,
                        "metric": f"encoding_r_region{suffix}", "value": base + 0.1 * g + shift,
                    }
                )  # fmt: skip
    return ResultTable.from_rows(rows)


def sites() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "region": ["PFC"] * 3 + ["MT"] * 2,
            "encoder_r_trial_average": [0.1, 0.2, -0.1, 0.6, 0.7],
            "noise_ceiling_trial_average": [0.5, np.nan, np.nan, 0.8, 0.9],
        }
    )


def test_regions_stand_beside_their_bounds_and_sites_below_their_ceiling() -> None:
    figure = encoding(table(), sites(), title="a run")
    figure.savefig(BytesIO(), format="png")
    left, right = figure.axes
    assert [bar.get_height() for bar in right.patches] == pytest.approx([0.6, 0.7])
    assert [t.get_text() for t in right.get_xticklabels()] == ["PFC", "MT"]
    names = {t.get_text() for t in right.get_legend().get_texts()}
    assert {"noise ceiling", "time course alone (floor)", "noise videos, central 95 %"} < names
    # Sites without a ceiling are drawn apart, not dropped.
    drawn = [line for line in left.lines if line.get_linestyle() == "None"]
    x = np.concatenate([np.asarray(line.get_xdata(), float) for line in drawn])
    assert (x < -0.04).sum() == 2
    assert np.isfinite(x).sum() == 5
    assert "not\nreliable" in [t.get_text() for t in left.get_xticklabels()]


def test_what_is_missing_is_named() -> None:
    with pytest.raises(InputError, match="lacks noise_ceiling_trial_average"):
        encoding(table(), sites().drop(columns="noise_ceiling_trial_average"))
    with pytest.raises(InputError, match="no row of metric 'encoding_r_region'"):
        encoding(ResultTable.from_rows([]), sites())
