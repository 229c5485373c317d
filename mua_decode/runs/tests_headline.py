"""What an analysis found, from its own table of tests: the first thing on its page."""

from __future__ import annotations

import math

import pandas as pd

from mua_decode.report import Headline

_NEEDED = ("group", "metric", "test", "p", "p_corrected", "correction", "n", "n_unit", "question")


def tests_headline(tests: pd.DataFrame | None) -> Headline | None:
    """The first test in words, and how many of all hold after correction; ``None`` without any.

    Parameters
    ----------
    tests
        A ``tests.csv``, which may come from elsewhere.
    """
    if tests is None or any(c not in tests for c in _NEEDED):
        return None
    p = pd.to_numeric(tests["p_corrected"], errors="coerce")
    rows = tests[p.between(0, 1)]
    if not len(rows):
        return Headline("No test of this analysis has a p-value: tests.csv says why.", "neutral")
    held = int((p[rows.index] < 0.05).sum())
    first = {str(k): v for k, v in rows.iloc[0].to_dict().items()}
    effect = ""
    if (size := _number(first.get("effect"))) is not None:
        ends = [_number(first.get(e)) for e in ("low", "high")]
        span = "" if None in ends else f" ({ends[0]:.3g} to {ends[1]:.3g})"
        effect = f"{_text(first.get('effect_name'))} {size:.3g}{span}, "
    note = first.get("note")
    said = f" {note[:300]}." if isinstance(note, str) and note else ""
    text = (
        f"First of its tests: {_text(first['question'])} {_text(first['group'])}, "
        f"{_text(first['metric'])}: {effect}p = {float(p[rows.index[0]]):.2g} "
        f"({_text(first['correction'])}; {_text(first['test'])}; n = {_text(first['n'])} "
        f"{_text(first['n_unit'])}).{said} All: tests.csv."
    )
    return Headline(text, "neutral", f"{held} of {len(rows)} tests with p < .05, corrected")


def _number(value: object) -> float | None:
    """A finite number of a table that may hold anything."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def _text(value: object) -> str:
    found = _number(value)
    return f"{found:g}" if found is not None else str(value)[:200]
