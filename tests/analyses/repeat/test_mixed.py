from __future__ import annotations

import numpy as np

from mua_decode.analyses.repeat.mixed import mixed_seeds
from mua_decode.scoring.units import NamedUnits
from mua_decode.types import ResultTable

CUE = np.repeat(np.arange(4), 4)
UNITS = {"mse": NamedUnits("cues", {f"c{k}": str(c) for k, c in enumerate(CUE)})}


def tables(rng: np.random.Generator, *, planted: float, seeds: int = 4) -> dict[int, ResultTable]:
    """16 conditions of 4 cues; floors without a difference, and one below by ``planted``."""
    labels = {
        "split": "test", "trial": "single_trial", "mask": "none", "segment": "all", "metric": "mse",
        "unit": "1", "n": 8,
    }  # fmt: skip
    floors = {"floor/planted": planted} | {f"floor/{i}": 0.0 for i in range(6)}
    of = {f: 0.4 * rng.normal(size=4)[CUE] + 0.3 * rng.normal(size=16) for f in floors}
    out = {}
    for seed in range(seeds):
        base, rows = rng.normal(size=16), []
        for run in ("decoder", *floors):
            own = 0.2 * rng.normal() + 0.2 * rng.normal(size=16)
            value = base + (0 if run == "decoder" else own - of[run] - floors[run])
            rows += [
                labels | {"run": run, "condition": f"c{k}", "value": v} for k, v in enumerate(value)
            ]
        out[seed] = ResultTable.from_rows(rows)
    return out


def test_a_planted_difference_is_found_others_are_not_and_both_views_agree() -> None:
    rng, nothing, found, agrees = np.random.default_rng(0), [], [], []
    for _ in range(4):
        table = mixed_seeds(tables(rng, planted=3.0), units=UNITS)
        assert set(table["n_unit"]) == {"seeds × conditions × cues"}
        assert set(table["n"]) == {4}
        assert set(table["correction"]) == {"Holm over 7"}
        assert table["note"].str.startswith("share of the variance: seeds ").all()
        of = table.set_index("group")
        found.append(of.loc["floor/planted", "p_corrected"])
        nothing += of.drop("floor/planted")["p"].tolist()
        agrees += table["agrees"].tolist()
    assert max(found) < 0.05
    assert np.mean(np.array(nothing) <= 0.05) <= 0.17  # of 24
    assert np.mean(np.array(agrees) == "yes") > 0.8


def test_without_shared_units_seeds_and_conditions_are_random() -> None:
    table = mixed_seeds(tables(np.random.default_rng(1), planted=3.0, seeds=3))
    assert set(table["n_unit"]) == {"seeds × conditions"}
    assert set(table["n"]) == {3}
    one = mixed_seeds(tables(np.random.default_rng(1), planted=3.0, seeds=1))
    assert one["p"].isna().all()
    assert one["note"].str.contains("one of the seeds").all()
