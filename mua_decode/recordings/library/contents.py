"""What a source of Neo or SpikeInterface holds, before its trials are known."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mua_decode.recordings.contents import Contents, EventTable, by_region
from mua_decode.recordings.library.ask import Found, ask_library
from mua_decode.recordings.library.places import UnitPlaces
from mua_decode.recordings.library.readers import paths_of
from mua_decode.types import InputError


def neo_contents(path: str | Sequence[str] | None, **options: Any) -> list[Contents]:
    """Units, events, epochs and segments of each file; options as :func:`read_neo` takes them."""
    return [_contents(p, "neo", "neo", options) for p in paths_of(path)]


def spikeinterface_contents(path: str | Sequence[str] | None, **options: Any) -> list[Contents]:
    """Units of each sorting and what is known of them."""
    return [_contents(p, "sorting", "spikeinterface", options) for p in paths_of(path)]


def raw_contents(path: str | Sequence[str] | None, **options: Any) -> list[Contents]:
    """Channels of each recording of raw voltage, of which none is read."""
    return [_contents(p, "raw", "raw", options) for p in paths_of(path)]


def _contents(source: Path, kind: str, name: str, options: Mapping[str, Any]) -> Contents:
    how, further = options.get("format"), dict(options.get("options") or {})
    look = {"look": True, "plan": {}} if kind == "raw" else {}
    found = ask_library(source, kind, format=how, options=further, **look)
    missing: list[str] = []
    regions, place = _regions(found, source, options.get("places"), missing)
    events = [EventTable(name=n, table=t, start="time_s") for n, t in found.tables.items()]
    given = [f"recording.path={source}", *([f"recording.format={how}"] if how else [])]
    inside = ",".join(f"{k}:{v}" for k, v in further.items())
    given += [*([f"recording.options={{{inside}}}"] if further else []), *place]
    chosen = next((e for e in reversed(events) if e.candidates()), None)
    if chosen is None:
        missing.append("no events to take trials from: recording.trials=FILE.csv, a row per trial")
        given += ["recording.trials=FILE.csv", "recording.condition=[COLUMN]"]
    else:
        columns = chosen.candidates()
        column = "label" if "label" in columns else columns[0]
        given += [f"recording.trials={chosen.name}", f"recording.condition=[{column}]"]
        if not {"stop_s", "stop_time"} & set(chosen.table.columns):
            given.append("recording.duration_s=SECONDS")
    missing.append("no videos: recording.videos.folder, or stand_in=blank for activity alone")
    given.append("recording.videos.stand_in=blank")
    return Contents(
        name=source.name,
        about=_about(found, kind),
        regions=regions,
        events=events,
        missing=missing,
        command=" ".join([f"mua-decode inspect recording={name}", *map(shlex.quote, given)]),
        columns={"units": [str(c) for c in found.units.columns]},
    )


def _about(found: Found, kind: str) -> dict[str, str]:
    if kind != "raw":
        return {"units": f"{len(found.units)}, {len(found.times)} spikes"}
    seconds, rate = found.about["duration_s"], found.about["rate_hz"]
    return {"channels": f"{len(found.units)}, {seconds:.1f} s of raw voltage at {rate:g} Hz"}


def _regions(
    found: Found, source: Path, given: Any, missing: list[str]
) -> tuple[dict[str, int], list[str]]:
    options = {k: v for k, v in (given or {}).items() if k != "_target_"}
    try:
        places = UnitPlaces(**options).regions(found.units, str(source))
    except InputError as error:
        missing.append(str(error).removeprefix(f"{source}: "))
        return {"unknown": len(found.units)}, ["recording.places.everywhere=REGION"]
    return by_region(places.tolist()), [
        f"recording.places.{k}={v}" for k, v in options.items() if v is not None and k != "depth"
    ]
