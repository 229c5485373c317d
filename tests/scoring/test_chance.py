"""A score is told from chance by a test that counts what is independent, or it is not."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mua_decode.runs.page import write_run_page
from mua_decode.scoring.chance import Chance, chance_of
from mua_decode.scoring.standing import Standing
from mua_decode.types import COLUMNS, STAND_IN


@pytest.mark.parametrize(
    ("chance", "above"),
    [
        (Chance(1.0, 1 / 8, 1 / 8, 32), True),  # planted: every trial
        (Chance(0.3, 1 / 8, 1 / 8, 100), True),
        (Chance(1.0, 1 / 2, 1 / 2, 10), True),  # two conditions suffice
        (Chance(1 / 8, 1 / 8, 1 / 8, 816), False),  # blank pictures: all tie
        (Chance(0.0, 1 / 30, 1 / 5, 600), False),
        (Chance(0.14, 1 / 8, 1 / 8, 100), False),  # above by luck
        (Chance(0.2, 1 / 30, 1 / 5, 600), False),  # one held-out video, named in every trial
        (Chance(1.0, 1 / 2, 1 / 2, 2), False),  # two trials say nothing
        (Chance(0.3, 1 / 8, 1 / 8, 8), False),  # the same share of few trials
    ],
)  # fmt: skip
def test_above_chance(chance: Chance, above: bool) -> None:
    assert chance.above == above
    assert f"chance {chance.chance:.3f} (n = {chance.n} " in chance.said
    assert "exact binomial test" in chance.said


@pytest.mark.parametrize("spread", ["even", "one video", "some videos"])
@pytest.mark.parametrize("k_shown", [8, 3])
def test_answers_that_ignore_the_activity_pass_in_one_of_twenty(spread: str, k_shown: int) -> None:
    rng, k, n = np.random.default_rng(0), 8, 5
    answer = {"even": np.full(k, 1 / k), "one video": np.eye(k)[0],
              "some videos": np.r_[[0.5, 0.3, 0.2], np.zeros(k - 3)]}[spread]  # fmt: skip
    hits = rng.binomial(n, answer[:k_shown], (2000, k_shown)).sum(1)
    total = n * k_shown
    passed = [Chance(h / total, 1 / k, 1 / k_shown, total).above for h in hits]
    assert np.mean(passed) < 0.05


def numbers(identified: float, **more: object) -> dict[str, object]:
    return {
        "test/single_trial/identification": identified,
        "floor/lookup/single_trial/identification": min(identified, 0.1),
        "chance/identification": 1 / 8,
        "test/n_pseudo_trials": 816,
        "test/n_recorded_trials": 32,
        **more,
    }


def table(n: int = 102) -> pd.DataFrame:
    base = dict.fromkeys(COLUMNS, "x") | {"run": "decoder", "metric": "identification"}
    base |= {"trial": "single_trial", "segment": "all", "split": "test", "value": 0.5}
    return pd.DataFrame([{**base, "condition": f"c{i}", "n": n} for i in range(8)])


def folder(place: Path, flat: dict[str, object], notes: list[str] | None = None) -> Path:
    place.mkdir()
    (place / "metrics.json").write_text(json.dumps(flat))
    (place / "recording.json").write_text(json.dumps({"name": "r", "notes": notes or []}))
    table().to_csv(place / "results.csv", index=False)
    return place


@pytest.mark.parametrize(
    ("identified", "notes", "said"),
    [(0.9, [], ""), (0.125, [], "not above chance"), (0.9, [STAND_IN], "stand-in videos")],
)
def test_pages_of_a_run_and_of_what_was_asked_of_it(
    tmp_path: Path, identified: float, notes: list[str], said: str
) -> None:
    """Earlier runs too: what is independent is then read from their tables."""
    run = folder(tmp_path / "run", numbers(identified), notes)
    standing = Standing.read(run / "metrics.json")
    assert standing is not None
    assert list(standing.warnings) == ([said] if said else [])
    assert standing.withheld == bool(said) != standing.good
    page = write_run_page(run).read_text()
    assert ("✓ good" in page) == (not said)
    assert not said or page.index(f">{said}<") < page.index("Single trials, test part")
    inside = run / "film"
    inside.mkdir()
    tested = {
        "question": "is it more?",
        "group": "decoder",
        "metric": "r",
        "test": "rank",
        "p": 0.5,
    }
    tested |= {"p_corrected": 1.0, "correction": "Holm over 5", "n": 1, "n_unit": "blocks"}
    pd.DataFrame([tested]).to_csv(inside / "tests.csv", index=False)
    (inside / "metrics.json").write_text("{}")
    page = write_run_page(inside, run).read_text()
    assert "✓ good" not in page
    own = page.index("0 of 1 tests with p &lt; .05, corrected")
    assert not said or own < page.index(f">{said}<")
    assert "Single trials, test part, beside" not in page  # no score of the film


def test_without_what_is_independent_nothing_is_good(tmp_path: Path) -> None:
    flat = numbers(0.9)
    del flat["test/n_recorded_trials"]
    assert chance_of(flat, "test", table()) is None
    assert chance_of(numbers(0.9), "test", None) is None
    run = folder(tmp_path / "run", flat)
    assert "✓ good" not in write_run_page(run).read_text()
    for wrong in (-1, 0, 10**400, "3", float("nan")):
        more = {"test/n_independent_trials": wrong, "chance/most_frequent_condition": 0.1}
        assert chance_of(numbers(0.9, **more), "test", None) is None
