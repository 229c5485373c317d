"""Too few draws to conclude anything after the correction are said so, enough are not."""

from __future__ import annotations

import numpy as np
import pytest

from mua_decode.statistics import adjust, corrected_reach, with_reach
from mua_decode.types import HypothesisTable

ABOUT = {"drawn": "shifts", "option": "shifts"}


@pytest.mark.parametrize(
    ("draws", "correction", "said"),
    [
        (19, "Holm over 5", "0.25 after Holm over 5"),
        (100, "Holm over 5", ""),
        (19, "none", ""),
        (10, "none", "it cannot reach 0.05"),
        (20, "Benjamini-Hochberg over 24", "unless 23 are"),
        (1000, "Benjamini-Hochberg over 24", ""),
        (10, "Benjamini-Hochberg over 24", "none can reach 0.05"),
        (19, "Holm over 1", ""),
    ],
)
def test_reach(draws: int, correction: str, said: str) -> None:
    found = corrected_reach(draws, correction, **ABOUT)
    assert said in found
    assert bool(said) == bool(found)


@pytest.mark.parametrize("method", ["holm", "fdr_bh"])
@pytest.mark.parametrize("family", [1, 3, 7])
def test_what_it_says_is_what_the_correction_gives(method: str, family: int) -> None:
    """Planted: the clearest effect there is among tests that find nothing."""
    name = {"holm": "Holm", "fdr_bh": "Benjamini-Hochberg"}[method]
    for draws in (5, 19, 39, 59, 60, 139, 140, 500):
        best = np.r_[1 / (1 + draws), np.ones(family - 1)]
        reached = adjust(best, method)[0] <= 0.05 + 1e-12
        said = corrected_reach(draws, f"{name} over {family}", **ABOUT)
        assert reached == (said == "")
        if said:
            enough = int(said.rpartition("shifts=")[2].split()[0])
            best[0] = 1 / (1 + enough)
            assert adjust(best, method)[0] < 0.05


def test_with_so_many_alike_benjamini_and_hochberg_reach_it() -> None:
    for together in (22, 23):
        p = np.r_[np.full(together, 1 / 21), np.ones(24 - together)]
        assert (adjust(p, "fdr_bh")[0] <= 0.05) == (together == 23)


def test_rows_that_name_the_draws_are_noted() -> None:
    row = {"question": "q", "group": "g", "metric": "m", "n": 3, "n_unit": "blocks", "p": 0.05}
    row |= {"correction": "Holm over 5", "p_corrected": 0.25}
    table = HypothesisTable.from_rows(
        [{**row, "test": "rank among 19 shifts", "note": "old"}, {**row, "test": "paired t"}]
    )
    found, said = with_reach(table, 19, **ABOUT)
    assert len(said) == 1
    assert found.frame["note"].tolist() == [f"old; {said[0]}", ""]
    again, nothing = with_reach(table, 500, **ABOUT)
    assert nothing == []
    assert again.frame["note"].tolist() == ["old", ""]
