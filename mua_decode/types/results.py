"""The tidy table every analysis returns and every figure takes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from mua_decode.types.errors import InputError

COLUMNS = (
    "run",  # "decoder", another network, "floor/lookup", "ceiling/condition_mean"
    "split",  # "test", "val"; "test (leaking)", "test (leaks unknown)": LeakState.label
    "condition",  # condition name, or "all"
    "trial",  # how trials entered: "single_trial" or "trial_average"
    "mask",  # "none" or which sites were removed, and how
    "segment",  # segment name or "all"
    "metric",
    "value",
    "unit",
    "n",  # number of values averaged
)
# Columns of tables that hold names, which users give.
_NAMES = ("run", "split", "condition", "mask", "segment", "region", "site_id", "session", "subject")


@dataclass(frozen=True, eq=False)
class ResultTable:
    """A DataFrame with exactly the columns of ``COLUMNS``."""

    frame: pd.DataFrame

    def __post_init__(self) -> None:
        missing = [c for c in COLUMNS if c not in self.frame.columns]
        extra = [c for c in self.frame.columns if c not in COLUMNS]
        if missing or extra:
            raise InputError(f"result table: missing columns {missing}, unknown columns {extra}")

    @classmethod
    def from_rows(cls, rows: list[dict[str, object]]) -> ResultTable:
        """Build from one dict per row."""
        return cls(pd.DataFrame(rows, columns=list(COLUMNS)))

    @classmethod
    def concat(cls, tables: list[ResultTable]) -> ResultTable:
        """Stack tables."""
        return cls(pd.concat([t.frame for t in tables], ignore_index=True))


def read_table(path: Path) -> pd.DataFrame:
    """Read a table that was written as CSV; only what is empty there is missing here.

    A region may be called NA, a condition None, and a site 007.
    """
    kinds = dict.fromkeys(_NAMES, str)
    return pd.read_csv(path, dtype=kinds, keep_default_na=False, na_values=[""])


def whole(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of the whole video, or of the only segment that a metric scores."""
    segments = rows.groupby("metric")["segment"].transform("nunique")
    return rows[(rows["segment"] == "all") | (segments == 1)]
