"""From the columns of trials tables to conditions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from mua_decode.types import InputError, StimulusSet, nearest_name


def require_columns(table: Iterable[object], columns: Sequence[str], where: str) -> None:
    """Refuse a table (or the names of its columns) that lacks a column, naming the nearest."""
    known = [str(c) for c in table]
    for name in columns:
        if name not in known:
            raise InputError(
                f"{where}: has no column '{name}'{nearest_name(name, known)}; "
                f"found: {', '.join(known)}"
            )


def usable_trials(
    table: pd.DataFrame, needed: Sequence[str], *, bad: np.ndarray | None, called: str, where: str
) -> tuple[np.ndarray, list[str]]:
    """Find the trials that are not bad and whose needed values are all known.

    NaN and empty text in the ``needed`` columns are unknown; ``bad`` is bool (trials,), if the
    file says so, and ``called`` so in the notes. Returns their rows, int (usable trials,), of
    which none is an InputError, and notes that say what was left out, with numbers.
    """
    usable, notes = np.ones(len(table), bool), []
    if bad is not None:
        usable &= ~bad
        notes.append(f"{int(bad.sum())} of {len(table)} trials left out as {called}")
    part = table[list(needed)]
    blank = part.isna() | part.map(lambda v: isinstance(v, str) and v.strip() in ("", "nan"))
    empty = usable & blank.to_numpy(bool).any(axis=1)
    if empty.any():
        notes.append(
            f"{int(empty.sum())} of {len(table)} trials left out: {', '.join(needed)} not all known"
        )
    rows = np.flatnonzero(usable & ~empty)
    if not len(rows):
        raise InputError(f"{where}: no usable trial among {len(table)}")
    return rows, notes


def chosen_rows(table: pd.DataFrame, where: Mapping[str, object], source: str) -> np.ndarray:
    """Rows, int (kept,), whose columns have the given values; an InputError if there is none.

    Parameters
    ----------
    where
        Column -> a value, or a list of values of which it is one. Numbers and text that is one
        are the same.
    """
    kept = np.ones(len(table), bool)
    for column, given in where.items():
        values = given if isinstance(given, list | tuple) else [given]
        wanted = {_plain(v) for v in values}
        found = [_plain(v) for v in table[column]]
        inside = np.array([v in wanted for v in found], bool)
        if not inside.any():
            known = ", ".join(dict.fromkeys(_text(v) for v in table[column].head(200)))
            shown = ", ".join(map(str, values))
            raise InputError(
                f"{source}: recording.where.{column}={shown} matches no row; found: {known[:200]}"
            )
        kept &= inside
    if len(table) and not kept.any():
        raise InputError(f"{source}: recording.where: no row has all of {dict(where)}")
    return np.flatnonzero(kept)


def flags(column: pd.Series, where: str) -> np.ndarray:
    """Return a column of true and false, 0 and 1, as booleans; an InputError if it is none."""
    numbers = pd.to_numeric(column, errors="coerce").fillna(-1).to_numpy(float)
    if not np.isin(numbers, [0, 1]).all():
        raise InputError(f"{where} must hold true or false, found {list(column.unique())[:3]}")
    return np.asarray(numbers == 1)


def make_conditions(
    tables: Sequence[pd.DataFrame], columns: Sequence[str]
) -> tuple[pd.DataFrame, list[np.ndarray]]:
    """Every distinct combination of the columns of the sessions' trials tables is a condition.

    Returns one row per condition, sorted by ``columns``, whose ``name`` joins their values; and per
    session, the condition of every trial. Without columns all trials are of one condition,
    ``film``.
    """
    columns = list(columns)
    if not columns:
        return pd.DataFrame({"name": ["film"]}), [np.zeros(len(t), int) for t in tables]
    every = pd.concat([t[columns] for t in tables])
    found = every.drop_duplicates().sort_values(columns, kind="stable", ignore_index=True)
    index = found.assign(_row=np.arange(len(found)))
    rows = [t[columns].merge(index, on=columns, how="left")["_row"].to_numpy(int) for t in tables]
    if "name" not in found.columns:
        found.insert(0, "name", [" ".join(_text(v) for v in row) for row in found.to_numpy()])
    return found, rows


def match_conditions(
    trials: pd.DataFrame,
    stimuli: StimulusSet,
    *,
    match: Mapping[str, str],
    codes: Mapping[str, Mapping[object, object]] | None = None,
    where: str = "trials",
) -> np.ndarray:
    """Find the condition of every trial, int (trials,), in a stimulus set.

    A value that has no condition is an InputError that names it.

    Parameters
    ----------
    match
        Column of the stimulus set's conditions -> column of the trials table. Together they
        must tell all conditions apart. Columns ending in ``_deg`` are compared modulo 360.
    codes
        Column of the stimulus set -> what a value in the trials table means there.

    """
    if not match:
        raise InputError("recording.match is empty; say which columns tell the conditions apart")
    require_columns(stimuli.conditions, list(match), "recording.match: the stimulus set")
    require_columns(trials, list(match.values()), where)
    known = [_keys(stimuli.conditions[c], c) for c in match]
    rows = {key: k for k, key in enumerate(zip(*known, strict=True))}
    if len(rows) < stimuli.n_conditions:
        raise InputError(
            f"recording.match: {', '.join(match)} do not tell the {stimuli.n_conditions} "
            "conditions apart"
        )
    found = []
    for column, source in match.items():
        means = {_plain(k): v for k, v in ((codes or {}).get(column) or {}).items()}
        keys = _keys((means.get(_plain(v), v) for v in trials[source]), column)
        allowed = set(_keys(stimuli.conditions[column], column))
        for key, value in zip(keys, trials[source], strict=True):
            if key not in allowed:
                shown = ", ".join(map(str, dict.fromkeys(stimuli.conditions[column])))
                raise InputError(
                    f"{where}: {source} {_text(value)} has no '{column}' among the videos "
                    f"({shown}); say what it means in recording.codes.{column}"
                )
        found.append(keys)
    wanted = list(zip(*found, strict=True))
    for key in wanted:
        if key not in rows:
            shown = ", ".join(map(str, key))
            raise InputError(f"{where}: no video has {', '.join(match)} = {shown}")
    return np.array([rows[key] for key in wanted], int)


def _keys(values: Iterable[object], column: str) -> list[object]:
    plain = [_plain(v) for v in values]
    if column.endswith("_deg"):
        return [round(v % 360, 6) if isinstance(v, float) else v for v in plain]
    return plain


def _plain(value: object) -> object:
    """Numbers, and text that is one, as float; everything else as text."""
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return str(value)


def _text(value: object) -> str:
    if isinstance(value, bool | np.bool_):
        return str(bool(value))
    return f"{value:g}" if isinstance(value, int | float | np.number) else str(value)
