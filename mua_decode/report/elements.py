"""What a section is made of: headlines, tables, pictures, and answers that do not apply."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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

    Parameters
    ----------
    text
        A sentence.
    status
        ``good``, ``warning`` or ``neutral``; shown by colour, sign and word.
    value
        The number the sentence is about, printed large, with its unit.

    Raises
    ------
    InputError
        If the status is none of the three.
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
    """What stands behind the numbers of a table or picture, printed under it.

    Parameters
    ----------
    n
        How many of what, ``"64 conditions"``.
    test
        Name of the test, ``"two-sided t-test"``.
    correction
        For multiple comparisons, ``"Holm, 6 regions"`` or ``"none"``.
    """

    n: str = ""
    test: str = ""
    correction: str = ""


@dataclass(frozen=True)
class NotApplicable:
    """A question that this recording cannot answer.

    Parameters
    ----------
    what
        The question, ``"Colour error"``.
    reason
        Why not, ``"frames are grey"``.
    """

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
class Table:
    """A table with the statistics behind it."""

    frame: pd.DataFrame
    statistics: Statistics | None = None


@dataclass(frozen=True, eq=False)
class Section:
    """One part of the page: headlines, text, what does not apply, tables, pictures, films, panel.

    Parameters
    ----------
    title
        Heading, and its name in the table of contents.
    text
        Paragraphs of plain text.
    tables
        Caption to table. A published value beside ours is a column like any other.
    pictures
        Figures with captions.
    headlines
        Shown at the top of the section.
    not_applicable
        What this recording cannot answer, and why.
    films
        Videos side by side that play in the page.
    panel
        Regions that the reader switches on and off.
    """

    title: str
    text: Sequence[str] = ()
    tables: Mapping[str, pd.DataFrame | Table] = field(default_factory=dict)
    pictures: Sequence[Picture] = ()
    headlines: Sequence[Headline] = ()
    not_applicable: Sequence[NotApplicable] = ()
    films: Sequence[Films] = ()
    panel: RegionPanel | None = None
