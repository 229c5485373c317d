"""A share of the campaign, and proof that it finds what it looks for."""

from __future__ import annotations

import inspect
from pathlib import Path

import numpy as np
import pytest

from mua_decode import statistics
from mua_decode.statistics import Units, unit_t
from mua_decode.types import HypothesisTable
from tests.statistics.calibration import campaign
from tests.statistics.calibration.cases import ASKED, Case, Rate, rejects, run
from tests.statistics.calibration.structures import CUES, factorial


def test_every_exported_function_is_calibrated_by_name() -> None:
    assert campaign.uncovered(statistics.__all__) == []
    assert campaign.uncovered([*statistics.__all__, "new_test"]) == ["new_test"]
    for name in campaign.NO_INFERENCE:
        found = inspect.signature(getattr(statistics, name)).return_annotation if callable(
            getattr(statistics, name)
        ) else ""  # fmt: skip
        assert found not in ("HypothesisTable", "Interval", "PermutationNull"), name
    titles = [case.title for case in campaign.CASES]
    assert len(set(titles)) == len(titles)
    kinds: dict[str, set[str]] = {}
    for case in campaign.CASES:
        kinds.setdefault(case.function, set()).add(case.kind)
    for name, kind in kinds.items():
        assert kind & {"size", "coverage"}, name
        assert "size" not in kind or "power" in kind or name == "correct", name


def test_a_share_of_every_case_is_sound() -> None:
    """Few draws, five Monte Carlo errors: what is far off is found; the campaign finds the rest."""
    off = []
    for case in campaign.CASES:
        found = run(case, seed=2, scale=0.01)
        low, high = case.bounds
        too_low = case.kind != "size" and found.rate < low - 5 * found.error
        if too_low or (case.kind == "size" and found.rate > high + 5 * found.error):
            off.append(f"{case.title}: {found.rate:.3f}")
    assert off == []


def test_a_wrong_unit_is_found(tmp_path: Path) -> None:
    def wrong(rng: np.random.Generator) -> bool:
        return rejects(unit_t(factorial(rng, 0.5), Units.each(64), **ASKED))

    theirs = Case("adjust", "a", "b", "size", lambda rng: False, target=0.025, theory="half")
    assert theirs.bounds == pytest.approx((0.015, 0.035))
    assert not Rate(theirs, 0.05, 2000).sound  # as sound as another's, were it not for its target
    assert Rate(theirs, 0.025, 2000).sound
    assert "(half: 0.025, bounds 0.015 to 0.035)" in campaign.table([Rate(theirs, 0.025, 2000)])
    case = Case("unit_t", "64 conditions taken for units", "64", "size", wrong, 200)
    found = run(case, seed=0)
    assert found.rate > 0.3
    assert not found.sound
    page = tmp_path / "page.md"
    page.write_text(f"before\n{campaign.START}\nold\n{campaign.END}\nafter\n", encoding="utf-8")
    campaign.write(campaign.table([found, Rate(case, 0.05, 1000)]), page)
    text = page.read_text(encoding="utf-8")
    assert text.startswith("before\n") and text.endswith("after\n")  # noqa: PT018
    assert "old" not in text
    assert text.count("**outside**") == 1
    assert "0.050 ± 0.007" in text


def test_the_page_has_the_table_of_the_cases_there_are() -> None:
    text = campaign.PAGE.read_text(encoding="utf-8")
    made = text.split(campaign.START)[1].split(campaign.END)[0]
    assert "**outside**" not in made
    for case in campaign.CASES:
        assert f"| `{case.function}` | {case.structure}" in made, case.title
    assert made.count("| `") == len(campaign.CASES)


def test_no_p_is_no_rejection() -> None:
    none = HypothesisTable.from_rows([ASKED])
    assert not rejects(none)
    assert not rejects(unit_t(np.zeros(64), CUES, **ASKED))
