"""A decoder below a floor is found, one above is not, and a damaged file says nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mua_decode.scoring.standing import Standing, known_number


def flat(identified: float, r: float) -> dict[str, object]:
    return {
        "test/single_trial/identification": identified,
        "test/single_trial/pixel_correlation": r,
        "test/trial_average/identification": 1.0,  # averages do not count
        "floor/lookup/single_trial/identification": 0.975,
        "floor/ridge/single_trial/identification": 0.5,
        "floor/mean_video/single_trial/pixel_correlation": 0.8,
        "floor/lookup/single_trial/pixel_correlation/cue": 1.0,  # nor does one segment
        "ceiling/condition_mean/single_trial/pixel_correlation": 0.99,  # nor the ceiling
    }


@pytest.mark.parametrize(
    ("identified", "r", "below"),
    [(0.25, 0.9, {"identification"}), (0.98, 0.7, {"pixel_correlation"}), (0.98, 0.9, set()),
     (0.9749, 0.8, set())],
)  # fmt: skip
def test_below_the_strongest_floor(identified: float, r: float, below: set[str]) -> None:
    found = Standing.of(flat(identified, r))
    assert found is not None
    assert {c.metric for c in found.compared if c.below} == below
    assert found.below == bool(below) == bool(found.warning)
    if "identification" in below:
        assert "identified 0.250, floor lookup 0.975" in found.warning
        assert "withheld" in found.warning


def test_without_floors_nothing_is_said() -> None:
    assert Standing.of({"test/single_trial/identification": 0.1}) is None


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{", "[" * 100_000, json.dumps({"test/single_trial/identification": "<b>"})],
)
def test_damaged_numbers_say_nothing(tmp_path: Path, text: str) -> None:
    path = tmp_path / "metrics.json"
    assert Standing.read(path) is None
    path.write_text(text)
    assert Standing.read(path) is None


def test_numbers_of_a_file() -> None:
    assert known_number(3) == 3.0
    assert [known_number(v) for v in (True, "1", None, float("nan"), 10**400)] == [None] * 5
