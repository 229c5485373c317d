"""Units of an NWB file and their spikes within trials, read block by block."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mua_decode.recordings.files import named
from mua_decode.recordings.nwb.tables import text_of
from mua_decode.recordings.sites import site_table
from mua_decode.types import InputError, SiteTable, SpikeTimes, nearest_name

_BLOCK = 1 << 18  # spikes, 2 MiB
_TOLERANCE_S = 1e-6
_PEAK = "peak_channel_id"


def read_units(
    nwb: Any,
    path: Path,
    *,
    session: str,
    subject: str,
    region: str,
    everywhere: str | None = None,
    site: str | None,
) -> SiteTable:
    """Return the units as sites, all in region ``everywhere`` if that is given.

    An InputError if no column says where a unit lies.
    """
    units = units_of(nwb)
    if units is None:
        raise InputError(f"{path}: has no units table")
    if "spike_times" not in units.colnames:
        raise InputError(f"{path}: units table has no column 'spike_times'")
    if not hasattr(units["spike_times"], "target"):
        raise InputError(f"{path}: units table has no spike_times_index")
    if site is not None and site not in units.colnames:
        raise InputError(
            f"{path}: units table has no column '{site}'{nearest_name(site, units.colnames)}; "
            f"found: {', '.join(units.colnames)}"
        )
    column = site or "site_id"
    if column in units.colnames:
        names = _text(units[column].data[:])
    else:
        names = [f"{session}-{number}" for number in units.id[:]]
    owner = _text(units["subject"].data[:]) if "subject" in units.colnames else subject
    with named(path):
        region_of = everywhere or unit_regions(nwb, path, region)
        return site_table(session, names, region=region_of, subject=owner)


def units_of(nwb: Any) -> Any:
    """The table of units: the file's own, or the one that stands in a processing module instead.

    ``None`` if there is none, or it is empty, or several stand there.
    """
    from pynwb.misc import Units

    if nwb.units is not None and len(nwb.units):
        return nwb.units
    elsewhere = [o for o in nwb.objects.values() if isinstance(o, Units) and len(o)]
    return elsewhere[0] if len(elsewhere) == 1 else None


def unit_regions(nwb: Any, path: Path, region: str) -> list[str]:
    """Region of every unit by a column of the units, or else of their electrodes."""
    return [place.strip() or "unknown" for place in _regions(nwb, path, region)]


def _regions(nwb: Any, path: Path, region: str) -> list[str]:
    units = units_of(nwb)
    if region in units.colnames:
        return _text(units[region].data[:])
    if "electrodes" in units.colnames:
        column = getattr(units["electrodes"], "target", units["electrodes"])
        electrodes = column.table
        if region in electrodes.colnames:
            places = _text(electrodes[region].data[:])
            rows = np.asarray(column.data[:], int)
            if column is units["electrodes"]:  # exactly one electrode per unit
                return [places[r] for r in rows]
            ends = np.asarray(units["electrodes"].data[:], int)
            starts = np.concatenate([[0], ends[:-1]])
            if (starts == ends).any():
                unit = int(units.id[int(np.flatnonzero(starts == ends)[0])])
                raise InputError(f"{path}: unit {unit} has no electrode, so no region")
            return [places[r] for r in rows[starts]]
        known = [*units.colnames, *electrodes.colnames]
    elif _PEAK in units.colnames and nwb.electrodes is not None:
        known = [*units.colnames, *nwb.electrodes.colnames]
        if region in nwb.electrodes.colnames:
            return _at_peak(nwb, path, _text(nwb.electrodes[region].data[:]))
    else:
        known = list(units.colnames)
        if "electrode_group" in known and region == "location":
            return [text_of(group.location) for group in units["electrode_group"].data[:]]
    raise InputError(
        f"{path}: neither units nor electrodes have a column '{region}'"
        f"{nearest_name(region, known)}; set recording.region, or recording.everywhere=REGION for "
        f"all units; found: {', '.join(known)}"
    )


def _at_peak(nwb: Any, path: Path, places: list[str]) -> list[str]:
    """Place of the electrode that each unit names by its id, as the Allen Institute's files do."""
    row = {int(e): r for r, e in enumerate(nwb.electrodes.id[:])}
    peaks = [int(p) for p in units_of(nwb)[_PEAK].data[:]]
    lost = [p for p in peaks if p not in row]
    if lost:
        raise InputError(f"{path}: a unit names electrode {lost[0]}, which the file does not have")
    return [places[row[p]] for p in peaks]


def _text(values: Any) -> list[str]:
    return [text_of(v) for v in np.asarray(values).tolist()]


def read_spikes(nwb: Any, path: Path, *, start_s: np.ndarray, duration_s: float) -> SpikeTimes:
    """Read the spikes that fall into trials; all others are never kept.

    Trials start at ``start_s`` (trials,) on the session's clock and may overlap. Spike times that
    are negative or not sorted, or that the index does not fit, are an InputError.
    """
    units = units_of(nwb)
    times, index = units["spike_times"].target.data, units["spike_times"].data
    ends = np.asarray(index[:], np.int64)
    if len(ends) != len(units) or (np.diff(ends, prepend=0) < 0).any() or ends[-1] > len(times):
        raise InputError(
            f"{path}: units/spike_times_index ({len(ends)} entries up to {ends.max()}) does not "
            f"fit {len(units)} units with {len(times)} spikes"
        )
    labels = [str(int(i)) for i in units.id[:]]
    observed = _observed(units, start_s, duration_s)
    return spikes_in_trials(
        times, ends, labels, start_s=start_s, duration_s=duration_s, where=str(path),
        observed=observed,
    )  # fmt: skip


def spikes_in_trials(
    times: Any,
    ends: np.ndarray,
    labels: list[str],
    *,
    start_s: np.ndarray,
    duration_s: float,
    where: str,
    observed: np.ndarray | None = None,
) -> SpikeTimes:
    """Cut spike times into trials that start at ``start_s`` (trials,) and may overlap.

    Spike times that are negative or not sorted are an InputError naming the unit.

    Parameters
    ----------
    times, ends
        Spike times, unit by unit, and where each unit's end, int (N,). Only blocks of ``times``
        that can lie in a trial are read.
    labels
        Names of the units in messages.
    """
    order = np.argsort(start_s, kind="stable").astype(np.int32)
    kept: list[np.ndarray] = []
    rows: list[np.ndarray] = []
    for label, first, last in zip(labels, np.append(0, ends[:-1]), ends, strict=True):
        named_ = f"{where}: unit {label}"
        inside, row = _within(times, int(first), int(last), start_s[order], duration_s, named_)
        kept.append(inside)
        rows.append(order[row])
    sizes = [len(t) for t in kept]
    time_s = np.concatenate(kept)
    kept.clear()  # a session's spikes are held once, not twice
    site_type = np.min_scalar_type(max(1, len(sizes)))
    site = np.repeat(np.arange(len(sizes), dtype=site_type), sizes)
    return SpikeTimes(time_s, np.concatenate(rows), site, duration_s, observed)


def _within(
    times: Any, first: int, last: int, start_s: np.ndarray, duration_s: float, where: str
) -> tuple[np.ndarray, np.ndarray]:
    """Times since the start of the trial and positions in ``start_s`` (sorted) of one unit."""
    edges = [*range(first, last, _BLOCK), last]
    heads = [float(times[e]) for e in edges[:-1]]
    tails = [*heads[1:], np.inf][: len(heads)]
    kept_t: list[np.ndarray] = []
    kept_r: list[np.ndarray] = []
    for begin, end, head, tail in zip(edges[:-1], edges[1:], heads, tails, strict=True):
        if not head <= tail:
            raise InputError(f"{where}: spike times are not in order, or not numbers")
        if head < 0:
            raise InputError(f"{where}: negative spike time {head:g} s")
        # Trials that end before the block or start after it need none of its spikes.
        low = int(np.searchsorted(start_s, head - duration_s))
        high = int(np.searchsorted(start_s, tail, side="right"))
        if low == high:
            continue
        block = np.asarray(times[begin:end], np.float64)
        if not (np.diff(block) >= 0).all() or not np.isfinite(block).all():
            raise InputError(f"{where}: spike times are not in order, or not numbers")
        a = np.searchsorted(block, start_s[low:high])
        b = np.searchsorted(block, start_s[low:high] + duration_s)
        sizes = b - a
        row = np.repeat(np.arange(low, high, dtype=np.int32), sizes)
        skipped = np.repeat(a - np.concatenate([[0], np.cumsum(sizes)[:-1]]), sizes)
        kept_t.append(block[np.arange(len(row)) + skipped] - start_s[row])
        kept_r.append(row)
    if not kept_t:
        return np.empty(0), np.empty(0, np.int32)
    return np.concatenate(kept_t), np.concatenate(kept_r)


def _observed(units: Any, start_s: np.ndarray, duration_s: float) -> np.ndarray | None:
    """Bool (trials, units): the trial lies within one of the unit's ``obs_intervals``."""
    if "obs_intervals" not in units.colnames:
        return None
    spans = np.asarray(units["obs_intervals"].target.data[:], float)
    ends = np.asarray(units["obs_intervals"].data[:], int)
    observed = np.ones((len(start_s), len(units)), bool)
    for unit, (first, last) in enumerate(zip(np.append(0, ends[:-1]), ends, strict=True)):
        if first == last:
            continue  # nothing is said about this unit
        begin, stop = spans[first:last, 0], spans[first:last, 1]
        inside = (start_s[:, None] >= begin - _TOLERANCE_S) & (
            start_s[:, None] + duration_s <= stop + _TOLERANCE_S
        )
        observed[:, unit] = inside.any(axis=1)
    return None if observed.all() else observed
