"""Small files of a run's folder, which may come from elsewhere, read within bounds for a page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from mua_decode.report import Films
from mua_decode.runs.folder import RunFolder
from mua_decode.runs.plan import plain
from mua_decode.runs.stored import load_stored
from mua_decode.types import InputError, read_table

_MOST_JSON = 1 << 25  # bytes
_MOST_CSV = 1 << 27
_MOST_COLUMNS = 200
_LONGEST = 300  # characters of a cell


def stored_json(path: Path) -> dict[str, Any]:
    """Read a mapping; empty where it is missing, damaged or larger than such files are."""
    try:
        if not path.is_file() or path.stat().st_size > _MOST_JSON:
            return {}
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return {str(k): v for k, v in found.items()} if isinstance(found, Mapping) else {}


def stored_table(path: Path) -> pd.DataFrame | None:
    """Read a CSV file; ``None`` where it is missing, empty, damaged or too large for a page."""
    try:
        if not path.is_file() or path.stat().st_size > _MOST_CSV:
            return None
        table = read_table(path)
    except (OSError, ValueError):  # pandas' own errors are ValueErrors
        return None
    return table if len(table) and table.shape[1] <= _MOST_COLUMNS else None


def cut(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with its texts no longer than a page can show."""
    short = {c: c if len(str(c)) <= _LONGEST else f"{str(c)[:_LONGEST]}…" for c in table}
    texts = table.select_dtypes(exclude="number").columns
    cells = {c: table[c].map(_short_text) for c in texts}
    return table.assign(**cells).rename(columns=short)


def _short_text(value: object) -> object:
    return f"{value[:_LONGEST]}…" if isinstance(value, str) and len(value) > _LONGEST else value


def stored_config(folder: RunFolder) -> dict[str, Any]:
    """Config of a run as plain values; empty where there is none that can be read."""
    try:
        return dict(plain(load_stored(folder.config)))
    except InputError:
        return {}


def stored_films(*folders: RunFolder) -> Films | None:
    """Films of the first of the folders that holds any that can be read."""
    for folder in folders:
        if folder.films.is_file():
            try:
                return Films.load(folder.films)
            except InputError:
                continue
    return None
