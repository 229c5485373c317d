"""What an NWB file holds, whatever it lacks: units, regions, tables of intervals, stimuli."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mua_decode.recordings.contents import Contents, EventTable, by_region
from mua_decode.recordings.nwb.open import nwb_sources, open_nwb
from mua_decode.recordings.nwb.spikes import unit_regions, units_of
from mua_decode.recordings.nwb.tables import beside, interval_tables, plain_table, text_of
from mua_decode.recordings.nwb.videos import missing_films
from mua_decode.types import InputError


def nwb_contents(
    path: str | Sequence[str] | None,
    *,
    region: str = "location",
    stream: str | None = None,
    trials: object = None,
    **_: object,
) -> list[Contents]:
    """Return what each file holds; whatever it lacks is said in ``missing``.

    Takes the options of :func:`mua_decode.recordings.read_nwb`. Raises InputError if a file cannot
    be read at all.
    """
    found = []
    for source in nwb_sources(path, stream):
        with open_nwb(source) as nwb:
            given = source.address or str(source.path)
            tables = beside(trials) | {n: plain_table(t) for n, t in interval_tables(nwb).items()}
            events = [EventTable(name=n, table=t) for n, t in tables.items()]
            found.append(
                _contents(nwb, source.path, given, events=events, region=region, stream=stream)
            )
    return found


def _contents(
    nwb: Any,
    path: Path,
    given: str,
    *,
    events: Sequence[EventTable],
    region: str,
    stream: str | None,
) -> Contents:
    missing: list[str] = []
    if not events:
        missing.append("no table of intervals, so no trials: recording.trials=FILE.csv gives them")
    elif events[0].name != "trials" and not events[0].name.endswith(".csv"):
        missing.append("no table called trials: recording.trials names another")
    regions, set_region = _regions(nwb, path, region, missing)
    series, usable = _series(nwb, path, missing)
    electrodes = nwb.electrodes
    columns: dict[str, Sequence[str]] = {}
    if (units := units_of(nwb)) is not None:
        columns["units"] = [text_of(c) for c in units.colnames]
    if electrodes is not None:
        columns["electrodes"] = [text_of(c) for c in electrodes.colnames]
    about = {
        "session": text_of(nwb.session_id or path.stem),
        "subject": text_of(nwb.subject.subject_id) if nwb.subject is not None else "unknown",
        "begun": nwb.session_start_time.isoformat(),
        "units": _units(nwb),
        "electrodes": str(len(electrodes)) if electrodes is not None else "none",
        "stimuli": "; ".join(series) or "none",
        **_raw(nwb),
    }
    options = [f"recording.path={given}", *set_region]
    if stream is not None:
        options.append(f"recording.stream={stream}")
    return Contents(
        name=text_of(nwb.identifier),
        about=about,
        regions=regions,
        events=events,
        missing=missing,
        command=_next(events, options, usable),
        columns=columns,
    )


def _units(nwb: Any) -> str:
    units = units_of(nwb)
    if units is None:
        return "none"
    if "spike_times" not in units.colnames:
        return f"{len(units)}, without spike times"
    column = units["spike_times"]
    return f"{len(units)}, {len(getattr(column, 'target', column).data)} spikes"


def _regions(
    nwb: Any, path: Path, region: str, missing: list[str]
) -> tuple[Mapping[str, int], list[str]]:
    """Units by region, and the option that the next command needs for them."""
    units = units_of(nwb)
    if units is None:
        missing.append("no units, so no spikes: sort the raw voltage, or recording=raw")
        return {}, []
    try:
        return by_region(unit_regions(nwb, path, region)), []
    except InputError:
        missing.append(f"no column '{region}' of units or electrodes says where units lie")
        return {"unknown": len(units)}, ["recording.everywhere=REGION"]


def _series(nwb: Any, path: Path, missing: list[str]) -> tuple[list[str], str | None]:
    """What the stimuli are, and the one series that could be cut into trials."""
    found, usable = [], []
    for name, series in {**nwb.stimulus_template, **nwb.stimulus}.items():
        kind = type(series).__name__
        if getattr(series, "external_file", None) is not None:
            lost = missing_films(series, path)
            n = len(series.external_file)
            found.append(f"{name} ({kind}, {n} external files, {len(lost)} missing)")
            if lost:
                some = ", ".join(f.name for f in lost[:5]) + (", ..." if len(lost) > 5 else "")
                missing.append(f"{len(lost)} of {n} external files of {name}: {some}")
            else:
                usable.append(name)
        elif kind in ("ImageSeries", "OpticalSeries", "IndexSeries", "GrayscaleVolume"):
            shape = getattr(series.data, "shape", None) or np.shape(series.data)
            found.append(f"{name} ({kind}, {' x '.join(map(str, shape))})")
            usable.append(name)
        else:
            found.append(f"{name} ({kind})")
    if not usable:
        missing.append(
            "no videos in the file: recording.videos.folder names them, or "
            "recording.videos.stand_in=blank looks at activity alone"
        )
    return found, usable[0] if len(usable) == 1 else None


def _raw(nwb: Any) -> dict[str, str]:
    from pynwb.ecephys import ElectricalSeries

    found = [
        f"{n} ({' x '.join(map(str, s.data.shape))} samples)"
        for n, s in nwb.acquisition.items()
        if isinstance(s, ElectricalSeries)
    ]
    return {"raw voltage": "; ".join(found)} if found else {}


def _next(events: Sequence[EventTable], options: list[str], series: str | None) -> str:
    if not events:
        options = [*options, "recording.trials=FILE.csv", "recording.condition=[]"]
    else:
        # The table with trials is the one called so, or else the one with columns to tell them.
        chosen = next((e for e in events if e.candidates()), events[0])
        if chosen.name != "trials":
            options = [*options, f"recording.trials={chosen.name}"]
        columns, frames = chosen.candidates(), chosen.frame_rows()
        if frames is not None:
            name, first, seconds = frames
            columns = [c for c in columns if c != name]
            options += [
                f"recording.where={{{name}: {first:g}}}",
                f"recording.duration_s={seconds:g}",
            ]
        # Without a column that tells trials apart, all of them show the same.
        options = [*options, f"recording.condition=[{''.join(columns[:1])}]"]
    videos = f"series={series}" if series else "stand_in=blank"
    options = [*options, f"recording.videos.{videos}"]
    return " ".join(["mua-decode inspect recording=nwb", *map(shlex.quote, options)])
