"""Spike trains, events, epochs and segments through Neo; see guarded_child.py."""

from __future__ import annotations

from typing import Any

import neo
import neo.io
import numpy as np
from guarded_child import RefusedError, flat, plain_value  # type: ignore[import-not-found]

_GAP_S = 1.0  # between segments laid end to end
_RUNS_CODE = ("PickleIO", "ElphyIO")


def read(request: dict[str, Any]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return units with their spike times, and tables of what happened, all on one clock."""
    path, name = request["path"], request["format"]
    if name is None:
        io = neo.io.get_io(path, **request["options"])
    else:
        kind = getattr(neo.io, name if name.endswith("IO") else f"{name}IO", None)
        if kind is None:
            known = ", ".join(sorted(k.__name__.removesuffix("IO") for k in neo.io.iolist))
            raise RefusedError(f"Neo has no format '{name}'; it has {known}")
        _check(kind)
        io = kind(path, **request["options"])
    _check(type(io))
    lazy = bool(io.support_lazy)
    blocks = io.read(lazy=True) if lazy else io.read()
    segments = [s for block in blocks for s in block.segments]
    if not segments:
        raise RefusedError("it holds no segment")
    tables: dict[str, list[dict[str, Any]]] = {"segments": [], "events": [], "epochs": []}
    trains: list[list[Any]] = []
    offsets: list[float] = []
    behind = 0.0
    for number, segment in enumerate(segments):
        begin, end = (_seconds(t) for t in (segment.t_start, segment.t_stop))
        offset = 0.0 if len(segments) == 1 else behind - begin
        behind = end + offset + _GAP_S
        offsets.append(offset)
        row = {"time_s": begin + offset, "stop_s": end + offset, "segment": number}
        row |= {"name": str(segment.name or ""), **_annotations(segment.annotations)}
        tables["segments"].append(row)
        tables["events"] += _rows(segment.events, number, offset)
        tables["epochs"] += _rows(segment.epochs, number, offset)
        trains.append(list(segment.spiketrains))
    units, times = _units(trains, offsets)
    about = {
        "units": units,
        "tables": {k: _columns(rows) for k, rows in tables.items() if rows},
        "notes": [],
    }
    if len(segments) > 1:
        about["notes"] = [f"{len(segments)} segments are laid end to end, {_GAP_S:g} s apart"]
    return about, flat(times)


def _check(kind: type) -> None:
    if kind.__name__ in _RUNS_CODE:
        raise RefusedError(f"{kind.__name__} can run code that stands in the file")


def _seconds(quantity: Any) -> Any:
    return np.asarray(quantity.rescale("s").magnitude, np.float64)[()]


def _annotations(found: dict[str, Any]) -> dict[str, Any]:
    kept = {str(k): plain_value(v) for k, v in found.items()}
    return {k: v for k, v in kept.items() if v is not None}


def _rows(objects: Any, segment: int, offset: float) -> list[dict[str, Any]]:
    """One row per event or epoch of all objects, in order of time."""
    rows = []
    for number, lazily in enumerate(objects):
        found = lazily.load() if hasattr(lazily, "load") else lazily
        times = _seconds(found.times) + offset
        durations = getattr(found, "durations", None)
        durations = None if durations is None else _seconds(durations)
        labels = np.asarray(found.labels)
        of = str(found.name or f"channel {number}")
        for k, time in enumerate(np.atleast_1d(times).tolist()):
            row = {"time_s": time, "segment": segment, "channel": of}
            if len(labels) == len(found.times):
                row["label"] = plain_value(labels[k])
            if durations is not None and np.size(durations):
                row["duration_s"] = float(np.atleast_1d(durations)[k])
                row["stop_s"] = time + row["duration_s"]
            for key, values in found.array_annotations.items():
                row.setdefault(str(key), plain_value(np.asarray(values)[k]))
            rows.append(row)
    return sorted(rows, key=lambda row: row["time_s"])


def _units(
    segments: list[list[Any]], offsets: list[float]
) -> tuple[dict[str, list[Any]], list[np.ndarray]]:
    """The same unit of every segment is the one of its place, or of its name."""
    number = {len(trains) for trains in segments}
    if len(number) != 1:
        raise RefusedError(
            f"its segments hold {sorted(number)} spike trains, expected the same units"
        )
    rows, times = [], []
    for k in range(number.pop()):
        parts = []
        for trains, offset in zip(segments, offsets, strict=True):
            train = trains[k].load() if hasattr(trains[k], "load") else trains[k]
            parts.append(np.sort(_seconds(train.times)) + offset)
        first = segments[0][k]
        about = {"name": str(first.name or ""), **_annotations(first.annotations)}
        rows.append({"id": str(first.name or about.get("id", f"unit{k}")), **about})
        times.append(np.concatenate(parts))
    taken = [row["id"] for row in rows]
    for k, row in enumerate(rows):
        if taken.count(row["id"]) > 1:
            row["id"] = f"{row['id']} ({k})"
    return _columns(rows), times


def _columns(rows: list[dict[str, Any]]) -> dict[str, list[Any]]:
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}
