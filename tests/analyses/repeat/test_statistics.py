from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from mua_decode.analyses.repeat.statistics import seed_summary
from mua_decode.scoring.units import NamedUnits
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
        summary = seed_summary(tables(rng, seeds=12, sd=sd), rng=rng).set_index("minus")
        row = summary.loc["floor/ridge"]
        inside += row["low"] < 0 < row["high"]
    assert 0.9 <= inside / 200 <= 0.985


def test_the_t_interval_covers_the_mean_over_the_same_conditions() -> None:
    rng = np.random.default_rng(3)
    inside = 0
    for _ in range(300):
        by_seed = {s: scores(np.arange(16) + rng.normal(), run="decoder") for s in range(4)}
        row = seed_summary(by_seed, rng=rng).iloc[0]
        inside += row["low_seeds"] < 7.5 < row["high_seeds"]
    assert 0.91 <= inside / 300 <= 0.985


def test_seeds_on_the_same_trials_say_little_of_other_trials() -> None:
    """Noise of recorded trials is the same in every seed and independent between conditions."""
    rng, other, same = np.random.default_rng(4), 0, 0
    for _ in range(100):
        trials = 0.3 * rng.normal(size=16)
        by_seed = {
            s: scores(trials + 0.1 * rng.normal() + 0.25 * rng.normal(size=16), run="decoder")
            for s in range(10)
        }
        row = seed_summary(by_seed, rng=rng).iloc[0]
        other += row["low"] < 0 < row["high"]
        same += row["low_seeds"] < 0 < row["high_seeds"]
    assert other / 100 > 0.88
    assert same / 100 < 0.85  # "other seeds on these trials", as the table says
    assert row["seeds_interval_of"] == "other seeds on these trials"


def test_conditions_that_share_cues_are_as_many_as_cues() -> None:
    rng, inside, alone = np.random.default_rng(5), 0, 0
    cue = np.repeat(np.arange(4), 4)
    units = {"mse": NamedUnits("cues", {f"c{k}": str(c) for k, c in enumerate(cue)})}
    for _ in range(100):
        shared = 0.5 * rng.normal(size=4)[cue] + 0.5 * rng.normal(size=16)
        by_seed = {
            s: scores(shared + 0.1 * rng.normal() + 0.2 * rng.normal(size=16), run="decoder")
            for s in range(3)
        }
        row = seed_summary(by_seed, rng=rng, units=units).iloc[0]
        inside += row["units_low"] < 0 < row["units_high"]
        alone += row["low"] < 0 < row["high"]
    assert (row["units"], row["n_units"]) == ("seeds × cues", 3)
    assert inside / 100 > 0.88
    assert alone / 100 < 0.9


def test_undefined_scores_are_left_out() -> None:
    made = tables(np.random.default_rng(0), seeds=3)
    made[1].frame.loc[0, "value"] = np.nan
    summary = seed_summary(made, rng=np.random.default_rng(1)).set_index(["run", "minus"])
    assert summary[["mean", "low", "high"]].notna().all(axis=None)
