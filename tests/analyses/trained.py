"""What the tests of commands that train a run again share."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from mua_decode.data import DecodingData
from mua_decode.runs.run import Run
from mua_decode.types import COLUMNS, N_UNIT

FAST = ["metric=[identification,mse]", "floor=[lookup]"]


def results(folder: Path) -> tuple[pd.DataFrame, dict]:
    table = pd.read_csv(folder / "results.csv", keep_default_na=False, na_values={"value": [""]})
    assert tuple(table.columns) == (*COLUMNS, N_UNIT)
    return table, json.loads((folder / "metrics.json").read_text())


def trained(folder: Path) -> list[str]:
    return sorted(p.parent.parent.name for p in folder.glob("*/checkpoints/best.ckpt"))


def data_of(folder: Path) -> DecodingData:
    """Data of the run in a folder, built anew."""
    return Run.open(folder).data
