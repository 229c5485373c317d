"""The tidy table every analysis returns and every figure takes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
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
# Options of pandas.read_csv that give back every number as it was written; 3.1 needs none.
_PANDAS = tuple(int(part) for part in pd.__version__.split(".")[:2])
EXACT: dict[str, Any] = {} if _PANDAS >= (3, 1) else {"float_precision": "round_trip"}
N_UNIT = "n_unit"  # what n counts; tables may have it, and files do: see units_named
# Columns of tables that hold names, which users give.
_NAMES = ("run", "split", "condition", "mask", "segment", "region", "site_id", "session", "subject")


@dataclass(frozen=True, eq=False)
class ResultTable:
    """A DataFrame with exactly the columns of ``COLUMNS``, and perhaps ``n_unit``."""

    frame: pd.DataFrame

    def __post_init__(self) -> None:
        missing = [c for c in COLUMNS if c not in self.frame.columns]
        extra = [c for c in self.frame.columns if c not in (*COLUMNS, N_UNIT)]
        if missing or extra:
            raise InputError(f"result table: missing columns {missing}, unknown columns {extra}")

    @classmethod
    def from_rows(cls, rows: list[dict[str, object]]) -> ResultTable:
        """Build from one dict per row."""
        named = [N_UNIT] if any(N_UNIT in row for row in rows) else []
        return cls(pd.DataFrame(rows, columns=[*COLUMNS, *named]))

    @classmethod
    def concat(cls, tables: list[ResultTable]) -> ResultTable:
        """Stack tables."""
        return cls(pd.concat([t.frame for t in tables], ignore_index=True))


def read_table(path: Path) -> pd.DataFrame:
    """Read a table that was written as CSV; only what is empty there is missing here.

    A region may be called NA, a condition None, and a site 007.
    """
    kinds = dict.fromkeys(_NAMES, str)
    return pd.read_csv(path, dtype=kinds, keep_default_na=False, na_values=[""], **EXACT)


def units_named(results: pd.DataFrame) -> pd.DataFrame:
    """Say in every row of a result table what its ``n`` counts, as files do.

    Where the analysis has not said it: noise inputs, folds, trials of a score of single trials,
    conditions of a score of averages, the average itself in a row of one condition.
    """
    text = results[["run", "split", "trial", "condition"]].astype(str)
    average = text["trial"] == "trial_average"
    units = np.select(
        [
            text["run"] == "chance/noise",
            text["split"].str.contains(", mean over ", regex=False),
            average & (text["condition"] == "all"),
            average,
        ],
        ["noise inputs", "folds", "conditions", "averages over the trials of a condition"],
        "trials",
    )
    found = pd.Series(units, index=results.index)
    if N_UNIT in results:
        found = results[N_UNIT].where(results[N_UNIT].notna(), found)
    return results.drop(columns=N_UNIT, errors="ignore").assign(**{N_UNIT: found})


def whole(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of the whole video, or of the only segment that a metric scores."""
    segments = rows.groupby("metric")["segment"].transform("nunique")
    return rows[(rows["segment"] == "all") | (segments == 1)]
