"""What a source holds before it is known what a trial and a condition is: for ``inspect``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

_TIMES = ("start_time", "stop_time", "start_s", "stop_s", "time_s", "duration_s")
_ENDS = ("stop_time", "stop_s")
_MOST_SHOWN = 40  # rows of a table on the screen


@dataclass(frozen=True, eq=False, kw_only=True)
class EventTable:
    """A table whose rows may be trials."""

    name: str
    table: pd.DataFrame
    start: str = "start_time"

    def candidates(self) -> list[str]:
        """Columns that could make up a condition, likeliest first.

        Text first, then whole numbers; of either, those with several rows per value first, and
        those with more values before others.
        """
        found: list[tuple[tuple[int, int, int], str]] = []
        for name, column in self.table.items():
            values = column.dropna()
            text = values.dtype.kind not in "biuf"
            n = int(values.nunique())
            if str(name) in _TIMES or str(name).endswith(("_time", "_s")) or n < 2:
                continue
            if text or bool((pd.to_numeric(values) % 1 == 0).all()):
                once = n == len(self.table)
                found.append(((int(not text), int(once), -n), str(name)))
        return [name for _, name in sorted(found)]

    def frame_rows(self) -> tuple[str, object, float] | None:
        """Column that numbers the frames of a film, where every row is a frame.

        With the number of its first frame, and the seconds that it lasts (median); ``None``: rows
        are no frames.
        """
        if not {"start_time", "stop_time"} <= set(self.table.columns):
            return None
        for name in (c for c in self.table if str(c).casefold() in ("frame", "frame_index")):
            number = pd.to_numeric(self.table[name], errors="coerce")
            first = self.table.index[number == number.min()]
            if (
                len(first) < 2
                or not (number.diff().dropna().isin([1, number.min() - number.max()])).all()
            ):
                continue
            last = np.append(first[1:] - 1, len(self.table) - 1)
            length = (
                self.table["stop_time"].to_numpy()[last]
                - self.table["start_time"].to_numpy()[first]
            )
            return str(name), number.min(), float(np.median(length))
        return None

    def lines(self) -> Table:
        """Return the columns, each with its distinct values."""
        span = ""
        if self.start in self.table and len(self.table):
            begin = self.table[self.start].min()
            end = self.table[next((c for c in _ENDS if c in self.table), self.start)].max()
            span = f", {begin:.1f} to {end:.1f} s"
        out = _table(
            f"{Path(self.name).name}: {len(self.table)} rows{span}", "column", "values", "such as"
        )
        out.min_width = len(str(out.title))  # a title is folded to the width of its table
        for name, column in self.table.items():
            values = column.dropna().unique()
            shown = ", ".join(_short(v) for v in values[:3])
            out.add_row(str(name), str(len(values)), shown[:40])
        return out


@dataclass(frozen=True, eq=False, kw_only=True)
class Contents:
    """What a source holds.

    Parameters
    ----------
    name
        Of the session.
    about
        Further knowledge, by what it is.
    regions
        Number of units by region; empty: nothing says where they lie.
    events
        Tables whose rows may be trials.
    missing
        What keeps it from being decoded, one line each.
    command
        What to type next.
    """

    name: str
    about: Mapping[str, str]
    regions: Mapping[str, int]
    events: Sequence[EventTable]
    missing: Sequence[str]
    command: str
    columns: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def shown(self, *, missing: bool = True) -> Iterator[Table | Text]:
        """Yield what is printed, in order, all but the next command."""
        yield Text(self.name, "bold")
        for key, text in self.about.items():
            yield Text(f"{key}: {text}")
        for table, names in self.columns.items():
            yield Text(f"columns of {table}: {', '.join(names)}")
        if self.regions:
            out = _table("units per region", "region", "units")
            for region, n in list(self.regions.items())[:_MOST_SHOWN]:
                out.add_row(region, str(n))
            if len(self.regions) > _MOST_SHOWN:
                out.add_row(f"and {len(self.regions) - _MOST_SHOWN} more", "")
            out.add_row("all", str(sum(self.regions.values())))
            yield out
        for events in self.events:
            yield events.lines()
        for line in self.missing if missing else ():
            yield Text(f"missing: {line}", "yellow")


def by_region(places: Sequence[str]) -> dict[str, int]:
    """Number of units by region, in order of names."""
    names, number = np.unique(np.asarray(places, dtype=str), return_counts=True)
    return dict(zip(names.tolist(), number.tolist(), strict=True))


def _table(title: str, *columns: str) -> Table:
    out = Table(title=title, box=SIMPLE_HEAD, title_justify="left")
    for number, name in enumerate(columns):
        out.add_column(name, justify="right" if number == 1 else "left", overflow="fold")
    return out


def _short(value: object) -> str:
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 24 else f"{text[:23]}…"
