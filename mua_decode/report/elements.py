"""What a section is made of: headlines, tables, pictures, and answers that do not apply."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal, get_args

import pandas as pd
from matplotlib.figure import Figure

from mua_decode.report.films import Films
from mua_decode.report.region_panel import RegionPanel
from mua_decode.types import InputError

Status = Literal["good", "warning", "neutral"]


@dataclass(frozen=True)
class Headline:
    """One result in a sentence, for the first screen or the top of a section.

    The status is shown by colour, sign and word; the value, with its unit, is printed large. Raises
    InputError if the status is none of the three.
    """

    text: str
    status: Status = "neutral"
    value: str = ""

    def __post_init__(self) -> None:
        if self.status not in get_args(Status):
            known = ", ".join(get_args(Status))
            raise InputError(f"headline: status must be one of {known}, found '{self.status}'")


@dataclass(frozen=True)
class Statistics:
    """What stands behind the numbers of a picture, printed under it.

    ``n`` is how many of what ("64 conditions"), ``test`` its name ("two-sided t-test"),
    ``correction`` that for multiple comparisons ("Holm, 6 regions" or "none").
    """

    n: str = ""
    test: str = ""
    correction: str = ""

    def said(self) -> dict[str, str]:
        """What is known of the three."""
        return {name: text for name, text in asdict(self).items() if text}


@dataclass(frozen=True)
class NotApplicable:
    """A question that this recording cannot answer ("Colour error": "frames are grey")."""

    what: str
    reason: str


@dataclass(frozen=True, eq=False)
class Picture:
    """A figure, or a PNG, GIF, JPEG or SVG file, and what it shows in words.

    Figures are embedded as SVG or as PNG, whichever is smaller.
    """

    image: Figure | Path
    caption: str
    statistics: Statistics | None = None


@dataclass(frozen=True, eq=False)
class RunTable:
    """Runs to be compared: a picture, a link, and columns that the reader sorts by.

    Parameters
    ----------
    rows
        One line per run.
    pages
        Address of each run's page, relative to this one; empty where it has none.
    thumbnails
        PNG file of each run; empty where it has none.
    warned
        Whether a run is below a floor.
    """

    rows: pd.DataFrame
    pages: Sequence[str]
    thumbnails: Sequence[bytes]
    warned: Sequence[bool]

    def __post_init__(self) -> None:
        lengths = {len(self.rows), len(self.pages), len(self.thumbnails), len(self.warned)}
        if len(lengths) > 1:
            raise InputError(f"table of runs: lengths differ, {sorted(lengths)}")


@dataclass(frozen=True, eq=False)
class Section:
    """One part of the page: headlines, text, what does not apply, films, panel, pictures, tables.

    Text is plain, one string per paragraph; tables go by caption, and a published value beside
    ours is a column like any other. The title also stands in the table of contents. ``line`` is
    what a shell takes, ``runs`` a table of runs that the reader sorts.
    """

    title: str
    text: Sequence[str] = ()
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    pictures: Sequence[Picture] = ()
    headlines: Sequence[Headline] = ()
    not_applicable: Sequence[NotApplicable] = ()
    films: Sequence[Films] = ()
    panel: RegionPanel | None = None
    line: str = ""
    runs: RunTable | None = None
