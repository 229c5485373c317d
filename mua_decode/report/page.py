"""One self-contained HTML page built from sections: text, tables, embedded figures."""

from __future__ import annotations

import base64
import html
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 1100px; margin: 2em auto; padding: 0 1em;
       color: #222; }
h1 { font-size: 1.6em; } h2 { font-size: 1.25em; border-bottom: 1px solid #ccc; margin-top: 2em; }
table { border-collapse: collapse; font-size: 13px; margin: .6em 0; }
th, td { padding: .2em .7em; text-align: right; border-bottom: 1px solid #e4e4e4; }
th:first-child, td:first-child, td.text { text-align: left; }
caption { text-align: left; font-weight: 600; padding: .3em 0; }
figure { margin: 1em 0; } figcaption { color: #555; font-size: 13px; }
img { max-width: 100%; } nav a { margin-right: 1em; } .scroll { overflow-x: auto; }
"""


@dataclass(frozen=True, eq=False)
class Picture:
    """A figure, or a PNG, GIF or SVG file, and what it shows in words."""

    image: Figure | Path
    caption: str


@dataclass(frozen=True, eq=False)
class Section:
    """One part of the page.

    Parameters
    ----------
    title
        Heading.
    text
        Paragraphs of plain text.
    tables
        Caption to table; long tables are cut and say so.
    pictures
        Drawn below the tables.
    """

    title: str
    text: Sequence[str] = ()
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    pictures: Sequence[Picture] = ()


def write_page(
    path: Path, sections: Sequence[Section], *, title: str, footer: str = "", most_rows: int = 40
) -> Path:
    """Write the page, whole or not at all; it needs no other file and no network.

    Parameters
    ----------
    path
        The ``.html`` file.
    sections
        In the order of the page.
    title
        Of the page.
    footer
        One line at the end: version, seed, where the numbers lie.
    most_rows
        Rows of a table that are shown.
    """
    names = [f"section-{i}" for i in range(len(sections))]
    links = "".join(
        f'<a href="#{n}">{html.escape(s.title)}</a>' for n, s in zip(names, sections, strict=True)
    )
    body = "\n".join(_section(s, n, most_rows) for n, s in zip(names, sections, strict=True))
    text = (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style></head><body>\n"
        f"<h1>{html.escape(title)}</h1>\n<nav>{links}</nav>\n{body}\n"
        f"<footer><p>{html.escape(footer)}</p></footer></body></html>\n"
    )
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return path


def _section(section: Section, name: str, most_rows: int) -> str:
    parts = [f'<section id="{name}"><h2>{html.escape(section.title)}</h2>']
    parts += [f"<p>{html.escape(p)}</p>" for p in section.text]
    parts += [_table(t, caption, most_rows) for caption, t in section.tables.items()]
    parts += [_picture(p) for p in section.pictures]
    return "\n".join([*parts, "</section>"])


def _table(table: pd.DataFrame, caption: str, most_rows: int) -> str:
    if len(table) > most_rows:
        caption = f"{caption} (first {most_rows} of {len(table)} rows)"
    head = "".join(f"<th>{html.escape(str(c).replace('_', ' '))}</th>" for c in table.columns)
    rows = [
        "<tr>" + "".join(_cell(v) for v in row) + "</tr>"
        for row in table.head(most_rows).itertuples(index=False)
    ]
    return (
        f'<div class="scroll"><table><caption>{html.escape(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"<td>{'unknown' if value != value else f'{value:.3g}'}</td>"
    kind = ' class="text"' if isinstance(value, str) else ""
    return f"<td{kind}>{html.escape(str(value))}</td>"


def _picture(picture: Picture) -> str:
    if isinstance(picture.image, Path):
        kind = {".svg": "svg+xml"}.get(picture.image.suffix, picture.image.suffix.lstrip("."))
        data = picture.image.read_bytes()
    else:
        kind, buffer = "png", io.BytesIO()
        picture.image.savefig(buffer, format="png", dpi=110)
        data = buffer.getvalue()
    encoded = base64.b64encode(data).decode()
    caption = html.escape(picture.caption)
    return (
        f'<figure><img src="data:image/{kind};base64,{encoded}" alt="{caption}">'
        f"<figcaption>{caption}</figcaption></figure>"
    )
