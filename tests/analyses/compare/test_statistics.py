from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from mua_decode.analyses.compare.statistics import paired_over_conditions
from mua_decode.scoring.units import NamedUnits
from mua_decode.types import ResultTable


def test_pairs_are_conditions_and_others_are_a_family() -> None:
    rng = np.random.default_rng(0)
    scores = {run: rng.random(8) for run in ("decoder", "mlp", "cnn", "floor/ridge")}
    rows = [
        {
            "run": run, "split": "test", "condition": condition, "trial": "single_trial",
            "mask": "none", "segment": "all", "metric": "ssim", "value": value, "unit": "1",
            "n": 5,
        }
        for run, values in scores.items()
        for condition, value in [*((f"c{k}", v) for k, v in enumerate(values)), ("all", 99.0)]
    ]  # fmt: skip
    rng.shuffle(rows)  # rows are matched by name, not by place
    tests = paired_over_conditions(
        ResultTable.from_rows(rows), reference="decoder", others=["mlp", "cnn"]
    ).frame.set_index("group")
    assert list(tests.index) == ["mlp", "cnn"]
    for other in ("mlp", "cnn"):
        expected = stats.ttest_rel(scores["decoder"], scores[other])
        assert tests.loc[other, "p"] == pytest.approx(expected.pvalue)
        assert tests.loc[other, "n"] == 8
        assert tests.loc[other, "correction"] == "Holm over 2"
    smaller = min(tests["p"])
    assert min(tests["p_corrected"]) == pytest.approx(min(1, 2 * smaller))


def test_conditions_that_share_trials_are_averaged_first() -> None:
    rng = np.random.default_rng(1)
    ours, theirs = rng.random((2, 6))
    ours[5] = np.nan
    rows = [
        {
            "run": run, "split": "test", "condition": f"c{k}", "trial": "single_trial",
            "mask": "none", "segment": "stimulus", "metric": "direction_error", "value": v,
            "unit": "degrees", "n": 5,
        }
        for run, values in (("decoder", ours), ("floor/ridge", theirs))
        for k, v in enumerate(values)
    ]  # fmt: skip
    row = paired_over_conditions(
        ResultTable.from_rows(rows), reference="decoder", others=["floor/ridge", "absent"],
        groups={f"c{k}": k // 2 for k in range(6)},
    ).frame.iloc[0]  # fmt: skip
    means = [np.array([v[:2].mean(), v[2:4].mean(), v[4]]) for v in (ours, theirs)]
    assert row["p"] == pytest.approx(stats.ttest_rel(*means).pvalue)
    assert (row["n"], row["n_unit"]) == (3, "groups of conditions that share recorded trials")
    assert row["note"].endswith("undefined trials count as 90")


def test_conditions_that_share_cues_speak_for_other_cues_over_cues_alone() -> None:
    """Half of the variance of a difference belongs to the cue: no decoder is better."""
    rng, hits = np.random.default_rng(2), {"paired": [], "unit": [], "better": []}
    level = np.indices((4, 4, 4)).reshape(3, -1)
    names = [f"c{k}" for k in range(64)]
    units = {"ssim": NamedUnits("cues", dict(zip(names, level[0].astype(str), strict=True)))}
    base = {
        "split": "test", "trial": "single_trial", "mask": "none", "segment": "all",
        "metric": "ssim", "unit": "1", "n": 5,
    }  # fmt: skip
    for run in range(60):
        gain = rng.normal(size=4)[level[0]] + rng.normal(size=64) + 6 * (run >= 50)
        pairs = {"decoder": gain, "mlp": np.zeros(64)}
        rows = [
            base | {"run": r, "condition": c, "value": v}
            for r, values in pairs.items()
            for c, v in zip(names, values, strict=True)
        ]
        table = ResultTable.from_rows(rows)
        found = paired_over_conditions(table, reference="decoder", others=["mlp"], units=units)
        paired, unit = found.frame["p"]
        hits["paired"].append(paired) if run < 50 else hits["better"].append(unit)
        if run < 50:
            hits["unit"].append(unit)
    assert found.frame["n"].tolist() == [64, 4]
    assert found.frame["n_unit"].tolist() == ["conditions", "cues"]
    assert np.mean(np.array(hits["unit"]) <= 0.05) <= 0.15  # of 50
    assert np.mean(np.array(hits["paired"]) <= 0.05) > 0.3  # for these conditions alone
    assert np.mean(np.array(hits["better"]) <= 0.05) > 0.8
