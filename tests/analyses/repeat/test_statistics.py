from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from mua_decode.analyses.repeat.statistics import seed_summary
from mua_decode.types import ResultTable


def scores(values: np.ndarray, *, run: str) -> ResultTable:
    return ResultTable.from_rows(
        [
            {
                "run": run, "split": "test", "condition": f"c{k}", "trial": "single_trial",
                "mask": "none", "segment": "all", "metric": "mse", "value": v, "unit": "1", "n": 4,
            }
            for k, v in enumerate(values)
        ]
    )  # fmt: skip


def tables(
    rng: np.random.Generator, *, seeds: int, effect: float = 0.0, sd: float = 1.0
) -> dict[int, ResultTable]:
    """The decoder gains more in some conditions, whatever the seed; its seeds differ by ``sd``."""
    found = {}
    gain = rng.normal(size=16)
    for seed in range(seeds):
        floor = rng.normal(size=16)
        noise = rng.normal(scale=sd) + rng.normal(scale=0.5, size=16)
        decoder = floor + effect + gain + noise
        found[seed] = ResultTable.concat(
            [scores(decoder, run="decoder"), scores(floor, run="floor/ridge")]
        )
    return found


def mean_of_runs(table: ResultTable) -> tuple[float, float]:
    by_run = table.frame.groupby("run")["value"].mean()
    return by_run["decoder"], by_run["floor/ridge"]


def test_differences_are_paired_and_the_t_interval_is_of_seed_means() -> None:
    made = tables(np.random.default_rng(0), seeds=4, effect=3.0)
    summary = seed_summary(made, rng=np.random.default_rng(1)).set_index(["run", "minus"])
    means = np.array([np.subtract(*mean_of_runs(t)) for t in made.values()])
    row = summary.loc[("decoder", "floor/ridge")]
    assert row["mean"] == pytest.approx(means.mean())
    assert row["sd"] == pytest.approx(means.std(ddof=1))
    expected = stats.t.interval(0.95, 3, means.mean(), stats.sem(means))
    assert (row["low_seeds"], row["high_seeds"]) == pytest.approx(expected)
    assert (row["n_seeds"], row["n_conditions"]) == (4, 16)
    assert row["low"] < row["mean"] < row["high"]
    assert list(summary.index) == [
        ("decoder", ""), ("floor/ridge", ""), ("decoder", "floor/ridge")
    ]  # fmt: skip


def test_one_seed_has_no_interval() -> None:
    summary = seed_summary(tables(np.random.default_rng(0), seeds=1), rng=np.random.default_rng(1))
    assert summary[["sd", "low", "high", "low_seeds", "high_seeds"]].isna().all(axis=None)
    assert summary["mean"].notna().all()


@pytest.mark.parametrize("sd", [0.05, 1.0])
def test_intervals_cover_the_true_difference(sd: float) -> None:
    """Of 200 experiments with 12 seeds and 16 conditions, whether seeds differ or conditions."""
    rng = np.random.default_rng(2)
    inside = 0
    for _ in range(200):
        summary = seed_summary(tables(rng, seeds=12, sd=sd), rng=rng, n=500).set_index("minus")
        row = summary.loc["floor/ridge"]
        inside += row["low"] < 0 < row["high"]
    assert 0.88 <= inside / 200 <= 0.995


def test_the_t_interval_covers_the_mean_over_the_same_conditions() -> None:
    rng = np.random.default_rng(3)
    inside = 0
    for _ in range(300):
        by_seed = {s: scores(np.arange(16) + rng.normal(), run="decoder") for s in range(4)}
        row = seed_summary(by_seed, rng=rng, n=10).iloc[0]
        inside += row["low_seeds"] < 7.5 < row["high_seeds"]
    assert 0.91 <= inside / 300 <= 0.985


def test_undefined_scores_are_left_out() -> None:
    made = tables(np.random.default_rng(0), seeds=3)
    made[1].frame.loc[0, "value"] = np.nan
    summary = seed_summary(made, rng=np.random.default_rng(1)).set_index(["run", "minus"])
    assert summary[["mean", "low", "high"]].notna().all(axis=None)
