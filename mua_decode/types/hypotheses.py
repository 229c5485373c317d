"""The table of every hypothesis tested: what was asked, the test, its n and its correction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypedDict

import numpy as np
import pandas as pd

from mua_decode.types.errors import InputError

_TEXT = ("question", "group", "metric", "test", "correction", "n_unit", "effect_name", "note")

HYPOTHESIS_COLUMNS = (
    "question",  # what is asked, in words: "does removing the region change the score?"
    "group",  # what it is asked of: a region, a run, a pair of runs
    "metric",
    "test",  # the test in words, with its alternative
    "statistic",
    "df",  # degrees of freedom, NaN for tests without
    "p",
    "correction",  # "none", or the method with the size of its family: "Holm over 6"
    "p_corrected",
    "n",  # number of values the test saw
    "n_unit",  # what n counts: "conditions", "recorded trials", "sessions"
    "effect_name",
    "effect",
    "low",  # 95 % interval of the effect
    "high",
    "note",  # what was left out, a second effect size, why p is missing
)


class Question(TypedDict):
    """What a test is asked: columns of the table that a test copies into its row."""

    question: str
    group: str
    metric: str


@dataclass(frozen=True, eq=False)
class HypothesisTable:
    """A DataFrame with exactly the columns of ``HYPOTHESIS_COLUMNS``, one row per p-value.

    Raises InputError if columns are missing or unknown, a p-value lies outside [0, 1], or a row
    with a p-value does not say its test, its n and its correction.
    """

    frame: pd.DataFrame

    def __post_init__(self) -> None:
        missing = [c for c in HYPOTHESIS_COLUMNS if c not in self.frame.columns]
        extra = [c for c in self.frame.columns if c not in HYPOTHESIS_COLUMNS]
        if missing or extra:
            raise InputError(f"hypothesis table: missing columns {missing}, unknown {extra}")
        for column in ("p", "p_corrected"):
            p = self.frame[column].to_numpy(dtype=float, na_value=np.nan)
            wrong = p[~np.isnan(p) & ~((p >= 0) & (p <= 1))]
            if len(wrong):
                raise InputError(f"hypothesis table: {column} must be in [0, 1], found {wrong[0]}")
        tested = self.frame["p"].notna().to_numpy()
        counts = self.frame["n"].to_numpy(dtype=float, na_value=np.nan)
        absent = {"n": ~(counts >= 1)}
        for column in ("test", "correction", "n_unit"):
            texts = self.frame[column].to_numpy(dtype=object, na_value="")
            absent[column] = np.array([not str(text).strip() for text in texts], bool)
        for column, missing_here in absent.items():
            if (tested & missing_here).any():
                row = self.frame[tested & missing_here].iloc[0]
                raise InputError(
                    f"hypothesis table: the row '{row['question']}', '{row['group']}', "
                    f"'{row['metric']}' has a p-value but no {column}"
                )

    def __len__(self) -> int:
        return len(self.frame)

    @classmethod
    def from_rows(cls, rows: Sequence[Mapping[str, object]]) -> HypothesisTable:
        """Build from one mapping per row.

        A number left out is NaN, a text left out is empty, a correction left out is ``"none"``
        and ``p_corrected`` is then p.
        """
        unknown = sorted({key for row in rows for key in row} - set(HYPOTHESIS_COLUMNS))
        if unknown:
            raise InputError(f"hypothesis table: unknown columns {unknown}")
        columns: dict[str, np.ndarray] = {}
        for column in HYPOTHESIS_COLUMNS:
            if column in _TEXT:
                default = "none" if column == "correction" else ""
                columns[column] = np.array([str(r.get(column, default)) for r in rows], object)
            else:
                columns[column] = np.array([r.get(column, np.nan) for r in rows], np.float64)
        untouched = (columns["correction"] == "none") & np.isnan(columns["p_corrected"])
        columns["p_corrected"] = np.where(untouched, columns["p"], columns["p_corrected"])
        return cls(pd.DataFrame(columns))

    @classmethod
    def of_test(cls, row: Mapping[str, object], notes: Sequence[str]) -> HypothesisTable:
        """Build the table of one test, its notes joined to one; empty ones are left out."""
        return cls.from_rows([{**row, "note": "; ".join(filter(None, notes))}])

    @classmethod
    def concat(cls, tables: Sequence[HypothesisTable]) -> HypothesisTable:
        """Stack tables; no table gives an empty one."""
        if not tables:
            return cls.from_rows([])
        return cls(pd.concat([t.frame for t in tables], ignore_index=True))
